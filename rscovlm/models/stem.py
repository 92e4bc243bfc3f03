"""A native multi-band stem: the patch embedding of a checkpoint widened from red, green and blue to B bands.

A model that was made for RGB can so see all bands in one image, in place of several pseudo-RGB images. Its
other weights stay, and so do numbers of visual tokens. How the new kernels begin:

| start | kernel of a band | what stays the same |
|---|---|---|
| ``mean`` | 3 / B of the mean of the RGB kernels | bands that are all alike give what they give as RGB |
| ``rgb`` | that of its colour; 0 for bands that are none | any image gives what its RGB bands give alone |

Both hold for normalised values; new bands are normalised by the mean of the RGB statistics.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from rscovlm.models.sidecars import OWN, image_processor, spoken_facts
from rscovlm.models.weights import read_weights

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageModel

Start = Literal["mean", "rgb"]
BANDS = "bands"
"""Entry of ``rscovlm.json``: names of the bands of an image, in order."""

COLOURS = ("B04", "B03", "B02")
"""Red, green and blue among the bands of Sentinel-2."""


def widened(weight: Tensor, bands: Sequence[str], start: Start, colours: Sequence[str] = COLOURS) -> Tensor:
    """(out, B, ...) kernels from (out, 3, ...).

    Args:
        weight: of the patch embedding.
        bands: names of B bands.
        start: see the module.
        colours: names of red, green and blue.

    Raises:
        ModelError: for kernels of other than three channels, or bands without the colours for ``rgb``.
    """
    if weight.shape[1] != len(COLOURS):
        raise ModelError(f"the patch embedding has {weight.shape[1]} bands, not 3; widen a checkpoint of RGB")
    if len(set(bands)) < len(bands) or not bands:
        raise ModelError(f"bands {', '.join(bands) or 'none'} have to be different names, one or more")
    if start == "mean":
        mean = weight.mean(dim=1, keepdim=True) * (len(COLOURS) / len(bands))
        return mean.expand(-1, len(bands), *weight.shape[2:]).clone()
    missing = [colour for colour in colours if colour not in bands]
    if missing:
        raise ModelError(f"start rgb needs the bands {', '.join(colours)}; {missing[0]} is missing")
    found = weight.new_zeros(weight.shape[0], len(bands), *weight.shape[2:])
    for place, colour in enumerate(colours):
        found[:, list(bands).index(colour)] = weight[:, place]
    return found


def widen(model: VisionLanguageModel, bands: Sequence[str], start: Start) -> None:
    """Give a model in memory the patch embedding for more bands.

    Raises:
        ModelError: as of ``widened``.
    """
    embed: Any = model.model.visual.patch_embed
    old: nn.Conv3d = embed.proj
    weight = widened(old.weight.detach(), bands, start)
    kernel, stride = old.kernel_size, old.stride
    new = nn.Conv3d(len(bands), old.out_channels, kernel, stride, bias=old.bias is not None)  # type: ignore[arg-type]
    with torch.no_grad():
        new.weight.copy_(weight)
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    embed.proj, embed.in_channels = new.to(old.weight), len(bands)
    vision: Any = model.config.vision_config
    vision.in_channels = len(bands)


def write_widened(source: Path, folder: Path, bands: Sequence[str], start: Start) -> None:
    """Write a checkpoint with a widened patch embedding: the same files, other weights and statistics.

    Args:
        source: folder of a checkpoint for RGB.
        folder: to write, which has to be new.
        bands: names.
        start: see the module.

    Raises:
        ModelError: the checkpoint cannot be read, or not be widened.
    """
    model = read_weights(source, torch.float32)
    widen(model, bands, start)
    model.save_pretrained(folder)
    for file in source.iterdir():
        kept = (
            file.is_file() and file.suffix in (".json", ".jinja", ".txt") and "safetensors" not in file.name
        )
        if kept and not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)
    settings = image_processor(source) or {}
    for name in ("image_mean", "image_std"):
        settings[name] = [sum(settings[name]) / len(settings[name])] * len(bands)
    write_json(folder / "preprocessor_config.json", settings, indent=2)
    write_json(folder / OWN, spoken_facts(source) | {BANDS: list(bands)}, indent=2)
