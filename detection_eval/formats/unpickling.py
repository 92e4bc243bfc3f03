"""Pickles of plain values, numpy arrays and torch tensors, read without ``pickle`` and without torch.

A pickle is a program for a small stack machine, and with Python's ``pickle`` it may call anything. That of
``pickle_machine`` knows values and containers, and the few constructors below, which build numpy arrays out
of bytes; a pickle that names anything else is refused by that name before anything is made of it. Memory is
bounded by the size of the file: repeated use of one value cannot blow it up.

Tensors are as torch writes them inside a pickle: ``torch._utils._rebuild_tensor_v2`` of a storage, whose
bytes are a torch file of the kind before 1.6 (a few small pickles, then the raw numbers).
"""

from __future__ import annotations

import re
import struct
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.errors import FormatError
from detection_eval.formats.pickle_machine import Allowance, Machine, Named, Refused, Vocabulary, expect

EXPANSION = 64
"""Most bytes that may be made of a file, as a multiple of its size."""

LEAST_ALLOWANCE = 1 << 22
"""Bytes that may be made of any file."""

_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|[US][1-9]\d{0,3}")
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PROTOCOL = 1001
_STORAGES = {
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "BFloat16": "bf16",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "b1",
}


def load_pickle(data: bytes, name: str) -> Any:
    """The value of a pickle; torch tensors become numpy arrays.

    Args:
        data: the pickle.
        name: file name, for error messages.

    Raises:
        FormatError: the pickle is damaged, or asks for something else than values, arrays and tensors.
    """
    if data.startswith(b"PK\x03\x04"):
        raise FormatError(
            f"{name}: a zip archive, as of torch.save, and no pickle; give the results.pkl of MMRotate"
        )
    allowance = Allowance(max(EXPANSION * len(data), LEAST_ALLOWANCE))
    value, _ = Machine(data, name, allowance, _RESULTS).run(0)
    return value


class _Marked(NamedTuple):
    """A dtype under construction: the state that follows sets its byte order."""

    dtype: list[np.dtype]


class _Storage(NamedTuple):
    """Torch's flat memory of one tensor or several."""

    kind: str
    numbers: NDArray[Any]


class _PendingStorage(NamedTuple):
    """A storage whose numbers follow after the pickle that names it."""

    kind: str
    key: str
    numel: int


def _shape(value: Any) -> tuple[int, ...]:
    shape = (value,) if isinstance(value, int) else value
    good = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    expect(good, "has an array without a proper shape")
    return shape


# --- constructors ---------------------------------------------------------------------------------


def _encode(allowance: Allowance, arguments: tuple[Any, ...]) -> bytes:
    text, codec = arguments
    expect(type(text) is str and codec in ("latin1", "latin-1"), "encodes text otherwise than as latin1")
    allowance.spend(len(text))
    return str(text).encode("latin1")


def _bytes(allowance: Allowance, arguments: tuple[Any, ...]) -> bytes:
    source = arguments[0] if arguments else b""
    expect(len(arguments) < 2 and type(source) is bytes, "makes bytes of something else")
    return source


def _ordered(allowance: Allowance, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = arguments[0] if arguments else []
    expect(len(arguments) < 2 and type(pairs) in (list, tuple), "makes a dict of something else than pairs")
    allowance.spend(16 * len(pairs))
    return {key: value for key, value in pairs}  # noqa: C416 - dict() would call methods of odd values


def _size(allowance: Allowance, arguments: tuple[Any, ...]) -> tuple[int, ...]:
    (sides,) = arguments
    return _shape(tuple(sides) if type(sides) is list else sides)


def _dtype(allowance: Allowance, arguments: tuple[Any, ...]) -> _Marked:
    code = arguments[0]
    expect(type(code) is str and _DTYPE.fullmatch(code) is not None, f"has an array of dtype {code!r:.40}")
    return _Marked([np.dtype(code)])


def _empty_array(allowance: Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    kind = arguments[0]
    expect(isinstance(kind, Named) and kind.name == "numpy.ndarray", "has an array of an unknown kind")
    return np.zeros(0)


def _array(allowance: Allowance, dtype: Any, raw: Any, shape: Any, fortran: bool) -> NDArray[Any]:
    expect(type(dtype) is _Marked and type(raw) is bytes, "has a malformed array")
    sides = _shape(shape)
    size = prod(sides) * dtype.dtype[0].itemsize
    if size != len(raw):
        raise Refused(f"has an array of shape {sides} with {len(raw)} bytes of {size}")
    allowance.spend(size)
    flat = np.frombuffer(raw, dtype.dtype[0]) if size else np.zeros(prod(sides), dtype.dtype[0])
    return flat.reshape(sides, order="F" if fortran else "C")


def _from_buffer(allowance: Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    raw, dtype, shape, order = arguments
    return _array(allowance, dtype, raw, shape, order == "F")


def _scalar(allowance: Allowance, arguments: tuple[Any, ...]) -> Any:
    dtype, raw = arguments
    return _array(allowance, dtype, raw, (), False).item()


def _tensor(allowance: Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    storage, offset, size, stride = arguments[:4]
    expect(isinstance(storage, _Storage), "has a tensor without a storage")
    sides, steps = _shape(size), _shape(stride)
    expect(type(offset) is int and offset >= 0 and len(sides) == len(steps), "has a malformed tensor")
    last = offset + sum((side - 1) * step for side, step in zip(sides, steps))
    numbers = storage.numbers
    if prod(sides) == 0:
        return np.zeros(sides, numbers.dtype)
    if last >= len(numbers):
        raise Refused(f"has a tensor that reaches beyond its {len(numbers)} numbers")
    allowance.spend(prod(sides) * numbers.itemsize)
    strides = [step * numbers.itemsize for step in steps]
    values = np.lib.stride_tricks.as_strided(numbers[offset:], sides, strides, writeable=False)
    return _as_float32(values) if storage.kind == "bf16" else np.ascontiguousarray(values).reshape(sides)


def _as_float32(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Numbers of bfloat16, which numpy lacks: the upper halves of float32."""
    return (values.astype(np.uint32) << 16).view(np.float32)


def _storage(allowance: Allowance, arguments: tuple[Any, ...]) -> _Storage:
    """``torch.storage._load_from_bytes``: a file of torch's old kind that holds one storage."""
    (blob,) = arguments
    expect(type(blob) is bytes, "has a storage that is not made of bytes")
    position = _torch_head(blob, allowance)
    pending, position = Machine(blob, "", allowance, _STORAGE).run(position)
    keys, position = Machine(blob, "", allowance, _RESULTS).run(position)
    expect(isinstance(pending, _PendingStorage) and keys == [pending.key], "has a malformed storage")
    (count,) = struct.unpack_from("<q", blob, position)
    code = "u2" if pending.kind == "bf16" else pending.kind
    itemsize = np.dtype(code).itemsize
    if count != pending.numel or len(blob) - position - 8 != count * itemsize:
        raise Refused(f"has a storage of {count} numbers with {len(blob) - position - 8} bytes")
    return _Storage(pending.kind, np.frombuffer(blob, f"<{code}", count, position + 8))


def _torch_head(blob: bytes, allowance: Allowance) -> int:
    """Offset of the storage's own pickle: after the magic number, the version and the machine's traits."""
    if allowance.head and blob.startswith(allowance.head):
        return len(allowance.head)
    magic, position = Machine(blob, "", allowance, _RESULTS).run(0)
    version, position = Machine(blob, "", allowance, _RESULTS).run(position)
    traits, position = Machine(blob, "", allowance, _RESULTS).run(position)
    expect(magic == _TORCH_MAGIC and version == _TORCH_PROTOCOL, "has a storage of an unknown version")
    expect(type(traits) is dict and traits.get("little_endian") is True, "is of a big-endian machine")
    allowance.head = blob[:position]
    return position


_ALLOWED: dict[str, Named] = {
    named.name: named
    for named in (
        Named("_codecs.encode", _encode),
        Named("__builtin__.bytes", _bytes),
        Named("builtins.bytes", _bytes),
        Named("__builtin__.bytearray", _bytes),
        Named("builtins.bytearray", _bytes),
        Named("collections.OrderedDict", _ordered),
        Named("numpy.ndarray"),
        Named("numpy.dtype", _dtype),
        *(
            Named(f"numpy.{core}.{name}", build)
            for core in ("core", "_core")
            for name, build in (
                ("multiarray._reconstruct", _empty_array),
                ("multiarray.scalar", _scalar),
                ("numeric._frombuffer", _from_buffer),
            )
        ),
        Named("torch.Size", _size),
        Named("torch._utils._rebuild_tensor", _tensor),
        Named("torch._utils._rebuild_tensor_v2", _tensor),
        Named("torch.storage._load_from_bytes", _storage),
    )
}
_STORAGE_NAMES = {f"torch.{name}Storage": code for name, code in _STORAGES.items()}


def _set_state(allowance: Allowance, target: Any, state: Any) -> None:
    """State of an array or a dtype; nothing else has one."""
    if type(target) is _Marked:
        order = state[1]
        expect(order in ("<", ">", "|", "="), f"has a dtype of byte order {order!r:.20}")
        target.dtype[0] = target.dtype[0].newbyteorder(order)
    elif type(target) is np.ndarray and not target.size:
        _, shape, dtype, fortran, raw = state
        array = _array(allowance, dtype, raw, shape, fortran)
        target.__setstate__((1, array.shape, array.dtype, fortran is True, raw))  # type: ignore[arg-type]
    else:
        raise Refused(f"sets the state of a {type(target).__name__}")


def _refer_to_nothing(identity: Any) -> Any:
    raise Refused("refers to an object outside of itself")


def _refer_to_storage(identity: Any) -> _PendingStorage:
    """("storage", its class, key, device, count, None)."""
    tag, kind, key, _, count, view = identity
    named = isinstance(kind, Named) and kind.name in _STORAGE_NAMES
    expect(tag == "storage" and named and view is None and type(key) is str, "has a malformed storage")
    expect(type(count) is int and count >= 0, "has a storage without a size")
    return _PendingStorage(_STORAGE_NAMES[kind.name], key, count)


_RESULTS = Vocabulary(_ALLOWED, _set_state, _refer_to_nothing)
_STORAGE = Vocabulary(
    _ALLOWED | {name: Named(name) for name in _STORAGE_NAMES}, _set_state, _refer_to_storage
)
