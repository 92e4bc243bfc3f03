"""Pickles of plain values, numpy arrays and torch tensors, read without ``pickle`` and without torch.

A pickle is a program for a small stack machine, and with Python's ``pickle`` it may call anything. The
machine here knows values, containers and the few constructors below, which build numpy arrays out of bytes; a
pickle that names anything else is refused by that name before anything is made of it. Memory is bounded by
the size of the file: repeated use of one value cannot blow it up.

The instructions are those of ``pickletools`` (protocols 0 to 5). Tensors are as torch writes them inside a
pickle: ``torch._utils._rebuild_tensor_v2`` of a storage, whose bytes are a torch file of the kind before 1.6
(a few small pickles, then the raw numbers).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection_eval.formats.lines import FormatError

EXPANSION = 64
"""What is made of a file may be this many times its size."""

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
        name: of the file, for errors.

    Raises:
        FormatError: the pickle is damaged, or asks for something else than values, arrays and tensors.
    """
    if data.startswith(b"PK\x03\x04"):
        raise FormatError(
            f"{name}: a zip archive, as of torch.save, and no pickle; give the results.pkl of MMRotate"
        )
    allowance = _Allowance(max(EXPANSION * len(data), LEAST_ALLOWANCE))
    value, _ = _Machine(data, name, allowance).run(0)
    return value


class _Refused(Exception):
    """The pickle asks for something that is not allowed; the message says what."""


@dataclass
class _Allowance:
    """How many bytes constructors may still make, and the head of a torch file that was found in order."""

    left: int
    torch_head: bytes = b""

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _Refused("makes far more of its bytes than a file of results needs")


class _Named(NamedTuple):
    """A global that a pickle may name; ``build`` makes a value of the arguments it is called with."""

    name: str
    build: Callable[[_Allowance, tuple[Any, ...]], Any] | None = None


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


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise _Refused(what)


def _shape(value: Any) -> tuple[int, ...]:
    shape = (value,) if isinstance(value, int) else value
    good = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    _expect(good, "has an array without a proper shape")
    return shape


# --- constructors ---------------------------------------------------------------------------------


def _encode(allowance: _Allowance, arguments: tuple[Any, ...]) -> bytes:
    text, codec = arguments
    _expect(type(text) is str and codec in ("latin1", "latin-1"), "encodes text otherwise than as latin1")
    allowance.spend(len(text))
    return text.encode("latin1")


def _bytes(allowance: _Allowance, arguments: tuple[Any, ...]) -> bytes:
    source = arguments[0] if arguments else b""
    _expect(len(arguments) < 2 and type(source) is bytes, "makes bytes of something else")
    return source


def _ordered(allowance: _Allowance, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = arguments[0] if arguments else []
    _expect(len(arguments) < 2 and type(pairs) in (list, tuple), "makes a dict of something else than pairs")
    allowance.spend(16 * len(pairs))
    return {key: value for key, value in pairs}  # noqa: C416 - dict() would call methods of odd values


def _size(allowance: _Allowance, arguments: tuple[Any, ...]) -> tuple[int, ...]:
    (sides,) = arguments
    return _shape(tuple(sides) if type(sides) is list else sides)


def _dtype(allowance: _Allowance, arguments: tuple[Any, ...]) -> _Marked:
    code = arguments[0]
    _expect(type(code) is str and _DTYPE.fullmatch(code) is not None, f"has an array of dtype {code!r:.40}")
    return _Marked([np.dtype(code)])


def _empty_array(allowance: _Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    kind = arguments[0]
    _expect(isinstance(kind, _Named) and kind.name == "numpy.ndarray", "has an array of an unknown kind")
    return np.zeros(0)


def _array(allowance: _Allowance, dtype: Any, raw: Any, shape: Any, fortran: bool) -> NDArray[Any]:
    _expect(type(dtype) is _Marked and type(raw) is bytes, "has a malformed array")
    sides = _shape(shape)
    size = prod(sides) * dtype.dtype[0].itemsize
    if size != len(raw):
        raise _Refused(f"has an array of shape {sides} with {len(raw)} bytes of {size}")
    allowance.spend(size)
    flat = np.frombuffer(raw, dtype.dtype[0]) if size else np.zeros(prod(sides), dtype.dtype[0])
    return flat.reshape(sides, order="F" if fortran else "C")


def _from_buffer(allowance: _Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    raw, dtype, shape, order = arguments
    return _array(allowance, dtype, raw, shape, order == "F")


def _scalar(allowance: _Allowance, arguments: tuple[Any, ...]) -> Any:
    dtype, raw = arguments
    return _array(allowance, dtype, raw, (), False).item()


def _tensor(allowance: _Allowance, arguments: tuple[Any, ...]) -> NDArray[Any]:
    storage, offset, size, stride = arguments[:4]
    _expect(isinstance(storage, _Storage), "has a tensor without a storage")
    sides, steps = _shape(size), _shape(stride)
    _expect(type(offset) is int and offset >= 0 and len(sides) == len(steps), "has a malformed tensor")
    last = offset + sum((side - 1) * step for side, step in zip(sides, steps))
    numbers = storage.numbers
    if prod(sides) == 0:
        return np.zeros(sides, numbers.dtype)
    if last >= len(numbers):
        raise _Refused(f"has a tensor that reaches beyond its {len(numbers)} numbers")
    allowance.spend(prod(sides) * numbers.itemsize)
    strides = [step * numbers.itemsize for step in steps]
    values = np.lib.stride_tricks.as_strided(numbers[offset:], sides, strides, writeable=False)
    return _as_float32(values) if storage.kind == "bf16" else np.ascontiguousarray(values).reshape(sides)


def _as_float32(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Numbers of bfloat16, which numpy lacks: the upper halves of float32."""
    return (values.astype(np.uint32) << 16).view(np.float32)


def _storage(allowance: _Allowance, arguments: tuple[Any, ...]) -> _Storage:
    """``torch.storage._load_from_bytes``: a file of torch's old kind that holds one storage."""
    (blob,) = arguments
    _expect(type(blob) is bytes, "has a storage that is not made of bytes")
    position = _torch_head(blob, allowance)
    pending, position = _Machine(blob, "", allowance, storages=True).run(position)
    keys, position = _Machine(blob, "", allowance).run(position)
    _expect(isinstance(pending, _PendingStorage) and keys == [pending.key], "has a malformed storage")
    (count,) = struct.unpack_from("<q", blob, position)
    code = "u2" if pending.kind == "bf16" else pending.kind
    itemsize = np.dtype(code).itemsize
    if count != pending.numel or len(blob) - position - 8 != count * itemsize:
        raise _Refused(f"has a storage of {count} numbers with {len(blob) - position - 8} bytes")
    return _Storage(pending.kind, np.frombuffer(blob, f"<{code}", count, position + 8))


def _torch_head(blob: bytes, allowance: _Allowance) -> int:
    """Where the storage's own pickle starts: after the magic number, the version and the machine's traits."""
    if allowance.torch_head and blob.startswith(allowance.torch_head):
        return len(allowance.torch_head)
    magic, position = _Machine(blob, "", allowance).run(0)
    version, position = _Machine(blob, "", allowance).run(position)
    traits, position = _Machine(blob, "", allowance).run(position)
    _expect(magic == _TORCH_MAGIC and version == _TORCH_PROTOCOL, "has a storage of an unknown version")
    _expect(type(traits) is dict and traits.get("little_endian") is True, "is of a big-endian machine")
    allowance.torch_head = blob[:position]
    return position


_ALLOWED: dict[str, _Named] = {
    named.name: named
    for named in (
        _Named("_codecs.encode", _encode),
        _Named("__builtin__.bytes", _bytes),
        _Named("builtins.bytes", _bytes),
        _Named("__builtin__.bytearray", _bytes),
        _Named("builtins.bytearray", _bytes),
        _Named("collections.OrderedDict", _ordered),
        _Named("numpy.ndarray"),
        _Named("numpy.dtype", _dtype),
        *(
            _Named(f"numpy.{core}.{name}", build)
            for core in ("core", "_core")
            for name, build in (
                ("multiarray._reconstruct", _empty_array),
                ("multiarray.scalar", _scalar),
                ("numeric._frombuffer", _from_buffer),
            )
        ),
        _Named("torch.Size", _size),
        _Named("torch._utils._rebuild_tensor", _tensor),
        _Named("torch._utils._rebuild_tensor_v2", _tensor),
        _Named("torch.storage._load_from_bytes", _storage),
    )
}
_STORAGE_NAMES = {f"torch.{name}Storage": code for name, code in _STORAGES.items()}


# --- the machine ----------------------------------------------------------------------------------

_MARK = object()


@dataclass
class _Machine:
    """One run over one pickle."""

    data: bytes
    name: str
    allowance: _Allowance
    storages: bool = False
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, position: int) -> tuple[Any, int]:
        """The value, and the position behind the pickle.

        Raises:
            FormatError: of the outermost machine, with the byte at which it stopped.
        """
        self.position = start = position
        data, handlers = self.data, _HANDLERS
        try:
            while (code := data[self.position]) != 0x2E:  # STOP
                start = self.position
                self.position = start + 1
                handler = handlers[code]
                if handler is None:
                    raise _Refused(f"uses the instruction {bytes([code])!r}, which results do not need")
                handler(self)
            value = self.stack.pop()
        except _Refused as refusal:
            raise self._error(f"the pickle {refusal}", start, refusal) from None
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
            raise self._error("no pickle, or a damaged one", start, error) from None
        return value, self.position + 1

    def _error(self, what: str, start: int, cause: Exception) -> Exception:
        """Inside a storage the outer machine tells where; the outermost one names the file."""
        if not self.name:
            return cause if isinstance(cause, _Refused) else _Refused("has a damaged storage")
        loads = "only plain values, numpy arrays and torch tensors are loaded"
        return FormatError(f"{self.name}: byte {start}: {what}; {loads}")

    def take(self, count: int) -> bytes:
        start = self.position
        self.position = stop = start + count
        if count < 0 or stop > len(self.data):
            raise ValueError("cut off")
        return self.data[start:stop]

    def line(self) -> bytes:
        stop = self.data.index(b"\n", self.position)
        line = self.data[self.position : stop]
        self.position = stop + 1
        return line

    def popped(self) -> list[Any]:
        """What lies above the last mark."""
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def find(self, module: str, name: str) -> None:
        """Push the global of a name, if it is one of those allowed."""
        full = f"{module}.{name}"
        found: Any = _ALLOWED.get(full)
        if found is None and self.storages and full in _STORAGE_NAMES:
            found = _Named(full)
        if found is None:
            raise _Refused(f"asks for {full[:120]}")
        self.stack.append(found)

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Named) or called.build is None or type(arguments) is not tuple:
            raise _Refused(f"calls {called.name if isinstance(called, _Named) else type(called).__name__}")
        self.stack.append(called.build(self.allowance, arguments))

    def build(self) -> None:
        """Set the state of an array or a dtype; nothing else has one."""
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is _Marked:
            order = state[1]
            _expect(order in ("<", ">", "|", "="), f"has a dtype of byte order {order!r:.20}")
            target.dtype[0] = target.dtype[0].newbyteorder(order)
        elif type(target) is np.ndarray and not target.size:
            _, shape, dtype, fortran, raw = state
            array = _array(self.allowance, dtype, raw, shape, fortran)
            state = (1, array.shape, array.dtype, fortran is True, raw)
            target.__setstate__(state)  # type: ignore[arg-type]
        else:
            raise _Refused(f"sets the state of a {type(target).__name__}")

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise _Refused(f"appends to a {type(target).__name__}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise _Refused(f"sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            _expect(type(key) in (str, int, float, bool, type(None), bytes), "has a dict with odd keys")
            target[key] = value

    def persistent(self) -> None:
        """Inside a torch file: ("storage", its class, key, device, count, None)."""
        _expect(self.storages, "refers to an object outside of itself")
        tag, kind, key, _, count, view = self.stack.pop()
        named = isinstance(kind, _Named) and kind.name in _STORAGE_NAMES
        _expect(tag == "storage" and named and view is None and type(key) is str, "has a malformed storage")
        _expect(type(count) is int and count >= 0, "has a storage without a size")
        self.stack.append(_PendingStorage(_STORAGE_NAMES[kind.name], key, count))


def _text_global(machine: _Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.find(module.decode(), name.decode())


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    _expect(type(name) is str and type(module) is str, "names a global by something else than text")
    machine.find(module, name)


def _pop(machine: _Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.stack.pop()


def _dict_of_items(machine: _Machine) -> None:
    items = machine.popped()
    machine.stack.append({})
    machine.set_items(items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _push_tuple(count: int) -> Callable[[_Machine], None]:
    def push(machine: _Machine) -> None:
        if len(machine.stack) < count:
            raise IndexError
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return push


def _text_int(machine: _Machine) -> None:
    line = machine.line()
    _expect(len(line) < 400, "has a number without end")
    machine.stack.append(line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L")))


def _sized(width: str, wrap: Callable[[bytes], Any]) -> Callable[[_Machine], None]:
    """Push what follows a length of some width."""
    length = struct.Struct(width)
    size = length.size

    def push(machine: _Machine) -> None:
        data, start = machine.data, machine.position + size
        (count,) = length.unpack_from(data, machine.position)
        machine.position = stop = start + count
        if count < 0 or stop > len(data):
            raise ValueError("cut off")
        machine.stack.append(wrap(data[start:stop]))

    return push


def _fixed(layout: str) -> Callable[[_Machine], None]:
    number = struct.Struct(layout)
    return lambda machine: machine.stack.append(number.unpack(machine.take(number.size))[0])


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _latin1(raw: bytes) -> str:
    return raw.decode("latin1")


def _long(raw: bytes) -> int:
    _expect(len(raw) <= 128, "has a number without end")
    return int.from_bytes(raw, "little", signed=True)


def _byte(machine: _Machine) -> int:
    value = machine.data[machine.position]
    machine.position += 1
    return value


def _word(machine: _Machine) -> int:
    return int.from_bytes(machine.take(4), "little")


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: _expect(m.take(1)[0] <= 5, "is of an unknown protocol"),
    b"\x95": lambda m: m.take(8),  # FRAME
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": _pop,
    b"1": lambda m: m.popped(),
    b"2": lambda m: m.stack.append(m.stack[-1]),
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"K": lambda m: m.stack.append(_byte(m)),
    b"M": _fixed("<H"),
    b"J": _fixed("<i"),
    b"G": _fixed(">d"),
    b"I": _text_int,
    b"L": _text_int,
    b"F": lambda m: m.stack.append(float(m.line())),
    b"\x8a": _sized("<B", _long),
    b"\x8b": _sized("<i", _long),
    b"X": _sized("<I", _utf8),
    b"\x8c": _sized("<B", _utf8),
    b"\x8d": _sized("<Q", _utf8),
    b"V": lambda m: m.stack.append(m.line().decode("raw-unicode-escape")),
    b"U": _sized("<B", _latin1),
    b"T": _sized("<i", _latin1),
    b"B": _sized("<I", bytes),
    b"C": _sized("<B", bytes),
    b"\x8e": _sized("<Q", bytes),
    b"\x96": _sized("<Q", bytes),  # a bytearray, which nobody changes here
    b")": lambda m: m.stack.append(()),
    b"\x85": _push_tuple(1),
    b"\x86": _push_tuple(2),
    b"\x87": _push_tuple(3),
    b"t": lambda m: m.stack.append(tuple(m.popped())),
    b"]": lambda m: m.stack.append([]),
    b"l": lambda m: m.stack.append(m.popped()),
    b"a": lambda m: m.append([m.stack.pop()]),
    b"e": lambda m: m.append(m.popped()),
    b"}": lambda m: m.stack.append({}),
    b"d": _dict_of_items,
    b"s": _set_item,
    b"u": lambda m: m.set_items(m.popped()),
    b"g": lambda m: m.stack.append(m.memo[int(m.line())]),
    b"h": lambda m: m.stack.append(m.memo[_byte(m)]),
    b"j": lambda m: m.stack.append(m.memo[_word(m)]),
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(_byte(m)),
    b"r": lambda m: m.put(_word(m)),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"c": _text_global,
    b"\x93": _stack_global,
    b"R": _Machine.reduce,
    b"b": _Machine.build,
    b"Q": _Machine.persistent,
}
_HANDLERS = [_INSTRUCTIONS.get(bytes([code])) for code in range(256)]
