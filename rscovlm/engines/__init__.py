"""Model engines behind the ChatModel protocol, named by one string.

``nano`` (the small checkpoint that ships with the package), a local folder or hub id (transformers, in
process), ``vllm:PATH`` (vLLM, in process), ``http://HOST:PORT/v1#NAME`` (any OpenAI-compatible server).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rscovlm.errors import ModelError
from rscovlm.models.families import ModelFamily, family_in, family_named, family_of
from zoom_chain.chat import Conversation, Generation, Reply

NANO_FOLDER = Path(__file__).parents[1] / "assets" / "nano"


class Engine(Protocol):
    """A chat model with what tasks have to know of it.

    Attributes:
        family: how the model sees and writes.
        name: for traces and provenance.
    """

    family: ModelFamily
    name: str

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
    spec: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    family: str | None = None,
    max_pixels: int | None = None,
    tokenizer: str | None = None,
) -> Engine:
    """The engine that a ``--model`` string names.

    Args:
        spec: ``nano``, a folder, a hub id, ``vllm:PATH`` or ``http://HOST:PORT/v1#NAME``.
        device: for models in process; None takes the best there is.
        dtype: for models in process; None takes bfloat16 on CUDA, else float32; vLLM the checkpoint's own.
        family: of the model, where it cannot be read from the checkpoint or should be another.
        max_pixels: upper bound on the area of an image, instead of the family's.
        tokenizer: folder of the served model's tokenizer, to check a server's token counts exactly.

    Raises:
        ModelError: with one clear line.
    """
    served = spec.startswith(("http://", "https://"))
    if device is not None and (served or spec.startswith("vllm:")):
        raise ModelError(f"--device {device} is for models in process; {spec} chooses its own")
    chosen = model_family(spec, family=family, max_pixels=max_pixels)
    if served:
        from rscovlm.engines.http import HttpEngine

        url, _, model = spec.partition("#")
        return HttpEngine(url, model or None, chosen, tokenizer=tokenizer)
    folder = checkpoint_folder(spec.removeprefix("vllm:"))
    if spec.startswith("vllm:"):
        from rscovlm.engines.vllm import VllmEngine

        return VllmEngine(folder, chosen, spec, dtype=dtype)
    from rscovlm.engines.transformers import TransformersEngine

    return TransformersEngine.of_checkpoint(folder, chosen, spec, device=device, dtype=dtype)


def checkpoint_folder(spec: str) -> Path:
    """The folder of a checkpoint: the shipped one, a local one, or one that the hub's client has or fetches.

    Raises:
        ModelError: where there is none.
    """
    if spec == "nano":
        if not (NANO_FOLDER / "model.safetensors").is_file():
            raise ModelError(
                f"nano's weights are missing from {NANO_FOLDER}; reinstall rscovlm or give --model"
            )
        return NANO_FOLDER
    if Path(spec).is_dir():
        return Path(spec)
    if spec.count("/") != 1 or spec.startswith((".", "/", "~")):
        raise ModelError(
            f"model {spec!r} is neither a folder nor known; "
            "give nano, a checkpoint folder, a hub id, vllm:PATH or http://HOST:PORT/v1#NAME"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(spec, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.txt"]))
    except Exception as error:  # the hub's client raises errors of many libraries
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"model {spec!r} is not a local folder and the hub does not give it: {reason}"
        ) from error


def model_family(spec: str, *, family: str | None = None, max_pixels: int | None = None) -> ModelFamily:
    """How the model that a ``--model`` string names sees and writes, without loading its weights.

    Raises:
        ModelError: with one clear line.
    """
    if spec.startswith(("http://", "https://")):
        name = spec.partition("#")[2]
        known = family_named(family) if family else family_in(name)
        if known is None:
            raise ModelError(
                f"the family of {name or spec!r} does not show in its name; give --family "
                "(qwen2.5-vl, qwen3-vl, rscovlm or nano)"
            )
    else:
        known = family_of(checkpoint_folder(spec.removeprefix("vllm:")))
        if family is not None:
            # The bounds of this very checkpoint, the words of the named family.
            known = replace(family_named(family), resolution=known.resolution)
    return known if max_pixels is None else known.with_max_pixels(max_pixels)
