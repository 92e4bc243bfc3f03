"""Where protocols disagree: the same replies under all protocols of a benchmark, as a table.

The replies are those on which public scorers are known to go wrong, and some that are merely written in
another way. The tables in ``docs/protocols.md`` are what :func:`document` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detection_eval.geometry.quads import box_quads
from detection_eval.words import counted
from rscovlm.bench.item import Item, Kind, Truth
from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.row import Row
from tiling.view import Size, View, Window


@dataclass(frozen=True)
class Case:
    """A reply and what is right.

    Attributes:
        gold: the right answer: in words, letters, or a box in pixels of an image of 100 x 100 px.
        reply: of the model.
        note: what it shows.
        fields: of the item, beside those of its family.
    """

    gold: str | tuple[float, float, float, float]
    reply: str
    note: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """Cases that make sense for some benchmarks.

    Attributes:
        title: in words.
        benchmarks: whose protocols are shown; those that judge alike stand together.
        kind: of the items.
        cases: replies.
        fields: of the items.
    """

    title: str
    benchmarks: tuple[str, ...]
    kind: Kind
    cases: tuple[Case, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)


_COLOURS = ("red", "green", "blue", "grey", "The image does not feature the car")
_SEVERAL = {"extra": {"several": True}}
_CLASSES = ("airport", "beach", "forest", "port", "dense residential")
_COUNT = {"kind": "count", "groups": {"type": "count"}}
_AREA = {"kind": "number", "groups": {"type": "area"}}
_RIGHT = (10.0, 10.0, 30.0, 30.0)

FAMILIES = (
    Family(
        "Open questions of LRS-VQA",
        ("lrs-vqa",),
        "open",
        (
            Case("2", "two", "one synset"),
            Case("gray", "grey", "one synset"),
            Case("airplane", "airplanes", "the plural"),
            Case("round", "circular", "one synset"),
            Case("red", "crimson", "one synset, another colour"),
            Case("no", "nobelium", "its symbol is No"),
            Case("lead", "Pb", "a symbol"),
            Case("ten", "x", "a Roman numeral"),
            Case("port", "harbor", "two synsets"),
            Case("car", "vehicle", "two synsets"),
            Case("rectangular", "rectangle", "an adjective and a noun"),
            Case("parking lot", "car park", "phrases have no synset"),
            Case("parking lot", "Parking lot.", "a full stop"),
            Case("red", " red ", "white space"),
            Case("red", "<think>Blue?</think>red", "thoughts"),
            Case("3", "There are 3 planes.", "a sentence"),
            Case("red", "", "nothing"),
        ),
    ),
    Family(
        "Questions of RSVQA",
        ("rsvqa-lr", "rsvqa-hr"),
        "open",
        (
            Case("57", "80", "the same bin", _COUNT),
            Case("57", "57", "exact", _COUNT),
            Case("0", "none", "a word for 0", _COUNT),
            Case("57", "many", "no number", _COUNT),
            Case("3211m2", "2,000 m2", "the same bin", _AREA),
            Case("no", "none", "holds \u201cno\u201d"),
            Case("no", "Nothing of note", "holds \u201cno\u201d"),
            Case("yes", "Yes, two of them", "a sentence"),
            Case("yes", "", "nothing"),
            Case("rural", "a rural area", "more words"),
        ),
        {"groups": {"type": "presence"}},
    ),
    Family(
        "Questions of VRSBench",
        ("vrsbench-vqa",),
        "open",
        (
            Case("1", "11", "holds \u201c1\u201d"),
            Case("no", "none", "holds \u201cno\u201d"),
            Case("harbor", "a port", "left to a judge"),
            Case("harbor", "A harbour.", "another spelling, left to a judge"),
            Case("yes", "Yes, in the north", "a sentence"),
            Case("urban", "suburban", "holds it"),
            Case("urban", "", "nothing"),
        ),
    ),
    Family(
        "Multiple choice",
        ("mme-realworld-rs", "xlrs-bench-lite", "xlrs-bench", "omniearth-bench"),
        "choice",
        (
            Case("B", "B"),
            Case("B", "(B)"),
            Case("B", "b", "a small letter"),
            Case("B", "The answer is B"),
            Case("A", "The answer is B", "wrong; \u201canswer\u201d holds an a"),
            Case("B", "Answer: B", "its first capital is an A"),
            Case("B", "B. green", "letters of \u201cgreen\u201d"),
            Case("B", "green", "the option itself"),
            Case("B", "Because the car is green, B"),
            Case("D", "Best answer: D", "a comma is missing in a list"),
            Case("D", "The best option is D", "a comma is missing in a list"),
            Case("B", r"\boxed{B}"),
            Case("A", "", "nothing; the first option holds it"),
            Case("A", "A or B", "two where one is right"),
            Case("A", "I cannot tell.", "undecided; \u201ccannot\u201d holds an a"),
            Case("AC", "A C", "several", _SEVERAL),
            Case("AC", "A and C", "\u201cand\u201d holds a d", _SEVERAL),
            Case("AC", "A", "one of two", _SEVERAL),
        ),
        {"options": _COLOURS},
    ),
    Family(
        "Classes of scenes",
        ("aid", "meter-ml", "nwpu-resisc45", "whu-rs19", "ucmerced", "folders"),
        "classify",
        (
            Case("beach", "Beach.", "a full stop"),
            Case("beach", "The image shows a beach.", "a sentence"),
            Case("airport", "port", "a part of the name, and another class"),
            Case("airport", "a", "a letter of the name"),
            Case("beach", "airport,beach,forest", "several classes"),
            Case("dense residential", "dense-residential", "a hyphen"),
            Case("dense residential", "denseresidential", "no space"),
            Case("airport", "", "nothing"),
        ),
        {"options": _CLASSES},
    ),
    Family(
        "Boxes of phrases",
        ("dior-rsvg", "rsvg", "avvg", "vrsbench-vg", "geochat-vg", "omniearth-bench", "xlrs-bench"),
        "ground",
        (
            Case(_RIGHT, "[10, 10, 30, 30]", "exact"),
            Case(_RIGHT, "[10, 10, 30, 20]", "an IoU of 1/2"),
            Case((10, 10, 13, 13), "[11, 10, 14, 14]", "3 px, beside by one"),
            Case((10, 10, 11, 30), "[10, 10, 11, 30]", "exact, 1 px wide"),
            Case(_RIGHT, "10, 10, 30, 30", "no brackets"),
            Case(_RIGHT, "[0.1, 0.1, 0.3, 0.3]", "in parts of the sides"),
            Case(_RIGHT, "[100, 100, 300, 300]", "in 0-1000"),
            Case(_RIGHT, "There is none.", "no box"),
        ),
    ),
)
"""Captions and detection are left out: their protocols share the metrics, and ``bench detections`` compares
the presets."""


def row_of(family: Family, case: Case) -> Row:
    """A row of a log for a case: an image of 100 x 100 px, shown as it is."""
    fields = {"kind": family.kind, **family.fields, **case.fields}
    kind = fields.pop("kind")
    if isinstance(case.gold, tuple):
        truth = Truth((), box_quads([case.gold]), ("object",))
    else:
        truth = Truth(tuple(case.gold) if kind == "choice" else (case.gold,))
    item = Item("case", ("image.png",), kind, "", truth, **fields)
    return Row(item, case.reply, View(Window(0, 0, 100, 100), Size(100, 100)), "stop", contract="qwen2.5-vl")


def scores(family: Family, benchmark: str) -> dict[str, tuple[float | None, ...]]:
    """Score of each case by name of the protocol."""
    return {
        name: tuple(protocol.judge(row_of(family, case)).score for case in family.cases)
        for name, protocol in PROTOCOLS[benchmark].items()
    }


def table(family: Family) -> str:
    """The cases of a family under all protocols of its benchmarks, in Markdown; disagreement is in bold."""
    columns: dict[tuple[float | None, ...], list[str]] = {}
    for benchmark in family.benchmarks:
        for name, column in scores(family, benchmark).items():
            columns.setdefault(column, []).append(f"{benchmark} {name}")
    heads = [_head(names, family) for names in columns.values()]
    lines = [["right", "reply", *heads, ""], ["---"] * (len(heads) + 3)]
    for index, case in enumerate(family.cases):
        found = [column[index] for column in columns]
        marked = [f"**{_shown(score)}**" if len(set(found)) > 1 else _shown(score) for score in found]
        lines.append([_gold(case), _code(case.reply), *marked, case.note])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def document(benchmarks: Sequence[str] = tuple(PROTOCOLS)) -> str:
    """The tables of some benchmarks under headings."""
    chosen = [family for family in FAMILIES if not set(benchmarks).isdisjoint(family.benchmarks)]
    parts = []
    for family in chosen:
        split = sum(_disagree(family, index) for index in range(len(family.cases)))
        count = f"{split} of {counted(len(family.cases), 'reply')} are judged differently by some protocol."
        parts.append(f"### {family.title}\n\n{count}\n\n{table(family)}")
    return "\n\n".join(parts)


def _disagree(family: Family, index: int) -> bool:
    found = {
        column[index] for benchmark in family.benchmarks for column in scores(family, benchmark).values()
    }
    return len(found) > 1


def _head(names: Sequence[str], family: Family) -> str:
    """The protocols of a column, with the benchmarks that have it where not all do."""
    by_protocol: dict[str, list[str]] = {}
    for name in names:
        benchmark, _, protocol = name.rpartition(" ")
        by_protocol.setdefault(protocol, []).append(benchmark)
    return "; ".join(
        protocol if len(who) == len(family.benchmarks) else f"{protocol}: {', '.join(who)}"
        for protocol, who in by_protocol.items()
    )


def _gold(case: Case) -> str:
    return _code(case.gold) if isinstance(case.gold, str) else ", ".join(f"{side:g}" for side in case.gold)


def _code(text: str) -> str:
    return f"`{text}`" if text.strip() == text and text else f'`"{text}"`'


def _shown(score: float | None) -> str:
    return "\u2013" if score is None else f"{score:.2g}"
