"""Models of the Qwen2.5-VL and Qwen3-VL architectures as types; transformers is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

    VisionLanguageModel: TypeAlias = Qwen2_5_VLForConditionalGeneration | Qwen3VLForConditionalGeneration
    """A model for conditional generation."""


class VisionLanguageConfig(Protocol):
    """Fields of a model's configuration that are read.

    Attributes:
        text_config, vision_config: of the two towers. A loaded configuration holds configurations here, but
            transformers declares all that it takes: dicts and None, too.
        image_token_id, video_token_id, vision_start_token_id, vision_end_token_id: special tokens.
    """

    text_config: Any
    vision_config: Any
    image_token_id: int
    video_token_id: int
    vision_start_token_id: int
    vision_end_token_id: int


class VisionConfig(Protocol):
    """Fields of the configuration of a vision tower that patches depend on.

    Attributes:
        in_channels: of images.
        patch_size: side of a patch in px.
        spatial_merge_size: patches along the side of a visual token.
        temporal_patch_size: frames in a patch.
    """

    in_channels: int
    patch_size: int
    spatial_merge_size: int
    temporal_patch_size: int
