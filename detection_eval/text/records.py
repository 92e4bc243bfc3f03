"""Labels and boxes in trees, wherever models put them: side by side, as keys, in tuples, nested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from detection_eval.text.boxes import Written, boxes_of, coordinates, plain_key, scalars
from detection_eval.text.contract import Contract, Json
from detection_eval.text.found import Scan, Span
from detection_eval.text.tree import Node

_BOX_KEY = re.compile(
    r"box|quad|poly|points|coord|rect(?:angle)?\b|location|position|segmentation|vertices|corners|bounds|geometry"
    r"|xyxy|xywh|(?<![a-z])(?:obb|hbb|roi|region)",
    re.IGNORECASE,
)
_LABEL_KEYS = (
    *("label", "category", "categoryname", "class", "classname", "objectname", "objectclass", "objecttype"),
    *("labelname", "object", "cls", "type", "tag", "entity", "phrase", "ref", "name", "labels", "categories"),
    *("classes", "names", "title", "textcontent"),
)
_LABEL_RANK = {key: rank for rank, key in enumerate(_LABEL_KEYS)}
_CONTAINERS = frozenset(
    [
        "objects",
        "object",
        "detections",
        "detection",
        "results",
        "result",
        "annotations",
        "annotation",
        "items",
        "item",
        "data",
        "instances",
        "instance",
        "predictions",
        "prediction",
        "answer",
        "answers",
        "output",
        "outputs",
        "response",
        "found",
        "targets",
        "target",
        "shapes",
        "features",
        "properties",
        "image",
        "images",
        "json",
        "list",
        "content",
        "entities",
    ]
)
_NO_BOXES = frozenset(
    [
        "color",
        "colour",
        "rgb",
        "rgba",
        "score",
        "scores",
        "confidence",
        "size",
        "imagesize",
        "imageshape",
        "shape",
        "resolution",
        "dimensions",
        "id",
        "ids",
        "center",
        "centre",
        "centroid",
        "count",
        "counts",
        "mask",
    ]
)

_SHAPES = frozenset(
    ["polygon", "multipolygon", "point", "feature", "featurecollection", "rectangle", "bbox", "box", "quad"]
)

Labels = str | list[str] | None
Work = tuple[Node, str | None, bool] | tuple[int, Span]
"""A node, the label around it and whether that is of an object; or a count of boxes and whose it is."""


def find_boxes(roots: Iterable[Node], contract: Contract, found: Scan, *notes: str) -> None:
    """Add the boxes of trees to what was found.

    Args:
        roots: the trees.
        contract: how the model writes; of another syntax than JSON, its keys are none in particular.
        found: takes the boxes and what cannot be read.
        notes: repairs of each box.
    """
    finder = _Finder(contract, found, notes)
    for root in roots:
        # most brackets of prose, and of hostile texts, hold too little for a box
        if root.is_object or not root.items or root.lists or root.objects or len(root.items) >= 4:
            finder.walk(root)
        else:
            found.truncated |= root.cut and "brackets" not in root.repairs


class _Finder:
    """Walks over one tree from left to right, with an explicit stack."""

    def __init__(self, contract: Contract, found: Scan, notes: Sequence[str]):
        self.contract, self.found, self.notes = contract, found, notes
        json = contract.syntax if isinstance(contract.syntax, Json) else None
        self.key, self.label_key = (json.key, json.label_key) if json else ("", "")
        self.counts = {4, 8, contract.form.count}

    def walk(self, root: Node) -> None:
        """Read all of a tree."""
        found = self.found
        found.block = (root.start, root.stop)
        before = self._total()
        work: list[Work] = [(root, None, False)]
        empty = False
        while work:
            entry = work.pop()
            if len(entry) == 2:
                if entry[0] == self._total():
                    found.lose("no box", entry[1])
                continue
            node, label, nested = entry
            empty |= not node.is_object and not node.items
            found.records |= node.is_object and not node.implicit
            read = self._object if node.is_object else self._list
            work += reversed(read(node, label, nested))
        nothing = before == self._total()
        if nothing and empty and not root.cut:
            found.empty.append(found.block)
        # a bracket of prose that is never closed is no list that was cut
        found.truncated |= root.cut and not (nothing and "brackets" in root.repairs)
        found.block = None

    def _total(self) -> int:
        return len(self.found.boxes) + len(self.found.lost)

    # --- objects ----------------------------------------------------------------------------------

    def _object(self, node: Node, around: str | None, nested: bool) -> list[Work]:
        """Add the boxes of one object; returns what is to be read next."""
        own, label_repairs = self._label(node)
        boxes: list[tuple[Written, tuple[str, ...]]] = []
        spare: list[tuple[str, list[Written]]] = []
        children: list[tuple[str, Node]] = []
        for key, value in node.items:
            named = plain_key(key)
            if not isinstance(value, Node | str) or (named in _LABEL_RANK and not isinstance(value, Node)):
                continue
            is_box = key is not None and (key == self.key or _BOX_KEY.search(key) is not None)
            written = None
            if is_box or (isinstance(value, Node) and not value.is_object and not value.objects):
                written = boxes_of(value, self.contract, key or "")
            if written is None:
                if isinstance(value, Node):
                    children.append((key or "", value))
            elif is_box:
                boxes += [(box, () if key == self.key else ("box key",)) for box in written]
            else:
                spare.append((key or "", written))
        if not boxes and (flat := coordinates(node, self.contract)):
            boxes.append((flat, ()))
        if own is None:
            own, label_repairs = self._nested_label(children)
        if not boxes and own is not None:
            boxes = [
                (box, ("box key",))
                for key, written in spare
                if plain_key(key) not in _NO_BOXES
                for box in written
                if len(box.numbers) in self.counts
            ]
        label: Labels = around if own is None else own
        if own is None and not boxes:
            self._mapping(node, spare, around)
        self._emit(node, boxes, label, label_repairs)
        follow: list[Work] = []
        for key, child in children:
            inherited = label if isinstance(label, str) else None
            if own is None and not self._says_nothing(key):
                inherited = key
            follow.append((child, inherited, own is not None))
        if own is not None and not boxes and not nested and not node.cut:
            follow.append((self._total(), (node.start, node.stop)))
        return follow

    def _label(self, node: Node) -> tuple[Labels, tuple[str, ...]]:
        """The label of an object, the best key for one first."""
        best: tuple[int, str, Any] | None = None
        for key, value in node.items:
            name = plain_key(key)
            rank = -1 if key is not None and key == self.label_key else _LABEL_RANK.get(name)
            if rank is None or (best is not None and rank >= best[0]):
                continue
            if name == "type" and isinstance(value, str) and value.lower() in _SHAPES:
                continue
            if isinstance(value, str) and value.strip():
                best = (rank, key, str(value))
            elif isinstance(value, Node) and not value.is_object and value.texts == len(value.items) > 0:
                texts = [str(item) for item in value.items]
                best = (rank, key, texts[0] if len(texts) == 1 else texts)
        if best is None:
            return None, ()
        return best[2], () if best[0] == -1 else ("label key",)

    def _nested_label(self, children: Sequence[tuple[str, Node]]) -> tuple[Labels, tuple[str, ...]]:
        """The label in an object inside of this one, such as ``attributes``, that has no box of its own."""
        for _, child in children:
            if child.is_object and not child.lists and not child.objects and child.numbers < 4:
                label, _ = self._label(child)
                if isinstance(label, str):
                    return label, ("label key",)
        return None, ()

    def _mapping(self, node: Node, spare: Sequence[tuple[str, list[Written]]], around: str | None) -> None:
        """``{"plane": [[...], [...]]}``: the keys are the labels."""
        for key, written in spare:
            boxes = [box for box in written if len(box.numbers) >= 4 or box.lost]
            if not boxes or plain_key(key) in _NO_BOXES:
                continue
            label = around or "" if self._says_nothing(key) else key
            for box in boxes:
                self._add(node, box, label, box.span, ("label as key",))

    def _says_nothing(self, key: str) -> bool:
        """Whether a key is the name of a part rather than of a class."""
        plain = plain_key(key)
        return not plain or plain in _CONTAINERS or plain in _LABEL_RANK or bool(_BOX_KEY.search(key))

    def _emit(
        self,
        node: Node,
        boxes: Sequence[tuple[Written, tuple[str, ...]]],
        label: Labels,
        repairs: tuple[str, ...],
    ) -> None:
        labels = label if isinstance(label, list) and len(label) == len(boxes) else None
        for index, (box, own) in enumerate(boxes):
            span = (node.start, node.stop) if len(boxes) == 1 else box.span
            name = labels[index] if labels else (label if isinstance(label, str) else "")
            self._add(node, box, name, span, (*repairs, *own))

    def _add(self, node: Node, box: Written, label: str, span: Span | None, repairs: tuple[str, ...]) -> None:
        span = span or (node.start, node.stop)
        if box.lost or (node.cut and not label):
            self.found.lose(box.lost or "truncated", span)
            return
        cut = ("unclosed object" if node.is_object else "unclosed list",) if node.cut else ()
        repairs = (*node.repairs, *box.repairs, *repairs, *cut, *self.notes)
        self.found.add(self.contract, box.numbers, label, span, *repairs)

    # --- lists ------------------------------------------------------------------------------------

    def _list(self, node: Node, around: str | None, nested: bool) -> list[Work]:
        """Add the boxes of one list; returns what is to be read next."""
        if not node.texts:
            return self._untitled(node, around, nested)
        follow: list[Work] = []
        label = around
        waiting: list[Written] = []
        run: list[Any] = []
        pairs: list[tuple[Written, str | None]] = []

        def flush() -> None:
            if len(run) >= 4 and (box := scalars(run)):
                waiting.append(box._replace(span=(node.start, node.stop)))
            run.clear()

        label_first: bool | None = None
        for item in node.items:
            if isinstance(item, str) and scalars([item]) is None:
                flush()
                if label_first is None:
                    label_first = not waiting
                if label_first:
                    pairs += [(box, label) for box in waiting]
                else:
                    pairs += [(box, item) for box in waiting]
                waiting.clear()
                label = str(item)
            elif isinstance(item, Node):
                flush()
                boxes = None if item.is_object else boxes_of(item, self.contract)
                if boxes is None:
                    follow.append((item, label, nested))
                waiting += boxes or []
            else:
                run.append(item)
        flush()
        if node.cut and not label_first:
            pairs += [(box._replace(lost="truncated"), None) for box in waiting]
        else:
            pairs += [(box, label if label_first else around) for box in waiting]
        for box, name in pairs:
            span = (node.start, node.stop) if len(pairs) == 1 else box.span
            self._add(node, box, name or "", span, ("no keys",))
        return follow

    def _untitled(self, node: Node, around: str | None, nested: bool) -> list[Work]:
        """A list without texts: of objects, or of boxes that the label around them names."""
        boxes = None if node.objects else boxes_of(node, self.contract)
        if boxes is None:
            return [(item, around, nested) for item in node.items if isinstance(item, Node)]
        for box in boxes:
            if around is not None:
                self._add(node, box, around, box.span, ())
            elif len(box.numbers) >= 4 and "brackets" not in node.repairs:
                self.found.lose("no label", box.span or (node.start, node.stop))
        return []
