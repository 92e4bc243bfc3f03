"""``rscovlm ask --evidence``: what was counted, on the map."""

from __future__ import annotations

import json

import geopandas

from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import PLACES, find_squares, paint


def test_a_count_comes_with_a_map_layer_of_what_was_counted(run, scripted, tmp_path):
    scene = paint(tmp_path / "squares.tif", gsd_m=1.2)
    scripted(find_squares)
    layer = tmp_path / "ships.gpkg"
    done = run(
        *("ask", scene, "How many ships are there?", "Where are the ships?", "--model", MODEL),
        *("--zoom", "sweep", "--evidence", layer, "--json"),
    )
    assert done.code == 0
    count = len(PLACES)
    answers = json.loads(done.out)["answers"]
    assert answers[0]["answer"] == str(count)
    assert len(answers[0]["objects"]) == count
    found = geopandas.read_file(layer, layer=0)
    # Both questions count the same objects: a row for each of the two.
    asked = {1: "How many ships are there?", 2: "Where are the ships?"}
    assert len(found) == 2 * count
    assert dict(zip(found["question_id"], found["question"])) == asked
    shapes = {number: rows.geometry.reset_index(drop=True) for number, rows in found.groupby("question_id")}
    assert len(shapes[1]) == count
    assert shapes[1].geom_equals(shapes[2]).all()
    assert set(found["class"]) == {"ship"}
    assert found.crs.to_epsg() == 32633


def test_only_a_sweep_counts(run, scripted, scene, tmp_path):
    scripted(find_squares)
    done = run(
        "ask", scene, "How many?", "--model", MODEL, "--zoom", "chain", "--evidence", tmp_path / "e.gpkg"
    )
    assert done.code == 2
    assert "--zoom chain counts nothing; use --zoom sweep" in done.err
