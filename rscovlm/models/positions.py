"""M-RoPE positions of Qwen2.5-VL and Qwen3-VL from ids and grids, without a model.

Text counts up by one on all three axes. An image stands at one time, its rows and columns count from there,
and what follows goes on after its longer side. Only videos differ between the families: Qwen2.5-VL places
frames by their seconds, Qwen3-VL writes a timestamp before each frame and places it like an image.
Equal to ``get_rope_index`` of transformers 5, which needs the live model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rscovlm.models.qwen import VisionLanguageConfig


class Span(NamedTuple):
    """Consecutive placeholders of one image, or of what of a video is placed as one.

    Attributes:
        start: index of the first placeholder.
        frames, rows, columns: visual tokens along each axis.
        interval: positions in time from one frame to the next.
    """

    start: int
    frames: int
    rows: int
    columns: int
    interval: float = 1.0


@dataclass(frozen=True)
class RopeSpec:
    """How a checkpoint numbers the positions of visual tokens.

    Attributes:
        image_token_id, video_token_id: of the placeholders; None where there are none.
        merge: patches along the side of a visual token.
        tokens_per_second: positions in time per second of video; None where each frame is placed like an
            image (Qwen3-VL).
    """

    image_token_id: int
    video_token_id: int | None = None
    merge: int = 2
    tokens_per_second: float | None = None

    @classmethod
    def of_config(cls, config: VisionLanguageConfig) -> RopeSpec:
        """The spec of a Qwen2.5-VL or Qwen3-VL configuration of transformers."""
        vision = config.vision_config
        return cls(
            config.image_token_id,
            config.video_token_id,
            vision.spatial_merge_size,
            getattr(vision, "tokens_per_second", None),
        )


def mrope_positions(
    ids: NDArray[np.int64],
    grids: Sequence[Sequence[int]] | NDArray[np.int64],
    rope: RopeSpec,
    video_grids: Sequence[Sequence[int]] | NDArray[np.int64] = (),
    seconds_per_grid: Sequence[float] | None = None,
) -> NDArray[np.int64]:
    """Time, row and column of each token of one conversation.

    Args:
        ids: (length,) token ids, each image and video as many placeholders as it has visual tokens.
        grids: (images, 3) frames, rows and columns of each image in patches, in order.
        rope: how the checkpoint numbers positions.
        video_grids: (videos, 3), the same of videos.
        seconds_per_grid: (videos,) seconds from one frame of the grid to the next, 1 where None; Qwen3-VL,
            which writes times as text, has no use for it.

    Returns:
        (3, length) positions from 0.

    Raises:
        ValueError: where placeholders and grids disagree.
    """
    images = iter([Span(0, int(t), int(h) // rope.merge, int(w) // rope.merge) for t, h, w in grids])
    videos = iter(_video_parts(rope, video_grids, seconds_per_grid))
    is_image = ids == rope.image_token_id
    is_video = ids == rope.video_token_id if rope.video_token_id is not None else np.zeros_like(is_image)
    places = np.flatnonzero(is_image | is_video)
    spans, seen = [], 0
    while seen < len(places):
        start = int(places[seen])
        part = next(images if is_image[start] else videos, None)
        count = part.frames * part.rows * part.columns if part else 0
        same = ids[start : start + count] == ids[start]
        if part is None or not count or len(same) < count or not same.all():
            found = f"a grid of {count} visual tokens" if part else "no grid"
            raise ValueError(f"placeholder {seen} at token {start} has {found}; ids and grids disagree")
        spans.append(part._replace(start=start))
        seen += count
    left = len(list(images)) + len(list(videos))
    if left:
        raise ValueError(f"{left} grids have no placeholders in {len(ids)} tokens; ids and grids disagree")
    return span_positions(len(ids), spans)


def span_positions(length: int, spans: Iterable[Span]) -> NDArray[np.int64]:
    """(3, length) positions of text with visual tokens at spans, which are in order and do not overlap."""
    positions = np.empty((3, length), dtype=np.int64)
    at = following = 0
    for span in spans:
        positions[:, at : span.start] = np.arange(following, following + span.start - at)
        following += span.start - at
        at = span.start + span.frames * span.rows * span.columns
        block = positions[:, span.start : at].reshape(3, span.frames, span.rows, span.columns)
        # In single precision, as transformers does: which side of a whole number a frame falls decides.
        times = (np.arange(span.frames, dtype=np.float32) * np.float32(span.interval)).astype(np.int64)
        block[0] = following + times[:, None, None]
        block[1] = following + np.arange(span.rows)[:, None]
        block[2] = following + np.arange(span.columns)
        following += max(span.rows, span.columns)
    positions[:, at:] = np.arange(following, following + length - at)
    return positions


def _video_parts(
    rope: RopeSpec,
    grids: Sequence[Sequence[int]] | NDArray[np.int64],
    seconds_per_grid: Sequence[float] | None,
) -> list[Span]:
    """Parts of videos that are placed as one: whole videos for Qwen2.5-VL, single frames for Qwen3-VL."""
    parts = []
    seconds = [1.0] * len(grids) if seconds_per_grid is None else list(seconds_per_grid)
    for (frames, rows, columns), second in zip(grids, seconds, strict=True):
        part = Span(0, int(frames), int(rows) // rope.merge, int(columns) // rope.merge)
        if rope.tokens_per_second is None:
            parts += [part._replace(frames=1)] * part.frames
        else:
            interval = np.float32(rope.tokens_per_second) * np.float32(second)
            parts.append(part._replace(interval=float(interval)))
    return parts
