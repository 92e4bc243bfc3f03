"""Records laid out without brackets, as trees: tables, ``key: value`` lines, elements of XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from detection_eval.text.boxes import plain_key
from detection_eval.text.labels import strip_edges
from detection_eval.text.lexing import NUMBER, number
from detection_eval.text.tree import Node, trees

_LINE = re.compile(r"[^\n]++")
_RULE = re.compile(r"[\s|:+-]*+")
_NUMBER = re.compile(NUMBER)
_NUMBERS = re.compile(rf"[\s\[\](),;]*+{NUMBER}(?:[\s\[\](),;]++{NUMBER})*+[\s\[\](),;]*+")
_TABLE_KEYS = frozenset({"label", "category", "class", "classname", "object", "name", "type", "objectname"})
_COORDINATES = frozenset(
    [
        *("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "xmin", "ymin", "xmax", "ymax", "x", "y", "w", "h"),
        *("width", "height", "left", "top", "right", "bottom"),
    ]
)
_BOX_COLUMN = re.compile(r"box|coord|location|position|polygon|points", re.IGNORECASE)

_ENTRY = re.compile(
    r"(?P<bullet>[ \t]*+(?:(?:[-*•+]|\d{1,4}[.)])[ \t]++)*+)"
    r"(?:(?P<key>[^\s:\[\]{}|,][^:\n\[\]{}|,]{0,80})[ \t]*:(?=\s|$|\*))?(?P<rest>[^\n]*+)"
)
_TAG = re.compile(r"<(?P<close>/)?(?P<name>[A-Za-z_][\w.-]{0,40})(?P<attributes>(?:\s[^<>]*+)?)>")
_ATTRIBUTE = re.compile(
    r"(?P<key>[A-Za-z_][\w.-]{0,40})\s*=\s*(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)')"
)
_NO_RECORDS = frozenset({"points", "point", "img", "svg", "ref"})


def block_trees(text: str) -> Iterator[Node]:
    """The records of tables, of ``key: value`` lines and of elements in a text, whichever there are first."""
    for read in (_tables, _entries, _elements):
        found = [node for node in read(text) if _may_hold_a_box(node)]
        if found:
            yield from found
            return


def _may_hold_a_box(node: Node) -> bool:
    if node.lists or node.objects or node.numbers >= 4:
        return True
    return any(isinstance(value, str) and _BOX_COLUMN.search(key or "") for key, value in node.items)


def _record(pairs: Iterable[tuple[str, Any]], start: int, stop: int) -> Node:
    """An object of pairs."""
    node = Node(True, start, stop)
    for key, value in pairs:
        node.add(value, key)
    return node


def _scalar(text: str) -> float | str:
    text = text.strip().strip("*`\"' ")
    return number(text) if _NUMBER.fullmatch(text) else text


# --- tables ---------------------------------------------------------------------------------------


def _tables(text: str) -> Iterator[Node]:
    """Rows of Markdown tables and of lines that are separated by commas or tabs, under a header."""
    columns: list[str] = []
    delimiter = "|"
    for line in _LINE.finditer(text):
        row = line[0]
        if columns and delimiter in row:
            cells = _cells(row, delimiter, len(columns))
            whole = line.end() < len(text) or row.rstrip().endswith("|")
            if len(cells) >= len(columns) and whole and not _RULE.fullmatch(row):
                pairs = [(key, _scalar(cell)) for key, cell in zip(columns, cells)]
                node = _record(pairs, line.start(), line.end())
                node.mend("table")
                yield node
            continue
        columns = []
        for delimiter in ("|", "\t", ","):
            cells = _cells(row, delimiter) if delimiter in row else []
            if _is_header(cells):
                columns = cells
                break


def _cells(row: str, delimiter: str, count: int = 40) -> list[str]:
    row = row.strip()
    if delimiter == "|":
        row = row.removeprefix("|").removesuffix("|")
    return [cell.strip().strip("*`") for cell in row.split(delimiter, count + 1)]


def _is_header(cells: Sequence[str]) -> bool:
    """Whether the columns hold a label and a box."""
    names = {plain_key(cell) for cell in cells}
    boxed = len(names & _COORDINATES) >= 4 or any(_BOX_COLUMN.search(cell) for cell in cells)
    return 2 <= len(cells) <= 40 and bool(names & _TABLE_KEYS) and boxed


# --- key: value lines -----------------------------------------------------------------------------


def _entries(text: str) -> Iterator[Node]:
    """Records of ``key: value`` lines: YAML, and lists such as ``- **plane**: [10, 20, 110, 80]``."""
    reader = _EntryReader(text)
    for line in _LINE.finditer(text):
        yield from reader.take(line)
    yield from reader.flush()


class _EntryReader:
    def __init__(self, text: str):
        self.text = text
        self.record: Node | None = None
        self.heading: str | None = None  # a key without a value: of the records or of the values that follow
        self.values: Node | None = None  # the list that grows under the heading

    def take(self, line: re.Match[str]) -> Iterator[Node]:
        """Add a line; gives the records that it ends."""
        entry = _ENTRY.match(self.text, line.start(), line.end())
        assert entry is not None  # every part may be empty
        bulleted = bool(entry["bullet"].strip())
        rest = entry["rest"].strip().strip("*").strip()
        if entry["key"] is None:
            if bulleted and self.heading is not None:
                yield from self._value(line, entry)
            elif rest:
                yield from self.flush()
            return
        key = strip_edges(entry["key"])
        record = self.record
        repeats = record is not None and record.keys is not None and key in record.keys
        if record is not None and (bulleted or repeats):
            yield from self._end_record()
        if not rest:
            self.heading, self.values = key, None
            return
        if self.record is None:
            self.record = Node(True, line.start() + len(entry["bullet"]))
            self.record.keys = set()
            self.record.mend("no brackets")
            if (
                self.heading is not None
                and plain_key(self.heading) not in _TABLE_KEYS
                and self.values is None
            ):
                self.record.key = self.heading
        assert self.record.keys is not None
        self.record.keys.add(key)
        self.record.add(self._read(entry, rest), key)
        self.record.stop = line.end()
        self.values = None
        if self.record.texts and self.record.lists and self.record.key is None:
            self.heading = None

    def _value(self, line: re.Match[str], entry: re.Match[str]) -> Iterator[Node]:
        """A value of a list under a key."""
        heading = self.heading or ""
        if self.values is None:
            self.values = Node(False, line.start())
            if self.record is None:
                self.record = Node(True, line.start())
                self.record.keys = set()
                self.record.mend("no brackets")
            self.record.add(self.values, heading)
        value = self._read(entry, entry["rest"].strip())
        self.values.add(value)
        self.values.stop = line.end()
        if self.record is not None:
            self.record.stop = line.end()
        yield from ()

    def _read(self, entry: re.Match[str], rest: str) -> Any:
        """The value of a line: a list, a number or a text."""
        start, stop = entry.span("rest")
        if (
            _NUMBERS.fullmatch(rest)
            and len(_NUMBER.findall(rest)) >= 4
            and "[" not in rest
            and "(" not in rest
        ):
            node = Node(False, start)
            node.stop = stop
            for written in _NUMBER.findall(rest):
                node.items.append(number(written))
                node.numbers += 1
            return node
        roots = list(trees(self.text, start, stop)) if rest[0] in "[({" else []
        last = stop == len(self.text)
        if last and ((roots and roots[-1].cut) or _NUMBER.fullmatch(rest)):
            return ""  # the last number of a text may go on
        if len(roots) == 1:
            return roots[0]
        if roots and not any(root.is_object or root.cut for root in roots):
            node = Node(False, start, stop)
            for root in roots:
                node.add(root)
            return node
        return _scalar(rest)

    def _end_record(self) -> Iterator[Node]:
        record, self.record, self.values = self.record, None, None
        if record is not None:
            record.keys = None
            if record.key is not None:  # the heading names the class of its records
                outer = Node(True, record.start, record.stop)
                key, record.key = record.key, None
                outer.add(record, key)
                record = outer
            yield record

    def flush(self) -> Iterator[Node]:
        """Prose, or the end of the text."""
        yield from self._end_record()
        self.heading = None


# --- elements -------------------------------------------------------------------------------------


def _elements(text: str) -> Iterator[Node]:
    """Records of elements that hold text, ``<name>plane</name>``, and of the attributes of one element."""
    record: Node | None = None
    opened: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        name = tag["name"].lower()
        if tag["close"]:
            if opened is not None and opened["name"].lower() == name and name not in _NO_RECORDS:
                if record is not None and record.keys is not None and name in record.keys:
                    yield record
                    record = None
                if record is None:
                    record = Node(True, opened.start())
                    record.keys = set()
                    record.mend("elements")
                assert record.keys is not None
                record.keys.add(name)
                record.add(_scalar(text[opened.end() : tag.start()]), name)
                record.stop = tag.end()
            opened = None
            continue
        opened = tag
        pairs = [
            (found["key"], _scalar(found["double"] or found["single"] or ""))
            for found in _ATTRIBUTE.finditer(tag["attributes"])
        ]
        if len(pairs) > 1 and name not in _NO_RECORDS:
            node = _record(pairs, tag.start(), tag.end())
            node.mend("elements")
            yield node
    if record is not None:
        yield record
