"""``--aliases`` of ``detect``: other words of a model find their classes, and that is said."""

from __future__ import annotations

import json

import pytest

from rscovlm.cli.aliases import words_for
from rscovlm.errors import UsageError
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import TRUTH, find_squares, paint


@pytest.fixture
def boats(scripted):
    """A model that calls ships boats."""
    return scripted(lambda conversation: find_squares(conversation).replace("ship", "boat"))


def test_synonyms_in_replies_are_the_classes_that_were_asked_for(run, boats, tmp_path):
    scene = paint(tmp_path / "squares.tif")
    command = ("detect", scene, "--model", MODEL, "--classes", "plane,ship", "--json")
    without = json.loads(run(*command).out)
    assert without["objects"] == {}
    assert without["parsing"]["unknown_labels"]["boat"] > 0
    words = tmp_path / "words.txt"
    words.write_text("boat = ship\n")
    for aliases in ("dota", words):
        found = json.loads(run(*command, "--aliases", aliases).out)
        assert found["objects"] == {"ship": len(TRUTH)}
        boxes = found["parsing"]["boxes"]
        assert found["parsing"]["repaired"]["label by alias"] == boxes
        assert found["parsing"]["aliases"] == {"boat": boxes}
    done = run(*command[:-1], "--aliases", "dota")
    assert f"aliases (boat {boxes})" in done.err
    assert "no such class, left out: tennis-court, " in done.err


def test_words_for_other_classes_are_left_out_and_none_at_all_is_an_error(run, boats, tmp_path, capsys):
    assert words_for("dota", ["ship"]) == {"boat": "ship", "vessel": "ship", "watercraft": "ship"}
    assert "left out: tennis-court" in capsys.readouterr().err
    with pytest.raises(UsageError, match="none of them is a class: unicorn"):
        words_for("dota", ["unicorn"])
    scene = paint(tmp_path / "squares.tif")
    done = run("detect", scene, "--model", MODEL, "--aliases", "dotta")
    assert (done.code, done.out) == (2, "")
    assert "no alias list 'dotta'" in done.err
