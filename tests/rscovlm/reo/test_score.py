"""A file of predictions scored."""

import numpy as np
import pytest

from rscovlm.errors import DataError
from rscovlm.reo.score import card, read_predictions, records_of, tables, to_json
from rscovlm.scoring.prediction_files import stated_in


def records(tiles, seed, each=40, spread=20.0):
    """Predictions with errors of 40 whose deviation is stated as half of that."""
    rng = np.random.default_rng(seed)
    found = []
    for tile in tiles:
        for _ in range(each):
            group = str(rng.choice(["forest", "crop"]))
            truth = float(rng.normal(200 if group == "forest" else 30, 20))
            found.append(
                {
                    "tile": tile,
                    "group": group,
                    "truth": truth,
                    "prediction": truth + float(rng.normal(0, 40)),
                    "std": spread,
                }
            )
    return found


@pytest.fixture(scope="module")
def test_set():
    return stated_in(records([f"t{i}" for i in range(12)], 1), "test")


@pytest.fixture(scope="module")
def validation():
    return stated_in(records([f"v{i}" for i in range(12)], 2), "val")


def test_baselines_do_not_know_the_tile_that_they_are_scored_on(test_set):
    found = card(test_set)
    own = test_set.predictions
    other = found.methods["mean of other tiles"]
    outside = own.tile != own.tile[0]
    assert other.mean[0] == pytest.approx(own.truth[outside].mean())
    by_group = found.methods["mean of its group, other tiles"]
    alike = outside & (own.group == own.group[0])
    assert by_group.mean[0] == pytest.approx(own.truth[alike].mean())
    assert found.scores("model")["rmse"].value == pytest.approx(40, rel=0.1)
    assert found.scores("mean of its group, other tiles")["rmse"].value == pytest.approx(20, rel=0.2)


def test_training_labels_make_the_baselines_where_they_are_given(test_set):
    train = stated_in([{"truth": 7.0, "prediction": 1, "group": "crop"}] * 3, "train")
    found = card(test_set, train=train)
    assert set(found.methods["mean of training labels"].mean.tolist()) == {7.0}


@pytest.mark.parametrize("method", ["temperature", "isotonic", "conformal", "mondrian", "binned"])
def test_each_recalibration_brings_intervals_that_are_too_narrow_to_their_level(test_set, validation, method):
    found = card(test_set, validation=validation, methods=[method])
    assert found.spread("as stated")["coverage_90"] < 0.7
    assert found.spread(method)["coverage_90"] == pytest.approx(0.9, abs=0.04)
    assert found.spread(method)["crps"] < found.spread("as stated")["crps"]


def test_validation_that_is_scored_too_is_refused(test_set):
    with pytest.raises(DataError, match="share 12 tiles"):
        card(test_set, validation=test_set, methods=["temperature"])


def test_tables_have_the_model_first_and_leave_out_what_would_be_empty(test_set):
    made = {table.title: table for table in tables(card(test_set), "Mg/ha")}
    assert list(made) == ["Scores, Mg/ha", "Spread", "Sparsification", "By label", "By group"]
    assert made["Scores, Mg/ha"].rows[0][0] == "model"
    assert [row[0] for row in made["By group"].rows] in (["forest", "crop"], ["crop", "forest"])
    some = records(["a", "b"], 3)
    some[0]["prediction"] = None
    titles = [table.title for table in tables(card(stated_in(some, "x")), "")]
    assert "Answered" in titles


def test_what_was_recalibrated_is_read_again_as_it_was(test_set, validation, tmp_path):
    found = card(test_set, validation=validation, methods=["conformal"])
    again = stated_in(records_of(found.spreads["conformal"]), "again").predictions
    np.testing.assert_allclose(again.quantiles, found.spreads["conformal"].quantiles)


def test_everything_is_json(test_set):
    data = to_json(card(test_set))
    assert data["scores"]["model"]["rmse"]["low"] < data["scores"]["model"]["rmse"]["value"]
    assert data["spread"]["as stated"]["crps_closed"] > 0
    assert data["bins"][9]["rmse"] is None


def test_files_that_cannot_be_scored(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_predictions(tmp_path / "gone.csv", {}, 0.9, "")
    with pytest.raises(DataError, match="no plot has both"):
        card(stated_in([{"truth": None, "prediction": 1}], "x"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "obs,pred\n1.5,2\n3,4\n"),
        ("semicolons.csv", "obs;pred\n1,5;2\n3;4,0\n"),
        ("tabs.csv", "obs\tpred\n1.5\t2\n3\t4\n"),
        ("tabs.tsv", "obs\tpred\n1.5\t2\n3\t4\n"),
        ("commented.csv", "# made by a tool\n# in 2026\nobs,pred\n1.5,2\n3,4\n"),
        ("r.csv", '"","obs","pred"\n"1",1.5,2\n"2",3,4\n'),
        ("lists.json", '{"obs": [1.5, 3], "pred": [2, 4]}'),
        ("pandas.json", '{"obs": {"0": 1.5, "1": 3}, "pred": {"0": 2, "1": 4}}'),
        ("split.json", '{"columns": ["obs", "pred"], "index": [0, 1], "data": [[1.5, 2], [3, 4]]}'),
        ("records.json", '[{"obs": 1.5, "pred": 2}, {"obs": 3, "pred": 4}]'),
    ],
)
def test_tables_are_read_as_other_tools_write_them(tmp_path, name, content):
    """JSON is UTF-8, with a mark before it or without."""
    for encoding in ("utf-8", "utf-8-sig", *(() if name.endswith("json") else ("utf-16",))):
        (tmp_path / name).write_text(content, encoding=encoding)
        found = read_predictions(tmp_path / name, {}, 0.9, "Mg/ha").predictions
        assert (found.truth.tolist(), found.mean.tolist()) == ([1.5, 3], [2, 4]), encoding


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("twice.csv", b"obs,pred,pred\n1,2,3\n", "the column 'pred' stands twice in the header"),
        ("numbers.csv", b"1,2\n3,4\n", "its first line holds numbers"),
        ("latin.csv", "obs,pr\xe9d\n1,2\n".encode("latin-1"), "is not UTF-8"),
        ("table.xlsx", b"PK", r"is no table of predictions; give \.csv"),
        ("ragged.csv", b"# a\nobs,pred\n1,2\n3\n", r"ragged\.csv:4: it has not as many columns"),
    ],
)
def test_tables_that_cannot_be_read_are_one_line(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_predictions(tmp_path / name, {}, 0.9, "Mg/ha")
