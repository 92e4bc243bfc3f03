"""Pickles as MMRotate writes them, made without torch: for its own tools to read, and for tests.

Only what results are made of is written: None, booleans, integers, floats, text, lists, tuples, dicts with
text for keys, and numpy arrays, which become numpy arrays or torch tensors of the reader. Protocol 3.
"""

from __future__ import annotations

import pickle
import struct
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STORAGES = {"f4": "Float", "f8": "Double", "i8": "Long", "i4": "Int", "u1": "Byte", "b1": "Bool"}
_TORCH_HEAD = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number
    b"\x80\x02M\xe9\x03."  # version 1001
    + pickle.dumps(
        {
            "protocol_version": 1001,
            "little_endian": True,
            "type_sizes": {"short": 2, "int": 4, "long": 4},
        },
        2,
    )
)


def dump_pickle(value: Any, *, tensors: bool) -> bytes:
    """The pickle of a value.

    Args:
        value: see the module.
        tensors: numpy arrays become torch tensors, which only a Python with torch can load.

    Raises:
        TypeError: for a kind of value that results are not made of.
    """
    out = BytesIO()
    out.write(b"\x80\x03")
    _put(out, value, tensors)
    out.write(b".")
    return out.getvalue()


def _put(out: BytesIO, value: Any, tensors: bool) -> None:
    if value is None or isinstance(value, bool):
        out.write({None: b"N", True: b"\x88", False: b"\x89"}[value])
    elif isinstance(value, int) and -(2**31) <= value < 2**31:
        out.write(b"J" + struct.pack("<i", value))
    elif isinstance(value, float):
        out.write(b"G" + struct.pack(">d", value))
    elif isinstance(value, str):
        text = value.encode("utf-8")
        out.write(b"X" + struct.pack("<I", len(text)) + text)
    elif isinstance(value, bytes):
        out.write(b"B" + struct.pack("<I", len(value)) + value)
    elif isinstance(value, np.ndarray):
        (_put_tensor if tensors else _put_array)(out, np.ascontiguousarray(value))
    elif isinstance(value, dict):
        _put_items(out, b"}", [item for pair in value.items() for item in pair], b"u", tensors)
    elif isinstance(value, list):
        _put_items(out, b"]", value, b"e", tensors)
    elif isinstance(value, tuple):
        _put_items(out, b"", value, b"t", tensors)
    else:
        raise TypeError(f"results are not made of values such as a {type(value).__name__}")


def _put_items(
    out: BytesIO, start: bytes, items: list[Any] | tuple[Any, ...], stop: bytes, tensors: bool
) -> None:
    out.write(start + b"(")
    for item in items:
        _put(out, item, tensors)
    out.write(stop)


def _put_call(out: BytesIO, module: str, name: str, *arguments: Any) -> None:
    out.write(f"c{module}\n{name}\n".encode())
    _put(out, arguments, False)
    out.write(b"R")


def _put_array(out: BytesIO, array: NDArray[Any]) -> None:
    """``numpy.core``, since numpy 1 and 2 both know it."""
    little = array.astype(array.dtype.newbyteorder("<"))
    out.write(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01")
    _put(out, array.shape, False)
    _put_call(out, "numpy", "dtype", array.dtype.str[1:], False, True)
    _put(out, (3, "<", None, None, None, -1, -1, 0), False)
    out.write(b"b\x89")
    _put(out, little.tobytes(), False)
    out.write(b"tb")


def _put_tensor(out: BytesIO, array: NDArray[Any]) -> None:
    """As ``torch.Tensor`` reduces itself: a storage, an offset, the shape and strides in numbers."""
    strides = tuple(prod(array.shape[axis + 1 :]) for axis in range(array.ndim))
    out.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
    _put_call(out, "torch.storage", "_load_from_bytes", _storage(array))
    out.write(b"K\x00")
    _put(out, array.shape, False)
    _put(out, strides, False)
    out.write(b"\x89ccollections\nOrderedDict\n)RtR")


def _storage(array: NDArray[Any]) -> bytes:
    """One storage in torch's file format from before 1.6, with its place in the file as its key."""
    name = _STORAGES[array.dtype.str[1:]]
    head = BytesIO()
    head.write(b"\x80\x02(")
    _put(head, "storage", False)
    head.write(f"ctorch\n{name}Storage\n".encode())
    for part in ("0", "cpu", array.size, None):
        _put(head, part, False)
    numbers = array.astype(array.dtype.newbyteorder("<")).tobytes()
    keys = b"\x80\x02](X\x01\x00\x00\x000e."
    return _TORCH_HEAD + head.getvalue() + b"tQ." + keys + struct.pack("<q", array.size) + numbers
