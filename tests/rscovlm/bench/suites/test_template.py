"""docs/adding_a_benchmark.md, followed to the letter on the data that it shows."""

import importlib.util
import re
from pathlib import Path

import pytest

from rscovlm.bench.suites.custom import load_benchmark
from rscovlm.bench.suites.hashes import file_hashes
from tests.rscovlm.bench.suites.laid_out import assert_true_to, bounds, pictures

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE = (DOCS / "adding_a_benchmark.md").read_text(encoding="utf-8")
TEMPLATE = DOCS / "benchmark_template.py"


def block(title):
    return re.search(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE, re.S)[1]


@pytest.fixture
def root(tmp_path):
    pictures(tmp_path / "pictures", ["a.png"])
    (tmp_path / "ponds_test.jsonl").write_text(block("ROOT/ponds_test.jsonl"))
    return tmp_path


@pytest.fixture
def ponds():
    spec = importlib.util.spec_from_file_location("ponds", TEMPLATE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PONDS


def test_the_template_has_fewer_than_sixty_lines():
    assert len(TEMPLATE.read_text().splitlines()) < 60
    assert "benchmark_template.py" in PAGE


def test_the_template_reads_the_records_of_the_page(ponds, root):
    reading = ponds.read(root, "test")
    found = list(reading)
    assert_true_to(ponds, found)
    assert [(item.key, item.kind) for item in found] == [
        ("1", "open"),
        ("2", "choice"),
        ("3", "ground"),
        ("4", "open"),
    ]
    assert len(found) == ponds.counts["test"]
    assert found[0].truth.answers == ("2 m",)
    assert (found[1].options, found[1].truth.answers) == (("green", "blue"), ("B",))
    assert bounds(found[2]) == [10, 20, 110, 80]
    assert found[2].groups == {"category": "place", "size": "medium"}
    assert found[3].images == (str(root / "pictures" / "gone.png"),)
    assert reading.account.left_out == {"no right answer": 1, "a retired question": 1}
    assert reading.account.changed == {"items whose image is missing": 1}


def test_it_is_a_benchmark_with_protocols_and_fingerprints(ponds, root):
    assert set(ponds.protocols) == {"strict", "answered"}
    assert ponds.files == {"test": ("ponds_test.jsonl",)}
    assert list(file_hashes(ponds, root, "test")) == ["ponds_test.jsonl"]


def test_the_yaml_of_the_page_reads_the_same_questions(root):
    (root / "my.yaml").write_text(block("my.yaml"))
    benchmark, folder = load_benchmark(root / "my.yaml")
    reading = benchmark.read(folder, "test")
    found = list(reading)
    assert [item.key for item in found] == ["1", "2", "4"]
    assert found[0].groups == {"topic": "depth"}
    assert reading.account.left_out == {"no answer": 2, "no right answer": 1}
