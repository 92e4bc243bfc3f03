"""The reader of the synthetic benchmark; what it reads is tested in test_synthetic.py."""

import json

import pytest

from rscovlm.bench.records import item_to_json
from rscovlm.bench.suites import SUITES
from rscovlm.bench.suites.synth import SYNTH
from rscovlm.errors import DataError
from tests.rscovlm.bench.made import item


def test_items_are_read_in_order_with_their_images_below_the_folder(tmp_path):
    items = [item("b", image="images/b.png"), item("a", image="images/a.png")]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item_to_json(each)) + "\n" for each in items))
    found = list(SYNTH.read(tmp_path, "test"))
    assert [each.key for each in found] == ["b", "a"]
    assert found[0].images == (str(tmp_path / "images/b.png"),)


def test_a_missing_file_is_answered_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(DataError, match=f"rscovlm synth benchmark {tmp_path}"):
        list(SYNTH.read(tmp_path, "test"))


def test_a_line_that_is_no_item_is_named(tmp_path):
    (tmp_path / "items.jsonl").write_text('{"key": "a"}\n')
    with pytest.raises(DataError, match=r"items\.jsonl:1: images: is missing"):
        list(SYNTH.read(tmp_path, "test"))


def test_it_is_one_of_the_benchmarks():
    assert SUITES["synth"] is SYNTH
