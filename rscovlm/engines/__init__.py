"""Model engines behind the ChatModel protocol: transformers and vLLM in process, servers over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rscovlm.engines.stating import StatingEngine
from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import Checkpoint, resolve
from rscovlm.models.families import ModelFamily
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.scores import Scores


class Engine(Protocol):
    """A chat model with what tasks have to know of it.

    Attributes:
        family: how the model sees and writes.
        name: for traces and provenance.

    One that takes requests one by one, as servers do, says by ``in_flight`` how many at once; one that keeps
    the keys and values of conversations between calls says by ``kept_tokens`` of how many tokens.
    """

    family: ModelFamily
    name: str

    @property
    def scores(self) -> Scores:
        """How it states the probability of given answers."""
        ...

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation, in order; see ``zoom_chain.chat.ChatModel``."""
        ...

    def close(self) -> None:
        """Let go of what the engine holds."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def load_model(
    model: str | Checkpoint,
    *,
    device: str | None = None,
    dtype: str | None = None,
    family: str | None = None,
    max_pixels: int | None = None,
    tokenizer: str | None = None,
) -> Engine:
    """The engine that runs a model.

    Args:
        model: a ``--model`` string (see ``models.checkpoints.resolve``), or what it was resolved to.
        device: for models in process; None takes the best there is.
        dtype: for models in process; None takes bfloat16 on CUDA, else float32; vLLM the checkpoint's own.
        family: of a model given as a string, see ``resolve``.
        max_pixels: likewise.
        tokenizer: folder of a served model's tokenizer, to check the server's token counts exactly.

    Raises:
        ModelError: with one clear line.
    """
    found = resolve(model, family=family, max_pixels=max_pixels) if isinstance(model, str) else model
    engine = _engine(found, device, dtype, tokenizer)
    return StatingEngine(engine) if found.family.states_gsd else engine


def _engine(found: Checkpoint, device: str | None, dtype: str | None, tokenizer: str | None) -> Engine:
    """What runs a model, before it is told anything beyond what is asked."""
    if device is not None and found.runner != "transformers":
        raise ModelError(f"--device {device} is for models in process; {found.spec} chooses its own")
    if found.url is not None:
        from rscovlm.engines.http import HttpEngine

        return HttpEngine(found.url, found.served, found.family, tokenizer=tokenizer, serving=found.serving)
    if found.runner == "vllm":
        from rscovlm.engines.vllm import VllmEngine

        return VllmEngine(
            found.local,
            found.family,
            found.spec,
            dtype=dtype or found.dtype,
            adapter=found.adapter,
            settings=found.settings,
        )
    from rscovlm.engines.transformers import TransformersEngine

    return TransformersEngine.of_checkpoint(
        found.local,
        found.family,
        found.spec,
        device=device,
        dtype=dtype or found.dtype,
        adapter=found.adapter,
    )
