"""The synthetic benchmark: every kind of task, the same for the same seed, true to its pictures."""

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from rscovlm.bench.item import Kind
from rscovlm.bench.suites.synth import SYNTH
from rscovlm.bench.synthetic import write_benchmark, write_zoom_benchmark
from rscovlm.scoring.answers import choice_letter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("synth")
    write_benchmark(path, each=3, scenes=2, size=1024)
    return path


@pytest.fixture(scope="module")
def items(folder):
    return list(SYNTH.read(folder, "test"))


def test_every_kind_of_task_is_there(items):
    kinds = Counter(item.kind for item in items)
    assert set(kinds) == set(get_args(Kind))
    assert all(kinds[kind] == 3 for kind in ("classify", "choice", "number", "ground", "detect", "caption"))


def test_the_same_seed_writes_the_same_items(folder, tmp_path):
    write_benchmark(tmp_path, each=3, scenes=2, size=1024)
    assert (tmp_path / "items.jsonl").read_bytes() == (folder / "items.jsonl").read_bytes()
    write_benchmark(tmp_path, each=3, scenes=0, seed=1)
    assert (tmp_path / "items.jsonl").read_bytes() != (folder / "items.jsonl").read_bytes()


def test_boxes_lie_in_their_pictures(items):
    for item in items:
        if item.kind in ("ground", "detect"):
            with Image.open(item.images[0]) as image:
                assert np.all(item.truth.polygons >= -1e-6)
                assert np.all(item.truth.polygons <= np.array(image.size) + 1e-6)
            assert len(item.truth.labels) == len(item.truth.polygons)


def test_the_right_letter_is_one_of_the_options_and_options_differ(items):
    for item in items:
        if item.kind == "choice":
            letters = [choice_letter(index) for index in range(len(item.options))]
            assert item.truth.answers[0] in letters
            assert len(set(item.options)) == len(item.options) >= 2


def test_questions_about_scenes_state_their_evidence(items):
    asked = [item for item in items if item.groups["size"] == "scene"]
    assert asked
    for item in asked:
        x0, y0, x1, y1 = item.evidence
        assert 0 <= x0 < x1 <= 1024 + 1
        assert 0 <= y0 < y1 <= 1024 + 1


def test_a_benchmark_of_zooming_has_scenes_of_each_size_and_questions_about_all_of_them(tmp_path):
    sizes = (512, 1024)
    count = write_zoom_benchmark(tmp_path, sizes, scenes=2, questions=5)
    items = list(SYNTH.read(tmp_path, "test"))
    assert len(items) == count
    by_image = Counter(item.images[0] for item in items)
    assert len(by_image) == 4
    assert max(by_image.values()) <= 5 + 2
    assert {item.groups["size"] for item in items} == {"512 px", "1,024 px"}
    whole = [item for item in items if item.groups["category"] in ("count, all", "presence, all")]
    assert len(whole) == 8
    assert all(item.evidence is None for item in whole)
    assert all(item.evidence is not None for item in items if item not in whole)


def test_questions_of_a_zoom_benchmark_are_spread_over_topics(tmp_path):
    write_zoom_benchmark(tmp_path, (4096,), scenes=1, questions=8)
    topics = Counter(item.groups["category"] for item in SYNTH.read(tmp_path, "test") if item.evidence)
    assert sum(topics.values()) == 8
    assert max(topics.values()) - min(topics.values()) <= 2
