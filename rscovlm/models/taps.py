"""Taps: features of visual tokens from inside the vision tower, beside what the language model is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rscovlm.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from rscovlm.models.qwen import VisionLanguageModel


@dataclass
class Taps:
    """Outputs of some layers of a vision tower in the last forward pass.

    Attributes:
        vision: the tower.
        layers: indices of its layers, from 0.
        outputs: (patches, width) of each layer that has run, in the tower's own order.
    """

    vision: Any
    layers: tuple[int, ...]
    outputs: dict[int, Tensor] = field(default_factory=dict)

    def features(self, grids: Tensor, layers: Sequence[int] | None = None) -> Tensor:
        """(n, width) mean over the layers and over the patches of each visual token, in the order of tokens.

        Args:
            grids: (images, 3) frames, rows and columns in patches, of the same forward pass.
            layers: indices from 0, of those that are recorded; None takes all of them.

        Raises:
            ModelError: where the tower has not run.
        """
        chosen = self.layers if layers is None else layers
        missing = [layer for layer in chosen if layer not in self.outputs]
        if missing:
            raise ModelError(f"layers {missing} of the vision tower have not run; show the model an image")
        import torch

        mean = torch.stack([self.outputs[layer] for layer in chosen]).mean(dim=0)
        merged: Tensor = mean.unflatten(0, (-1, self.vision.spatial_merge_size**2)).mean(dim=1)
        order = _token_order(self.vision, grids)
        return merged if order is None else merged[order]


TAPS = ("last", "half", "half_deep", "all")
"""REO-VLM's choices of layers: the last, every second, mostly deep ones, all."""


def tap_layers(taps: str | Sequence[int], depth: int) -> tuple[int, ...]:
    """Indices from 0 of layers of a vision tower, ascending.

    The paper does not say which layers "half" and "biased to deep" are; here the last layer is always among
    them, and of ``half_deep`` every second layer of the second half comes with every fourth of the first.

    Args:
        taps: a name of ``TAPS``, or indices, of which negative ones count from the last.
        depth: layers of the tower.

    Raises:
        ModelError: for an unknown name, or a layer that the tower does not have.
    """
    named = {
        "last": [depth - 1],
        "half": list(range(depth - 1, -1, -2)),
        "half_deep": [*range(depth - 1, depth // 2 - 1, -2), *range(depth // 2 - 1, -1, -4)],
        "all": list(range(depth)),
    }
    if isinstance(taps, str) and taps not in named:
        raise ModelError(f"taps {taps!r} are unknown; choose from {', '.join(TAPS)}, or give layers")
    layers = named[taps] if isinstance(taps, str) else list(taps)
    wrong = [layer for layer in layers if not -depth <= layer < depth]
    if wrong:
        raise ModelError(
            f"the vision tower has {depth} layers, 0 to {depth - 1}; there is no layer {wrong[0]}"
        )
    return tuple(sorted({layer % depth for layer in layers}))


@contextmanager
def tapped(model: VisionLanguageModel, layers: Sequence[int]) -> Iterator[Taps]:
    """Record the outputs of layers of the vision tower while the context is open.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL.
        layers: indices from 0; negative ones count from the last.

    Raises:
        ModelError: for a layer that the tower does not have.
    """
    vision: Any = model.model.visual
    taps = Taps(vision, tap_layers(layers, len(vision.blocks)))

    def record(layer: int) -> Any:
        def hook(module: Any, arguments: Any, output: Any) -> None:
            taps.outputs[layer] = output[0] if isinstance(output, tuple) else output

        return hook

    with ExitStack() as open_hooks:
        for layer in taps.layers:
            handle = vision.blocks[layer].register_forward_hook(record(layer))
            open_hooks.callback(handle.remove)
        yield taps


def _token_order(vision: Any, grids: Tensor) -> Tensor | None:
    """Where each visual token stands in the tower, which Qwen2.5-VL sorts by window; None where in order."""
    if not hasattr(vision, "window_size"):
        return None
    from transformers.vision_utils import get_vision_window_index

    index, _ = get_vision_window_index(
        grids,
        spatial_merge_size=vision.spatial_merge_size,
        window_size=vision.window_size,
        patch_size=vision.patch_size,
    )
    return index.argsort()
