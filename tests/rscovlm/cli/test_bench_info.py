"""``rscovlm bench list`` and ``bench info``."""

import json

from rscovlm.bench.suites import SUITES
from rscovlm.bench.synthetic import write_benchmark


def test_all_benchmarks_are_listed(run):
    done = run("bench", "list")
    assert [line.split()[0] for line in done.out.splitlines()] == list(SUITES)
    assert [record["name"] for record in json.loads(run("bench", "list", "--json").out)] == list(SUITES)


def test_a_benchmark_tells_layout_count_licence_and_how_to_get_it(run):
    out = run("bench", "info", "lrs-vqa").out
    for words in (
        "layout:",
        "licence:",
        "how to get it:",
        "test: 7333",
        "lrs-vqa/strict/1",
        "tasks: open, count",
    ):
        assert words in out


def test_with_its_folder_it_tells_what_is_there(run, tmp_path):
    count = write_benchmark(tmp_path, each=1, scenes=0)
    found = json.loads(run("bench", "info", "synth", "--data", tmp_path, "--json").out)["found"]
    assert found["items"] == count == 6
    assert len(found["files"]["items.jsonl"]) == 64


def test_an_unknown_name_is_answered_with_the_nearest(run):
    done = run("bench", "info", "lrs-vqq")
    assert (done.code, "did you mean lrs-vqa?" in done.err) == (2, True)
