"""The tables of disagreement, and that the document has them as the code gives them."""

import re
from pathlib import Path

import pytest

from rscovlm.bench.protocols.catalogue import PROTOCOLS
from rscovlm.bench.protocols.disagreement import FAMILIES, document, row_of, scores, table

DOCUMENT = Path(__file__).parents[4] / "docs" / "protocols.md"


def test_the_document_holds_the_tables_as_the_code_gives_them():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document() in text, "run: rscovlm bench protocols --tables, and put its output into the document"


def test_the_document_names_every_benchmark():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in PROTOCOLS if f"`{name}`" not in text] == []


def test_a_family_shows_each_protocol_of_its_benchmarks_once():
    for family in FAMILIES:
        head = table(family).splitlines()[0]
        for name in ("official", "rscovlm", "strict"):
            assert re.search(rf"\b{name}\b", head)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.title)
def test_a_reply_on_which_protocols_differ_is_marked(family):
    lines = table(family).splitlines()[2:]
    assert len(lines) == len(family.cases)
    columns = [scores(family, name).values() for name in family.benchmarks]
    for index, line in enumerate(lines):
        found = {column[index] for each in columns for column in each}
        assert (len(found) > 1) == ("**" in line.replace("`**", "").split("` | ", 2)[-1])


def test_a_case_is_a_row_of_a_log():
    boxes = next(family for family in FAMILIES if family.kind == "ground")
    row = row_of(boxes, boxes.cases[0])
    assert row.item.truth.polygons.shape == (1, 4, 2)
    assert row.text == "[10, 10, 30, 30]"


def test_benchmarks_can_be_chosen():
    assert document(["lrs-vqa"]).startswith("### Open questions of LRS-VQA\n")
    assert "###" not in document(["lrs-vqa"])[4:]
    assert document(["dota-v1.0"]) == ""
