"""Several runs in one file, and the runs of a resize audit."""

import pytest

from configs import ConfigError
from rscovlm.bench.runs.plan import Entry, audit, load_plan, slug
from tests.rscovlm.bench.made import item


def plan(tmp_path, text):
    path = tmp_path / "runs.yaml"
    path.write_text(text)
    return load_plan(str(path))


def test_a_run_has_what_it_says_else_what_is_said_for_all(tmp_path):
    found = plan(
        tmp_path,
        """
        model: nano
        zoom: chain
        data: {synth: here, lrs-vqa: there}
        runs:
          - {benchmark: synth}
          - {benchmark: lrs-vqa, zoom: off, limit: 5}
          - {benchmark: synth, data: elsewhere, blind: text}
        """,
    )
    assert found[0] == Entry(benchmark="synth", data="here", model="nano", zoom="chain")
    assert found[1] == Entry(benchmark="lrs-vqa", data="there", model="nano", zoom="off", limit=5)
    assert (found[2].data, found[2].blind) == ("elsewhere", "text")


def test_one_folder_may_hold_all(tmp_path):
    assert plan(tmp_path, "data: all\nruns: [{benchmark: synth}]")[0].data == "all"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs: []", "runs"),
        ("runs: [{benchmrk: synth}]", "did you mean benchmark"),
        ("runs: [{zoom: twice}]", "zoom"),
        ("runs: [{limit: 0}]", "limit"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        plan(tmp_path, text)


def test_an_audit_shows_all_the_overview_what_is_configured_the_evidence_and_nothing():
    entry = Entry(benchmark="synth", zoom="single", label="mine")
    runs = audit(entry, (item("a", evidence=(0, 0, 1, 1)),))
    assert [(each.zoom, each.blind) for each in runs] == [
        ("direct", None),
        ("off", None),
        ("single", None),
        ("oracle", None),
        (None, "text"),
    ]
    assert {each.label for each in runs} == {None}
    assert "oracle" not in [each.zoom for each in audit(entry, (item("a"),))]


def test_a_label_becomes_a_folder():
    assert slug("nano, blind (text)") == "nano-blind-text"
    assert slug("http://host:8000/v1#RSCoVLM-7B, chain") == "http-host-8000-v1-rscovlm-7b-chain"
    assert slug("../..") == "run"
