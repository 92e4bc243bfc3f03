"""Ponds, a made-up benchmark of questions and boxes: a copy of this file is where a new benchmark begins."""

from __future__ import annotations

from collections.abc import Iterator

from rscovlm.bench.item import Item
from rscovlm.bench.suites.items import choice, grounding, groups_of, question
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of, id_of, text_of


def _item(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    """The item of one record; LeftOut names a record that makes none."""
    key = id_of(record, place, "number")
    image = pictures.locate(text_of(record, "file"))
    asked = text_of(record, "asked")
    groups = groups_of(record, category="topic")
    if record.get("outline"):
        yield grounding(key, image, asked, [box_of(record["outline"])], groups=groups)
    elif record.get("options"):
        yield choice(key, [image], asked, record["options"], record.get("right"), groups=groups)
    elif record.get("topic") == "retired":
        raise LeftOut("a retired question", asked)
    else:
        yield question(key, image, asked, record.get("right"), groups=groups)


PONDS = benchmark(
    Reader(
        "ponds",
        (Layout({"test": ("ponds_test.jsonl",)}, of_records(_item), ("pictures",)),),
        kinds=("open", "choice", "ground"),
        groups=("category", "size"),
    ),
    title="Ponds (made up)",
    layout="ROOT/ponds_test.jsonl with number, file, asked, right, topic\nROOT/pictures/",
    source="the page of its authors",
    licence="as its authors state it, in their words",
    counts={"test": 4},
)
