"""Several samples in one row of tokens that do not see each other.

What keeps them apart in transformers 5 is position ids of four rows, the first counting up from 0 in each
sample, no attention mask and no cache; FlashAttention reads cumulative lengths as well. All are given, so
one pack is right under every attention implementation. Anything less leaks without a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from rscovlm.data.example import Encoded, Key
from rscovlm.errors import DataError
from rscovlm.models.patches import PIXEL_DTYPES, PatchSpec, normalise, patchify
from zoom_chain.chat import Pixels

NOT_LEARNT = -100
"""The target of a token whose next token is not learnt."""


@dataclass(frozen=True, eq=False)
class Pack:
    """Samples as one micro-step reads them: L tokens, S samples, n images of P patches together.

    A pack without images ends in a dummy: a segment of one visual token, that of the smallest image, which
    nothing attends to and which has no target. A trainable vision tower thus takes part in every micro-step
    on every rank, with a gradient of zero, and collective operations meet their counterparts.

    Attributes:
        input_ids: (1, L) int64.
        position_ids: (4, 1, L) int64: places within the sample, then time, row and column (M-RoPE).
        cu_seqlens: (segments + 1,) int32 where segments begin and end; the dummy is one.
        max_length: tokens of the longest segment.
        targets: (1, L) int64: the next token of the same sample where it is learnt, else ``NOT_LEARNT``.
        sample: (1, L) int64 which sample of the pack a token belongs to; -1 for the dummy.
        learnt: (S,) int64 targets of each sample.
        patches: (P, channels * patch * patch) uint8 or float32, in the order of the vision tower, not
            normalised yet.
        image_grid_thw: (n, 3) int64 frames, rows and columns in patches.
        token_extras: ``Encoded.tokens`` by name, (1, L, ...), each value at its own token.
        image_extras: ``Encoded.images`` by name, (n, ...).
        sample_extras: ``Encoded.numbers`` by name, (S,) float32; NaN where a sample has none of that name.
        keys, tasks: of each sample.
        spec: how the checkpoint wants its images.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    cu_seqlens: torch.Tensor
    max_length: int
    targets: torch.Tensor
    sample: torch.Tensor
    learnt: torch.Tensor
    patches: torch.Tensor
    image_grid_thw: torch.Tensor
    token_extras: Mapping[str, torch.Tensor]
    image_extras: Mapping[str, torch.Tensor]
    sample_extras: Mapping[str, torch.Tensor]
    keys: tuple[Key, ...]
    tasks: tuple[str, ...]
    spec: PatchSpec

    @property
    def sources(self) -> tuple[str, ...]:
        """The source of each sample."""
        return tuple(key.source for key in self.keys)

    @property
    def length(self) -> int:
        """Tokens, the dummy's included."""
        return self.input_ids.shape[1]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Pack:
        """The same pack on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Pack:
        """The same pack in page-locked memory; what a DataLoader calls before a copy to an accelerator."""
        return self._each(torch.Tensor.pin_memory)

    def of_targets(self, name: str) -> torch.Tensor:
        """(1, L, ...) a token extra, moved to where its token is the target."""
        return self.token_extras[name].roll(-1, dims=1)

    def pixel_values(self) -> torch.Tensor:
        """(P, channels * temporal * patch * patch) float32, made on the pack's device."""
        return normalise(self.patches, self.spec)

    def __reduce__(self) -> tuple[Callable[..., Pack], tuple[object, ...]]:
        # Between processes each tensor is an open file, of which there may be few: only patches are worth
        # one, the rest travels as bytes.
        arrays = self._each(lambda tensor: tensor if tensor is self.patches else tensor.numpy())
        return _restored, tuple(getattr(arrays, field.name) for field in fields(self))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor | NDArray[Any]]) -> Pack:
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, torch.Tensor):
                changed[field.name] = change(value)
            elif isinstance(value, Mapping):
                changed[field.name] = {name: change(tensor) for name, tensor in value.items()}
        return replace(self, **changed)


def _restored(*values: Any) -> Pack:
    """The pack that ``Pack.__reduce__`` took apart."""

    def tensor(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: tensor(each) for name, each in value.items()}
        return torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    return Pack(*map(tensor, values))


def model_inputs(pack: Pack) -> dict[str, Any]:
    """The keyword arguments of a Qwen2.5-VL or Qwen3-VL, or of its ``model``, that keep samples apart."""
    inputs = {
        "input_ids": pack.input_ids,
        "position_ids": pack.position_ids,
        # A mask or a cache, even an empty one, turns the detection of packed sequences off.
        "attention_mask": None,
        "use_cache": False,
        "cu_seq_lens_q": pack.cu_seqlens,
        "cu_seq_lens_k": pack.cu_seqlens,
        "max_length_q": pack.max_length,
        "max_length_k": pack.max_length,
    }
    if len(pack.image_grid_thw):
        inputs |= {"pixel_values": pack.pixel_values(), "image_grid_thw": pack.image_grid_thw}
    return inputs


def collate(
    examples: Sequence[Encoded],
    spec: PatchSpec,
    image_token_id: int,
    patches: Sequence[Sequence[Pixels]] | None = None,
    dummy: bool = True,
) -> Pack:
    """Put examples into one pack, in order.

    Args:
        examples: of any number; none gives the dummy alone.
        spec: how the checkpoint wants its images.
        image_token_id: of the placeholder that stands for a visual token.
        patches: those of the pictures of each example (``read_patches``), where they have been read already.
        dummy: whether a pack without images gets a dummy; needed where the vision tower is trained.

    Raises:
        DataError: 8-bit pictures and others are mixed.
        DataError, SceneError, OSError: a picture cannot be read.
    """
    if patches is None:
        patches = [read_patches(example, spec) for example in examples]
    images: list[Pixels] = [image for each in patches for image in each]
    if len({image.dtype for image in images}) > 1:
        raise DataError("uint8 and float32 pictures cannot share a pack; read all of a mix alike")
    grids = [example.grids.reshape(-1, 3) for example in examples]
    ids = [example.ids for example in examples]
    targets = [shifted_targets(example.ids, example.learnt) for example in examples]
    learnt = [int((target != NOT_LEARNT).sum()) for target in targets]
    places = [np.concatenate([np.arange(len(e.ids))[None], e.positions]) for e in examples]
    owners = [np.full(len(example.ids), index) for index, example in enumerate(examples)]
    has_dummy = dummy and not images
    if has_dummy:
        ids.append(np.array([image_token_id]))
        targets.append(np.array([NOT_LEARNT]))
        places.append(np.zeros((4, 1), dtype=np.int64))
        owners.append(np.array([-1]))
        grids.append(np.array([[1, spec.merge, spec.merge]]))
        images.append(np.zeros((spec.merge**2, spec.channels * spec.patch**2), dtype=np.uint8))
    lengths = [len(part) for part in ids]
    return Pack(
        input_ids=_row(ids),
        position_ids=torch.from_numpy(_joined(places, np.int64, axis=1, empty=(4, 0)))[:, None],
        cu_seqlens=torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32),
        max_length=max(lengths, default=0),
        targets=_row(targets),
        sample=_row(owners),
        learnt=torch.tensor(learnt, dtype=torch.int64),
        patches=torch.from_numpy(
            _joined(images, images[0].dtype if images else np.uint8, empty=(0, spec.channels * spec.patch**2))
        ),
        image_grid_thw=torch.from_numpy(_joined(grids, np.int64, empty=(0, 3))),
        token_extras={name: value[None] for name, value in _extras(examples, "tokens", has_dummy).items()},
        image_extras=_extras(examples, "images", has_dummy),
        sample_extras=_numbers(examples),
        keys=tuple(example.key for example in examples),
        tasks=tuple(example.task for example in examples),
        spec=spec,
    )


def empty_pack(spec: PatchSpec, image_token_id: int) -> Pack:
    """A pack of the dummy alone, for a rank that has fewer packs in a step than others."""
    return collate([], spec, image_token_id)


def shifted_targets(ids: NDArray[np.int64], learnt: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(length,) what each token should be followed by, where that is learnt; never past the sample's end."""
    targets = np.full(len(ids), NOT_LEARNT, dtype=np.int64)
    targets[:-1][learnt[1:]] = ids[1:][learnt[1:]]
    return targets


def read_patches(example: Encoded, spec: PatchSpec) -> list[Pixels]:
    """The patches of each picture of an example, as ``patchify`` gives them.

    Raises:
        DataError: a picture has another size, or other bands, than its grid and the checkpoint say.
        DataError, SceneError, OSError: a picture cannot be read.
    """
    patches = []
    for picture, (_, rows, columns) in zip(example.pictures, example.grids.tolist(), strict=True):
        pixels = picture.read()
        expected = (rows * spec.patch, columns * spec.patch, spec.channels)
        if pixels.shape != expected or pixels.dtype not in PIXEL_DTYPES:
            key = example.key
            raise DataError(
                f"{key.source} {key.index}: a picture was read as {pixels.dtype} {pixels.shape}, "
                f"its header and the checkpoint want uint8 or float32 {expected}"
            )
        patches.append(patchify(pixels, spec))
    return patches


def segments(pack: Pack) -> list[slice]:
    """The tokens of each segment, the dummy's included."""
    return [slice(start, end) for start, end in pairwise(pack.cu_seqlens.tolist())]


def _row(parts: list[NDArray[np.int64]]) -> torch.Tensor:
    return torch.from_numpy(_joined(parts, np.int64, empty=(0,)))[None]


def _joined(
    parts: Sequence[NDArray[np.generic]], dtype: DTypeLike, axis: int = 0, empty: tuple[int, ...] = (0,)
) -> NDArray[Any]:
    return np.concatenate(parts, axis=axis, dtype=dtype) if parts else np.empty(empty, dtype)


def _extras(examples: Sequence[Encoded], kind: str, has_dummy: bool) -> dict[str, torch.Tensor]:
    """Arrays of all examples by name; zeros where an example has none of that name, and for the dummy."""
    found: dict[str, NDArray[np.generic]] = {}
    for example in examples:
        for name, value in getattr(example, kind).items():
            found.setdefault(name, value)
    counts = [len(example.ids) if kind == "tokens" else len(example.grids) for example in examples]
    joined = {}
    for name, model in found.items():
        parts = [
            getattr(example, kind).get(name, np.zeros((count, *model.shape[1:]), model.dtype))
            for example, count in zip(examples, counts, strict=True)
        ]
        if has_dummy:
            parts.append(np.zeros((1, *model.shape[1:]), model.dtype))
        joined[name] = torch.from_numpy(np.concatenate(parts))
    return joined


def _numbers(examples: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    names = dict.fromkeys(name for example in examples for name in example.numbers)
    return {
        name: torch.tensor([example.numbers.get(name, np.nan) for example in examples], dtype=torch.float32)
        for name in names
    }
