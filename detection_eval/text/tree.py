"""A model's JSON as a tree of objects and lists, whatever is missing from it.

The text is lexed once from left to right and the tree is built with an explicit stack of bounded depth:
nothing recurses, nothing is read twice, and any text gives trees. Repairs are noted at the node that needed
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from detection_eval.text.lexing import TOKEN, Percent, Pixels, Word, number, unquoted, word

DEEPEST = 40
"""Nodes that may be open at once; beyond, the outermost one is given up and its children stand alone."""

_AFTER_STRING = re.compile(r"\s*+\w")
_LINE_END = re.compile(r"[^\n]*+")


def _before_next_key(content: str) -> str | None:
    """The part of a string before the punctuation that leads to the next one, or None where there is none."""
    left = content.rstrip().removesuffix("{").rstrip()
    return left[:-1].rstrip("]} \t") if left.endswith(",") else None


class Node:
    """An object or a list.

    Attributes:
        is_object: else a list.
        start: position of its opening bracket.
        stop: position after its closing bracket.
        items: (key, value) pairs of an object, values of a list; a value is a Node, a float (``Pixels`` with
            that unit), a str (``Word`` if it had no quotes, ``Percent`` for numbers with the sign) or None. A
            missing key is None.
        repairs: what had to be mended.
        cut: the text ended before the node did.
    """

    __slots__ = (
        *("comma", "cut", "extra", "implicit", "is_object", "items", "key", "keys", "lists", "numbers"),
        *("objects", "repairs", "start", "stop", "texts"),
    )

    def __init__(self, is_object: bool, start: int, stop: int | None = None, implicit: bool = False):
        self.is_object, self.start, self.implicit = is_object, start, implicit
        self.stop = start if stop is None else stop
        self.items: list[Any] = []
        self.repairs: tuple[str, ...] = ()
        self.cut = False
        self.comma = True  # a comma, or nothing as yet, stands before what comes next
        self.key: str | None = None
        self.keys: set[str] | None = None
        self.extra = self.texts = self.numbers = self.lists = self.objects = 0

    def mend(self, repair: str) -> None:
        """Note a repair."""
        if repair not in self.repairs:
            self.repairs += (repair,)

    def add(self, value: object, key: str | None = None) -> None:
        """Append a value, under a key in an object."""
        self.items.append((key, value) if self.is_object else value)
        if isinstance(value, Node):
            self.objects += value.is_object
            self.lists += not value.is_object
        elif isinstance(value, str):
            self.texts += 1
        else:
            self.numbers += 1

    @property
    def record(self) -> bool:
        """Whether an object may be complete: a text, and numbers for a box."""
        return self.texts > 0 and (self.lists > 0 or self.objects > 0 or self.numbers >= 4)

    @property
    def numeric(self) -> bool:
        """Whether a list holds numbers and lists only."""
        return not self.is_object and not self.texts and not self.objects and (self.numbers + self.lists) > 0


def trees(text: str, start: int = 0, stop: int | None = None) -> Iterator[Node]:
    """The objects and lists of a text that stand in no other, in order, empty lists included.

    Args:
        text: in plain characters.
        start: position of the first character to read.
        stop: position after the last one.
    """
    builder = _Builder(text, start, len(text) if stop is None else stop)
    position = start
    while token := TOKEN.search(text, position, builder.end):
        position = builder.take(token)
        if builder.roots:
            yield from builder.roots
            builder.roots.clear()
    builder.finish()
    yield from builder.roots


class _Builder:
    def __init__(self, text: str, start: int, end: int):
        self.text, self.end = text, end
        self.stack: list[Node] = []
        self.roots: list[Node] = []
        self.after_word = False
        self.encoded = False  # inside a string that holds JSON
        self.last_comment_end = text.rfind("*/", start, end)

    def take(self, token: re.Match[str]) -> int:
        """Add a token to the tree; returns the position to go on from."""
        kind, position = token.lastgroup, token.end()
        after_word, self.after_word = self.after_word, False
        if kind == "number":
            self._number(token)
        elif kind == "comma":
            if self.stack:
                self.stack[-1].comma = True
        elif kind == "open":
            self._open(token)
        elif kind == "close":
            self._close_list(position)
        elif kind == "begin":
            self._begin(token.start())
        elif kind == "end_object":
            self._end_object(position)
        elif kind == "word":
            self._word(token, after_word)
        elif kind == "comment":
            position = self._comment(token, after_word)
        elif kind == "fence":
            self._fence(token.start())
        elif kind != "skip":
            position = self._string(token, str(kind))
        return position

    # --- scalars --------------------------------------------------------------------------------

    def _number(self, token: re.Match[str]) -> None:
        if not self.stack or token.end() == self.end:
            return  # the last number of a text may go on
        top = self.stack[-1]
        unit = token["unit"]
        if unit in ("%", "‰"):
            self._attach(Percent(token["value"] + unit))
            return
        if unit:
            top.mend("units")
        if top.implicit and top.key is None and len(self.stack) == 1:
            self._pop(token.start())
            return
        value = number(token["value"])
        self._attach(Pixels(value) if unit and unit[0] == "p" else value)

    def _word(self, token: re.Match[str], after_word: bool) -> None:
        if not self.stack:
            return
        name, is_key = token["name"], token["key6"] is not None
        if is_key and (name[0].isalpha() or name[0] == "_"):
            self._key(name, token.start())
            if self.stack[-1].key is not None:
                self.stack[-1].mend("unquoted key")
            return
        if token.end() == self.end:
            return
        top = self.stack[-1]
        value = word(name)
        if after_word and not top.comma and top.items and top.key is None:
            last = top.items[-1][1] if top.is_object else top.items[-1]
            if isinstance(last, Word) and len(last) < 200:
                joined = Word(f"{last} {name}")
                top.items[-1] = (top.items[-1][0], joined) if top.is_object else joined
                self.after_word = True
                return
        if top.is_object and top.key is None:
            if top.implicit and len(self.stack) == 1:
                self._pop(token.start())
            return
        if isinstance(value, Word) and not any(char.isalnum() for char in value):
            return
        self._attach(value)
        self.after_word = isinstance(value, Word)

    def _string(self, token: re.Match[str], kind: str) -> int:
        """A string, which may be a key, a value, or JSON that was encoded once more."""
        group = {"string": "double", "escaped": "inner", "single": "simple"}.get(kind)
        content = token[group] if group else (token["angled"] or token["hooked"] or "")
        is_key = any(token[f"key{index}"] for index in range(1, 6))
        start, stop = token.start(), token.end()
        if kind == "string":
            if self.encoded:  # a bare quote ends the string that holds JSON
                self.encoded = False
                return start + 1
            encoded = '\\"' in content and content.lstrip(" \\nrt")[:1] in ("[", "{")
            self.encoded = encoded
            if encoded or (not self.stack and not is_key and ("[" in content or "{" in content)):
                return start + 1
        closed = kind not in ("string", "escaped") or bool(token["end"] or token["end2"])
        if not is_key and closed and kind == "string" and _AFTER_STRING.match(self.text, stop, self.end):
            shorter = _before_next_key(content)
            if shorter is not None:  # what follows is inside of a later string: this one was never closed
                content, closed, stop = shorter, False, start + 1 + len(shorter)
        if not closed and stop == self.end:
            return stop  # the last string of a text may go on
        if is_key:
            self._key(unquoted(content), start)
        elif self.stack:
            if self.stack[-1].is_object and self.stack[-1].key is None:
                return stop
            self._attach(unquoted(content))
            if not closed:
                self.stack[-1].mend("unclosed string")
            if kind == "curly":
                self.stack[-1].mend("quotes")
        return stop

    def _attach(self, value: object) -> None:
        top = self.stack[-1]
        if not top.comma:
            top.mend("missing comma")
        top.add(value, top.key)
        top.key = None
        top.comma = False

    # --- structure ------------------------------------------------------------------------------

    def _key(self, name: str, start: int) -> None:
        self._leave_numbers(start)
        top = self.stack[-1] if self.stack else None
        if top is None or not top.is_object:
            top = self._push(True, start, implicit=True)
            top.mend("missing brace")
        elif top.keys is not None and name in top.keys and top.record:
            implicit = top.implicit
            self._pop(start, "unclosed object")
            top = self._push(True, start, implicit)
        elif not top.comma:
            top.mend("missing comma")
        top.comma = True
        if top.keys is None:
            top.keys = set()
        top.keys.add(name)
        top.key = name

    def _leave_numbers(self, start: int) -> None:
        """A key or an object inside a list of numbers: the list was not closed."""
        if self.stack and self.stack[-1].numeric and any(node.is_object for node in self.stack):
            while self.stack[-1].numeric:
                comma = self.stack[-1].comma
                self._pop(start, "unclosed list")
                self.stack[-1].comma |= comma

    def _open(self, token: re.Match[str]) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and top.implicit and top.key is None and len(self.stack) == 1:
            self._pop(token.start())
        node = self._push(False, token.start())
        if token[0] == "(":
            node.mend("brackets")

    def _begin(self, start: int) -> None:
        self._leave_numbers(start)
        if self.stack and self.stack[-1].is_object and not self.stack[-1].items and not self.stack[-1].key:
            self.stack[-1].extra += 1
            return
        while self.stack and self.stack[-1].is_object and self.stack[-1].key is None:
            self._pop(start, "unclosed object")
        self._push(True, start)

    def _push(self, is_object: bool, start: int, implicit: bool = False) -> Node:
        if len(self.stack) >= DEEPEST:
            outermost = self.stack.pop(0)
            outermost.stop = start
            if outermost.items:
                self.roots.append(outermost)
        node = Node(is_object, start, implicit=implicit)
        if self.stack and not self.stack[-1].comma and (is_object or not self.stack[-1].is_object):
            node.mend("missing comma")
        if self.encoded and is_object:
            node.mend("encoded twice")
        self.stack.append(node)
        return node

    def _close_list(self, stop: int) -> None:
        if not self.stack:
            return
        top = self.stack[-1]
        if top.is_object:
            if not any(not node.is_object for node in self.stack):
                if top.implicit:
                    self._pop(stop)
                else:
                    top.mend("extra bracket")
                return
            if not (top.record or top.implicit):
                top.mend("extra bracket")
                return
            while self.stack[-1].is_object:
                self._pop(stop - 1, "unclosed object")
        self._close(stop)

    def _end_object(self, stop: int) -> None:
        if not any(node.is_object for node in self.stack):
            return
        if self.stack[-1].is_object and self.stack[-1].extra:
            self.stack[-1].extra -= 1
            return
        while not self.stack[-1].is_object:
            self._pop(stop - 1, "unclosed list")
        self._close(stop)

    def _close(self, stop: int) -> None:
        """The innermost node ends at its own bracket."""
        top = self.stack[-1]
        if top.comma and top.items and top.key is None:
            top.mend("trailing comma")
        self._pop(stop)

    def _pop(self, stop: int, repair: str = "") -> None:
        """Close the innermost node."""
        node = self.stack.pop()
        if repair and not node.implicit:
            node.mend(repair)
        self._release(node, stop)

    def _release(self, node: Node, stop: int) -> None:
        node.stop, node.keys = stop, None
        if not self.stack:
            if node.items or not node.is_object:
                self.roots.append(node)
        elif node.items or (self.stack[-1].is_object and self.stack[-1].key is not None):
            self.stack[-1].comma = True
            self._attach(node)

    def _comment(self, token: re.Match[str], after_word: bool) -> int:
        """Skip a comment, which stands inside brackets only; elsewhere it is prose."""
        text, stop = self.text, token.end()
        if not self.stack:
            return stop
        if token[0] == "/*" and self.last_comment_end > token.start():
            stop = text.index("*/", stop) + 2
        elif token[0] == "//" or (token[0] == "#" and not after_word):
            stop = _LINE_END.match(text, stop, self.end).end()  # type: ignore[union-attr]
        else:
            return stop
        self.stack[-1].mend("comment")
        return stop

    def _fence(self, start: int) -> None:
        """A fence inside brackets: what is open was never closed."""
        while self.stack:
            self._pop(start, "unclosed object" if self.stack[-1].is_object else "unclosed list")

    def finish(self) -> None:
        """The text has ended."""
        stop = self.end
        while self.stack:
            node = self.stack[-1]
            node.cut = not node.implicit
            self._pop(stop)
