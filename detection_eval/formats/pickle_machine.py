"""The stack machine that a pickle is a program for, without the power to call anything.

Values and containers are made here; everything else that a pickle names, builds or refers to is left to a
``Vocabulary``, and refused by its name where that does not know it.

The instructions are those of ``pickletools`` (protocols 0 to 5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from detection_eval.errors import FormatError


class Refused(Exception):
    """The pickle asks for something that is not allowed; the message says what."""


@dataclass
class Allowance:
    """Byte allowance that is left, and the head of a nested file that was found in order."""

    left: int
    head: bytes = b""

    def spend(self, size: int) -> None:
        """Make so many bytes.

        Raises:
            Refused: that is more than is left.
        """
        self.left -= size
        if self.left < 0:
            raise Refused("makes far more of its bytes than a file of results needs")


class Named(NamedTuple):
    """A global that a pickle may name; ``build`` makes a value of the arguments it is called with."""

    name: str
    build: Callable[[Allowance, tuple[Any, ...]], Any] | None = None


@dataclass(frozen=True)
class Vocabulary:
    """Values that a pickle may use beside plain ones.

    Attributes:
        names: the globals, by module and name.
        set_state: applies a pickled state to a value that a global made.
        refer: makes a value of a persistent id.
    """

    names: Mapping[str, Named]
    set_state: Callable[[Allowance, Any, Any], None]
    refer: Callable[[Any], Any]


def expect(condition: bool, what: str) -> None:
    """Refuse a pickle, in words, unless a condition holds."""
    if not condition:
        raise Refused(what)


@dataclass
class Machine:
    """One run over one pickle."""

    data: bytes
    name: str
    allowance: Allowance
    vocabulary: Vocabulary
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
                    raise Refused(f"uses the instruction {bytes([code])!r}, which results do not need")
                handler(self)
            value = self.stack.pop()
        except Refused as refusal:
            raise self._error(f"the pickle {refusal}", start, refusal) from None
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
            raise self._error("no pickle, or a damaged one", start, error) from None
        return value, self.position + 1

    def _error(self, what: str, start: int, cause: Exception) -> Exception:
        """Inside a storage the outer machine tells where; the outermost one names the file."""
        if not self.name:
            return cause if isinstance(cause, Refused) else Refused("has a damaged storage")
        loads = "only plain values, numpy arrays and torch tensors are loaded"
        return FormatError(f"{self.name}: byte {start}: {what}; {loads}")

    def take(self, count: int) -> bytes:
        """The next bytes."""
        start = self.position
        self.position = stop = start + count
        if count < 0 or stop > len(self.data):
            raise ValueError("cut off")
        return self.data[start:stop]

    def line(self) -> bytes:
        """The rest of the line."""
        stop = self.data.index(b"\n", self.position)
        line = self.data[self.position : stop]
        self.position = stop + 1
        return line

    def popped(self) -> list[Any]:
        """Stack items above the last mark."""
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def put(self, index: int) -> None:
        """Remember the value on top."""
        self.memo[index] = self.stack[-1]

    def find(self, module: str, name: str) -> None:
        """Push the global of a name, if it is one of those allowed."""
        full = f"{module}.{name}"
        found = self.vocabulary.names.get(full)
        if found is None:
            raise Refused(f"asks for {full[:120]}")
        self.stack.append(found)

    def reduce(self) -> None:
        """Make a value of a global and its arguments."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Named) or called.build is None or type(arguments) is not tuple:
            raise Refused(f"calls {called.name if isinstance(called, Named) else type(called).__name__}")
        self.stack.append(called.build(self.allowance, arguments))

    def build(self) -> None:
        """Set the state of the value below."""
        state = self.stack.pop()
        self.vocabulary.set_state(self.allowance, self.stack[-1], state)

    def append(self, items: list[Any]) -> None:
        """Add to the list below."""
        target = self.stack[-1]
        if type(target) is not list:
            raise Refused(f"appends to a {type(target).__name__}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        """Set keys and values, one after another, of the dict below."""
        target = self.stack[-1]
        if type(target) is not dict:
            raise Refused(f"sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            expect(type(key) in (str, int, float, bool, type(None), bytes), "has a dict with odd keys")
            target[key] = value

    def persistent(self) -> None:
        """The value that a persistent id stands for."""
        self.stack.append(self.vocabulary.refer(self.stack.pop()))


def _text_global(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.find(module.decode(), name.decode())


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    expect(type(name) is str and type(module) is str, "names a global by something else than text")
    machine.find(module, name)


def _pop(machine: Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.stack.pop()


def _dict_of_items(machine: Machine) -> None:
    items = machine.popped()
    machine.stack.append({})
    machine.set_items(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _push_tuple(count: int) -> Callable[[Machine], None]:
    def push(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise IndexError
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return push


def _text_int(machine: Machine) -> None:
    line = machine.line()
    expect(len(line) < 400, "has a number without end")
    machine.stack.append(line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L")))


def _sized(width: str, wrap: Callable[[bytes], Any]) -> Callable[[Machine], None]:
    """Push what follows a length of some width."""
    length = struct.Struct(width)
    size = length.size

    def push(machine: Machine) -> None:
        data, start = machine.data, machine.position + size
        (count,) = length.unpack_from(data, machine.position)
        machine.position = stop = start + count
        if count < 0 or stop > len(data):
            raise ValueError("cut off")
        machine.stack.append(wrap(data[start:stop]))

    return push


def _fixed(layout: str) -> Callable[[Machine], None]:
    number = struct.Struct(layout)
    return lambda machine: machine.stack.append(number.unpack(machine.take(number.size))[0])


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _latin1(raw: bytes) -> str:
    return raw.decode("latin1")


def _long(raw: bytes) -> int:
    expect(len(raw) <= 128, "has a number without end")
    return int.from_bytes(raw, "little", signed=True)


def _byte(machine: Machine) -> int:
    value = machine.data[machine.position]
    machine.position += 1
    return value


def _word(machine: Machine) -> int:
    return int.from_bytes(machine.take(4), "little")


_INSTRUCTIONS: dict[bytes, Callable[[Machine], Any]] = {
    b"\x80": lambda m: expect(m.take(1)[0] <= 5, "is of an unknown protocol"),
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
    b"R": Machine.reduce,
    b"b": Machine.build,
    b"Q": Machine.persistent,
}
_HANDLERS = [_INSTRUCTIONS.get(bytes([code])) for code in range(256)]
