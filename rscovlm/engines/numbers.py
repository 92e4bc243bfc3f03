"""The forward pass of number heads: prompts in, predictive distributions out, nothing generated.

Shape letters: B rows of a batch, L tokens of each row (all alike), W width of hidden states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import nn

from rscovlm.data.example import Encoded, Key
from rscovlm.data.packing import Pack, collate
from rscovlm.errors import ModelError
from rscovlm.models.heads.base import PredictiveHead
from rscovlm.models.heads.dense.head import DenseHead, Field
from rscovlm.models.prompting import Prompt, Prompter
from rscovlm.models.scale.state import tell_scale
from rscovlm.models.taps import tapped
from zoom_chain.chat import Conversation, ImagePart

if TYPE_CHECKING:
    from rscovlm.models.heads.distribution import Distribution
    from rscovlm.models.patches import PatchSpec
    from rscovlm.models.qwen import VisionLanguageModel

H = TypeVar("H", bound=PredictiveHead)
T = TypeVar("T")


def head_of(heads: nn.ModuleDict, name: str) -> PredictiveHead:
    """The head of a name, or the only one that gives the target of that name.

    Raises:
        ModelError: where there is none, with those that there are.
    """
    found = {own: head for own, head in heads.items() if isinstance(head, PredictiveHead)}
    giving = [head for head in found.values() if head.target == name]
    if name in found:
        return found[name]
    if len(giving) == 1:
        return giving[0]
    known = f"those of this checkpoint are {', '.join(found)}" if found else "this checkpoint has none"
    raise ModelError(f"no number head is called {name!r}; {known}")


def prompts_of(prompter: Prompter, conversations: Sequence[Conversation]) -> list[Prompt]:
    """Prompts of conversations; those that differ in the pixels of their images alone are tokenised once."""
    known: dict[tuple[object, ...], Prompt] = {}
    prompts = []
    for conversation in conversations:
        images = tuple(ImagePart.of(image) for image in conversation.images)
        said = tuple((each.role, each.text) for each in conversation.messages)
        shape = (said, tuple(image.size for image in images))
        if shape not in known:
            known[shape] = prompter.prompt(conversation)
        prompts.append(replace(known[shape], images=images))
    return prompts


def dense_head_of(heads: nn.ModuleDict, name: str) -> DenseHead:
    """The head of a name, or of what it gives, that makes maps.

    Raises:
        ModelError: where there is none.
    """
    found = head_of(heads, name)
    if not isinstance(found, DenseHead):
        raise ModelError(f"head {name!r} gives a number and no map; train one of heads.dense")
    return found


def distributions_of(
    model: VisionLanguageModel,
    heads: Sequence[PredictiveHead],
    prompts: Sequence[Prompt],
    spec: PatchSpec,
    numbers: Sequence[Mapping[str, float]] | None = None,
) -> list[Distribution]:
    """The distributions that heads give for prompts of one length; as ``read_by``."""
    return read_by(model, heads, prompts, spec, lambda head, states: head.stated(states), numbers)


def fields_of(
    model: VisionLanguageModel,
    heads: Sequence[DenseHead],
    prompts: Sequence[Prompt],
    spec: PatchSpec,
    numbers: Sequence[Mapping[str, float]] | None = None,
) -> list[Field]:
    """The maps that dense heads give for prompts of one length; as ``read_by``."""
    return read_by(model, heads, prompts, spec, lambda head, states: head.stated_field(states), numbers)


@torch.inference_mode()
def read_by(
    model: VisionLanguageModel,
    heads: Sequence[H],
    prompts: Sequence[Prompt],
    spec: PatchSpec,
    asked: Callable[[H, Any], T],
    numbers: Sequence[Mapping[str, float]] | None = None,
) -> list[T]:
    """What heads say of prompts of one length, each head's, in one forward pass.

    Args:
        model: on its device and in its precision.
        heads: on the same device.
        prompts: of one length or more, each of as many tokens as the others.
        spec: how the model wants its images.
        asked: what is taken of a head and the states that it reads.
        numbers: what is known of each, by name, such as the statistics of its region; None for nothing.

    Raises:
        ModelError: for prompts of several lengths.
    """
    if len({len(prompt.ids) for prompt in prompts}) != 1:
        raise ModelError(
            "prompts of one batch have to be of one length; ask the same about images of one size"
        )
    known = [{}] * len(prompts) if numbers is None else numbers
    coded = [encoded_prompt(prompt, spec, own) for prompt, own in zip(prompts, known, strict=True)]
    pack = collate(coded, spec, model.config.image_token_id, dummy=False)
    pack = pack.to(model.device)
    layers = sorted({layer for head in heads for layer in head.taps})
    with tapped(model, layers) as taps:
        hidden = _hidden(model, pack, len(prompts))
        features = [taps.features(pack.image_grid_thw, head.taps) if head.taps else None for head in heads]
    return [
        asked(head, head.states(model, [hidden], pack, feature))
        for head, feature in zip(heads, features, strict=True)
    ]


def encoded_prompt(prompt: Prompt, spec: PatchSpec, numbers: Mapping[str, float] | None = None) -> Encoded:
    """A prompt as a sample of a pack, in which nothing is learnt; ``numbers`` are known of it."""
    grids = [(1, rows * spec.merge, columns * spec.merge) for rows, columns in prompt.grids]
    return Encoded(
        ids=prompt.ids,
        learnt=np.zeros(len(prompt.ids), dtype=bool),
        positions=prompt.positions,
        pictures=prompt.images,
        grids=np.array(grids, dtype=np.int64).reshape(-1, 3),
        key=Key("", 0, 0),
        task="",
        tokens={"log_gsd": prompt.log_gsd},
        images={},
        numbers=numbers or {},
    )


def _hidden(model: VisionLanguageModel, pack: Pack, rows: int) -> torch.Tensor:
    """(1, B * L, W) after the last layer; the rows of a batch do not see each other."""
    ids = pack.input_ids.view(rows, -1)
    tell_scale(model, pack.token_extras["log_gsd"].view(rows, -1))
    images = {}
    if len(pack.image_grid_thw):
        pixels = pack.pixel_values().to(model.model.visual.dtype)
        images = {"pixel_values": pixels, "image_grid_thw": pack.image_grid_thw}
    output = model.model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=pack.position_ids[1:].reshape(3, rows, -1),
        use_cache=False,
        **images,
    )
    hidden: torch.Tensor = output.last_hidden_state
    return hidden.reshape(1, rows * ids.shape[1], -1)
