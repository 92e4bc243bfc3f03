"""Images to the patches that a Qwen vision tower takes, without an image processor.

The processors of transformers resize as well; here the image already has its final size, so what remains is
to normalise and to reorder. Results equal ``Qwen2VLImageProcessorPil`` to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rscovlm.errors import ModelError
from rscovlm.models.sidecars import image_processor


@dataclass(frozen=True)
class PatchSpec:
    """How a checkpoint wants its images.

    Attributes:
        patch: side of a patch in px.
        merge: patches along the side of a visual token.
        temporal: frames in a patch; a still image fills all of them.
        mean, standard_deviation: of each colour, in units of 255.
    """

    patch: int
    merge: int
    temporal: int
    mean: tuple[float, float, float]
    standard_deviation: tuple[float, float, float]

    @property
    def factor(self) -> int:
        """Side of a visual token in px."""
        return self.patch * self.merge

    @classmethod
    def of_checkpoint(cls, folder: Path, vision_config) -> PatchSpec:
        """The spec from a checkpoint's configuration and that of its image processor.

        Raises:
            ModelError: where the image processor's configuration is missing.
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
        return cls(
            vision_config.patch_size,
            vision_config.spatial_merge_size,
            vision_config.temporal_patch_size,
            tuple(mean),
            tuple(deviation),
        )


def image_patches(
    pixels: NDArray[np.uint8], spec: PatchSpec
) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    """Patches of one image and the grid that they form.

    Args:
        pixels: (height, width, 3), both sides multiples of ``spec.factor``.
        spec: how the checkpoint wants its images.

    Returns:
        Patches (rows * columns, 3 * temporal * patch * patch), ordered by visual token, and the grid
        (1, rows, columns) in patches.

    Raises:
        ValueError: for an image that would have to be resized.
    """
    height, width, _ = pixels.shape
    if height % spec.factor or width % spec.factor:
        raise ValueError(
            f"image of {width} x {height} px is not a multiple of {spec.factor} px on both sides; "
            "bring it to the size that the family's resolution gives"
        )
    scale = (1 / 255 / np.array(spec.standard_deviation)).astype(np.float32)
    shift = (-np.array(spec.mean) / np.array(spec.standard_deviation)).astype(np.float32)
    rows, columns = height // spec.patch, width // spec.patch
    blocks = (pixels * scale + shift).reshape(
        rows // spec.merge, spec.merge, spec.patch, columns // spec.merge, spec.merge, spec.patch, 3
    )
    # To: token row, token column, row in token, column in token, colour, y, x.
    patches = blocks.transpose(0, 3, 1, 4, 6, 2, 5)
    frames = np.repeat(patches[..., None, :, :], spec.temporal, axis=5)
    return frames.reshape(rows * columns, -1), (1, rows, columns)
