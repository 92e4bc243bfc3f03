"""Broken samples are counted by kind, with their first places."""

import pytest

from rscovlm.data.broken import Broken, kind_of, skipped_counts, skipped_line
from rscovlm.data.example import Key
from rscovlm.data.loading import Skipped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "/data/x.jsonl:3: sample 'a': box 0 has no area",
            "/data/x.jsonl:77: sample 'b': box 12 has no area",
        ),
        ("y.parquet: row 3: sample 'a': x: missing", "y.parquet: row 9: sample 'it is': x: missing"),
        ("images/P1.png has 200 x 100 px", "images/P2.png has 1 x 12 px"),
        ("8,500 tokens; a pack holds 4096", "9001 tokens; a pack holds 4096"),
    ],
)
def test_names_paths_and_numbers_do_not_make_another_kind(one, other):
    assert kind_of(one) == kind_of(other)


def test_what_is_wrong_makes_another_kind():
    assert kind_of("x.jsonl:3: sample 'a': box 0 has no area") != kind_of("x.jsonl:3: sample 'a': no turns")


def test_each_kind_has_its_count_and_its_first_places():
    broken = Broken()
    for number in range(5):
        broken.add(f"x.jsonl:{number}: sample 'a{number}': box 0 has no area")
    broken.add("x.jsonl:9: not JSON")
    assert len(broken) == 6
    assert broken.lines() == [
        "5 broken: box # has no area",
        "  x.jsonl:0: sample 'a0': box 0 has no area",
        "  x.jsonl:1: sample 'a1': box 0 has no area",
        "  x.jsonl:2: sample 'a2': box 0 has no area",
        "  and 2 more",
        "1 broken: not JSON",
        "  x.jsonl:9: not JSON",
    ]
    assert [entry["samples"] for entry in broken.to_json()] == [5, 1]


def test_a_run_tells_in_one_line_what_it_left_out():
    key = Key("a", 0, 0)
    skipped = [Skipped(key, "broken", f"x.jsonl:{i}: box {i} has no area") for i in range(3)]
    skipped += [Skipped(key, "broken", "x.jsonl:8: not JSON"), Skipped(key, "too long", "9000 tokens")]
    counts = skipped_counts(skipped)
    assert {why: sum(kinds.values()) for why, kinds in counts.items()} == {"broken": 4, "too long": 1}
    assert skipped_line(counts, 10) == (
        "5 of 10 samples (50 %) were not trained on; "
        "4 broken: mostly (3) box # has no area; 1 too long: # tokens"
    )
    assert skipped_line(skipped_counts([]), 10) is None
