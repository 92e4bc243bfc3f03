"""Images to the patches that a Qwen vision tower takes, without an image processor.

The processors of transformers resize as well; here the image already has its final size, so what remains is
to reorder (``patchify``) and to normalise (``normalise``). Results equal ``Qwen2VLImageProcessorPil`` to
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from rscovlm.errors import ModelError
from rscovlm.models.sidecars import image_processor
from zoom_chain.chat import Pixels

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionConfig

PIXEL_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32))
"""Number types of pixels: 8 bits in units of 255, or float32 in units of their own."""


@dataclass(frozen=True)
class PatchSpec:
    """How a checkpoint wants its images.

    Attributes:
        patch: side of a patch in px.
        merge: patches along the side of a visual token.
        temporal: frames in a patch; a still image fills all of them.
        mean, standard_deviation: of each channel; of uint8 pixels in units of 255, of float32 in their own.
    """

    patch: int
    merge: int
    temporal: int
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.standard_deviation) > 0:
            raise ValueError(
                f"{len(self.mean)} means and {len(self.standard_deviation)} standard deviations; "
                "give one each per channel"
            )

    @property
    def channels(self) -> int:
        """Bands of an image."""
        return len(self.mean)

    @property
    def numbers(self) -> int:
        """Numbers of a patch as the vision tower takes it, all of its frames."""
        return self.channels * self.temporal * self.patch**2

    @property
    def factor(self) -> int:
        """Side of a visual token in px."""
        return self.patch * self.merge

    @classmethod
    def of_checkpoint(cls, folder: Path, vision_config: VisionConfig) -> PatchSpec:
        """The spec from a checkpoint's configuration and that of its image processor.

        Raises:
            ModelError: where the image processor's configuration is missing, or is for other channels.
        """
        settings = image_processor(folder)
        if settings is None:
            raise ModelError(
                f"{folder} holds neither preprocessor_config.json nor an image_processor in "
                "processor_config.json, which states how images are normalised"
            )
        # What the processors of the Qwen2-VL line fall back to: OpenAI CLIP's statistics.
        mean = settings.get("image_mean", (0.48145466, 0.4578275, 0.40821073))
        deviation = settings.get("image_std", (0.26862954, 0.26130258, 0.27577711))
        channels = vision_config.in_channels
        if not len(mean) == len(deviation) == channels:
            raise ModelError(
                f"{folder} has {len(mean)} means and {len(deviation)} standard deviations of images, "
                f"the vision tower takes {channels} channels; give one each per channel"
            )
        return cls(
            vision_config.patch_size,
            vision_config.spatial_merge_size,
            vision_config.temporal_patch_size,
            tuple(mean),
            tuple(deviation),
        )


def patchify(pixels: Pixels, spec: PatchSpec) -> Pixels:
    """The patches of one image, not normalised yet.

    Args:
        pixels: (height, width, channels) uint8 or float32, both sides multiples of ``spec.factor``.
        spec: how the checkpoint wants its images.

    Returns:
        (rows * columns, channels * patch * patch) of the pixels' own type, ordered by visual token. A still
        image's frames are alike, so one is held.

    Raises:
        ValueError: for an image that would have to be resized.
        ModelError: for bands or numbers that the checkpoint does not take.
    """
    height, width, channels = pixels.shape
    if channels != spec.channels or pixels.dtype not in PIXEL_DTYPES:
        raise ModelError(
            f"the checkpoint takes images of {spec.channels} bands, uint8 or float32; "
            f"this one has {channels} of {pixels.dtype}"
        )
    if height % spec.factor or width % spec.factor:
        raise ValueError(
            f"image of {width} x {height} px is not a multiple of {spec.factor} px on both sides; "
            "bring it to the size that the family's resolution gives"
        )
    rows, columns = height // spec.patch, width // spec.patch
    merge, patch = spec.merge, spec.patch
    blocks = pixels.reshape(rows // merge, merge, patch, columns // merge, merge, patch, channels)
    # To: token row, token column, row in token, column in token, channel, y, x.
    return blocks.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, -1)


def normalise(patches: torch.Tensor, spec: PatchSpec, out: torch.Tensor | None = None) -> torch.Tensor:
    """Normalised patches for the vision tower, on the device of the given ones.

    Bytes travel to a device, an eighth of what all frames would be as floats.

    Args:
        patches: (P, channels * patch * patch) as ``patchify`` gives them.
        spec: how the checkpoint wants its images.
        out: (P, channels * temporal * patch * patch), to be filled; None for a new one of float32.

    Returns:
        ``out``.
    """
    device = patches.device
    unit = 255 if patches.dtype == torch.uint8 else 1
    deviation = np.array(spec.standard_deviation)
    scale = torch.tensor(1 / unit / deviation, dtype=torch.float32, device=device)[:, None, None]
    shift = torch.tensor(-np.array(spec.mean) / deviation, dtype=torch.float32, device=device)[:, None, None]
    frame = patches.view(len(patches), spec.channels, 1, spec.patch**2)
    frame = frame.to(torch.float32, copy=True).mul_(scale).add_(shift)
    if out is None:
        out = torch.empty(len(patches), spec.numbers, dtype=torch.float32, device=device)
    out.view(len(patches), spec.channels, spec.temporal, spec.patch**2).copy_(frame)
    return out
