"""Data: other scenes for training, calibration and test, and questions that only the scale decides."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rscovlm.data.geoscale.build import ScaleData, ScalePlan, build_scales
from rscovlm.data.geoscale.questions import ScaleQuestion
from rscovlm.data.geoscale.views import at_any_scale, synthetic_views
from rscovlm.data.store import SampleFile
from rscovlm.errors import UsageError
from rscovlm.scale.conditions import conditions
from rscovlm.scale.data import ideal_hits, write_data
from rscovlm.scale.methods import Budget
from tests.rscovlm.data.geoscale.material import view

SMALL = Budget(train_views=9, calibration_views=3, test_views=6, questions=8, side=32)


def read(folder, name):
    return list(SampleFile(folder / f"{name}.jsonl"))


def test_training_calibration_and_test_are_of_other_scenes_and_both_files_ask_the_same(tmp_path):
    write_data(tmp_path, SMALL)
    plain, stated = read(tmp_path, "train"), read(tmp_path, "train_stated")
    calibration, test = read(tmp_path, "calibration"), read(tmp_path, "test")
    assert [sample.turns[1] for sample in plain] == [sample.turns[1] for sample in stated]
    assert all("<gsd>" in sample.turns[0].text for sample in stated)
    scenes = [{sample.attributes["scene"] for sample in part} for part in (plain, calibration, test)]
    assert sum(map(len, scenes)) == len(set.union(*scenes))
    assert len(calibration) == len(scenes[1])  # each view once
    ideal = json.loads((tmp_path / "ideal.json").read_text())
    assert all(len(hits) == len(test) for hits in ideal.values())


def test_a_tier_that_is_left_out_is_tested_and_not_trained_on(tmp_path):
    write_data(tmp_path, replace(SMALL, left_out="objects"))
    assert "objects" not in {sample.attributes["tier"] for sample in read(tmp_path, "train")}
    assert "objects" in {sample.attributes["tier"] for sample in read(tmp_path, "test")}


def test_scales_are_dealt_anew_and_pictures_stay():
    before = list(synthetic_views(30, 32, 1))
    after = list(at_any_scale(before, 1))
    assert [view.picture for view in after] == [view.picture for view in before]
    assert all(view.tier.low_m <= view.gsd_m < view.tier.high_m for view in after)
    assert len({view.tier.name for view in after}) == 3
    order = np.corrcoef(np.log([[each.gsd_m for each in some] for some in (before, after)]))[0, 1]
    assert abs(order) < 0.5  # of 30 pairs that have nothing to do with each other, in 99 % of cases


def test_who_reads_without_error_is_always_right_when_told_the_truth_and_far_from_it_when_told_nothing():
    views = list(at_any_scale(synthetic_views(40, 32, 3), 3))
    data = build_scales(views, ScalePlan())
    found = {name: np.mean(hits) for name, hits in ideal_hits(data, conditions(0), 0).items()}
    assert found["oracle"] == 1
    assert found["missing"] < 0.7
    assert found["x0.01"] < found["x0.3"] < 1 > found["x3"] > found["x100"]


def test_told_nothing_the_most_probable_answer_is_taken():
    # Of three tiers in turn, two are below 10 m.
    rule = lambda gsd_m: "fine" if gsd_m < 10 else "coarse"  # noqa: E731
    views = (view(0.5, name="a"), view(20.0, name="b"))
    asked = [
        ScaleQuestion(each.id, "How?", rule(each.gsd_m), "discriminative", "x", "t", rule=rule)
        for each in views
    ]
    hits = ideal_hits(ScaleData(views, tuple(asked)), conditions(0), 0)
    assert hits["missing"] == [True, False]
    assert hits["x100"] == [False, True]


@pytest.mark.parametrize("wrong", [{"pixels": "loud"}, {"left_out": "oceans"}])
def test_budgets_that_mean_nothing_are_refused(wrong):
    with pytest.raises(UsageError, match="is unknown; choose from"):
        Budget(**wrong)
