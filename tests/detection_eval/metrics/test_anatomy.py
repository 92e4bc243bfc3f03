"""Each kind of error by example, and what mending it brings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.metrics.anatomy import KINDS, anatomy, misplacement
from detection_eval.metrics.confidence_free import block_ap
from detection_eval.metrics.counts import count
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.metrics.matching import FALSE, match
from detection_eval.metrics.overlaps import overlap
from detection_eval.metrics.presets import PRESETS, STRICT, preset
from tests.detection_eval.problems import apart, boxes, random_problem

seeds = st.integers(0, 2**32 - 1)
NAMES = ("plane", "ship")


def dissected(objects, found, difficulty=None):
    laid = overlap({"a": GroundTruth(objects, difficulty)}, {"a": found}, STRICT)
    return anatomy(laid, match(laid, 0.5))


def kinds_of(result):
    return ["-" if k < 0 else KINDS[k] for k in result.kind]


# An object of 40 x 10 px at 30 degrees, and detections that each have one fault.
OBJECT = [100.0, 100.0, 40.0, 10.0, np.radians(30)]
FAULTS = {
    "centre": [100.0 + 4, 100.0 - 5, 40.0, 10.0, np.radians(30)],
    "size": [100.0, 100.0, 17.0, 10.0, np.radians(30)],
    "angle": [100.0, 100.0, 40.0, 10.0, np.radians(30 + 32)],
    "swap": [100.0, 100.0, 10.0, 40.0, np.radians(30)],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_of_a_loose_box_is_the_one_whose_correction_helps_most(fault):
    objects = Detections(boxes_to_quads([OBJECT]), [0], ("plane",))
    result = dissected(objects, Detections(boxes_to_quads([FAULTS[fault]]), [0], ("plane",)))
    assert kinds_of(result) == [fault]
    assert result.target.tolist() == [0]
    assert not result.missed.any()  # a mended place would find it
    assert result.gain[KINDS.index(fault)] == 1


@settings(max_examples=25, deadline=None)
@given(
    fault=st.sampled_from(sorted(FAULTS)),
    turn=st.floats(-3, 3),
    mirrored=st.booleans(),
    rotated=st.integers(0, 3),
)
def test_the_fault_does_not_depend_on_direction_or_on_how_vertices_are_listed(fault, turn, mirrored, rotated):
    pair = boxes_to_quads([OBJECT, FAULTS[fault]])
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    there, found = (pair - 100) @ spin * ([-1, 1] if mirrored else [1, 1])
    kind = misplacement(np.roll(found, rotated, axis=0)[None], there[None])
    assert KINDS[kind[0]] == fault


def test_a_square_has_no_width_and_height_to_swap():
    square, turned = boxes_to_quads([[0, 0, 20, 20, 0], [9, 9, 20, 19.9, 0]])
    assert KINDS[misplacement(turned[None], square[None])[0]] == "centre"


def test_kinds_that_are_not_of_place():
    objects = boxes(apart(3), [0, 0, 1], classes=NAMES)
    shifted = apart(3)[2] + [7, 0, 7, 0]  # IoU 3 / 17 with the ship
    found = boxes(
        [apart(3)[0], apart(3)[0], apart(3)[1], shifted, apart(1, start=9)[0]], [0, 0, 1, 0, 1], classes=NAMES
    )
    result = dissected(objects, found)
    assert kinds_of(result) == ["-", "duplicate", "class", "both", "background"]
    assert result.missed.tolist() == [False, False, True]  # the second plane is there under a wrong name
    assert result.numbers[KINDS.index("missed")].tolist() == [0, 1]
    assert result.numbers[KINDS.index("class")].tolist() == [0, 1]


def test_what_mending_brings_is_the_value_of_the_mended_counts():
    # plane: 1 right and 1 duplicate of 2 objects, the other is missed: P 1/2, R 1/2, APnc 1/2 * 6/11
    objects = boxes(apart(2))
    result = dissected(objects, boxes([apart(1)[0]] * 2))
    assert result.apnc == pytest.approx(1 / 2 * 6 / 11)
    gain = dict(zip(KINDS, result.gain))
    assert gain["duplicate"] == pytest.approx(6 / 11 - 3 / 11)
    assert gain["missed"] == pytest.approx(1 / 2 - 3 / 11)  # P stays, R is 1
    assert gain["background"] == gain["class"] == gain["centre"] == 0


def test_two_wrong_boxes_of_one_object_mend_it_once():
    objects = boxes(apart(2))
    result = dissected(objects, boxes([[4, 0, 14, 10], [5, 0, 15, 10]]))  # IoU 6/14 and 5/15 with the first
    assert kinds_of(result) == ["centre", "centre"]
    assert result.gain[KINDS.index("centre")] == pytest.approx(6 / 11)  # one of two, nothing wrong


def test_mending_a_loose_box_of_an_object_that_is_found_takes_it_away_and_finds_nothing_more():
    # one object, a right box and one at IoU 4/16: APnc 1/2, and 1 once the loose box is gone
    result = dissected(boxes(apart(1)), boxes([[0, 0, 10, 10], [6, 0, 16, 10]]))
    assert kinds_of(result) == ["-", "centre"]
    assert result.gain[KINDS.index("centre")] == pytest.approx(1 / 2)


def test_an_object_whose_right_box_is_below_the_threshold_is_missed():
    laid = overlap({"a": GroundTruth(boxes(apart(1)))}, {"a": boxes(apart(1), scores=[0.2])}, STRICT)
    result = anatomy(laid, match(laid, 0.5), laid.scores > 0.5)
    assert kinds_of(result) == ["-"]
    assert result.missed.tolist() == [True]
    assert result.numbers[KINDS.index("missed")].tolist() == [1]


@pytest.mark.parametrize(("name", "kind"), [("strict", "duplicate"), ("devkit-v1.0", "centre")])
def test_an_overlap_equal_to_the_level_reaches_it_as_the_preset_says(name, kind):
    # 3 x 1 boxes one apart have 2 in common of 4
    laid = overlap(
        {"a": GroundTruth(boxes([[0, 0, 3, 1]]))}, {"a": boxes([[0, 0, 3, 1], [1, 0, 4, 1]])}, preset(name)
    )
    assert kinds_of(anatomy(laid, match(laid, 0.5)))[1] == kind


def test_a_duplicate_that_reaches_another_class_too_is_named_by_the_class():
    objects = boxes([[0, 0, 10, 10], [2, 0, 12, 10]], [0, 1], classes=NAMES)
    found = boxes([[0, 0, 10, 10], [1, 0, 11, 10]], [0, 0], classes=NAMES)  # IoU 9/11 with both
    assert kinds_of(dissected(objects, found)) == ["-", "class"]


def test_only_boxes_that_lie_across_their_object_are_swapped():
    # 20 x 16 px, 10 px too low: IoU 120/520 = 0.23; turned by a right angle 128/512 = 0.25
    there, found = boxes_to_quads([[0, 0, 20, 16, 0], [0, 10, 20, 16, 0]])
    assert KINDS[misplacement(found[None], there[None], 0.24)[0]] == "centre"
    across = boxes_to_quads([[0, 0, 16, 20, 0]])
    assert KINDS[misplacement(across, there[None], 0.24)[0]] == "swap"


def test_ignored_objects_explain_nothing():
    result = dissected(boxes(apart(1), [0], classes=NAMES), boxes(apart(1), [1], classes=NAMES), [1])
    assert kinds_of(result) == ["background"]
    assert not result.missed.any()


@settings(max_examples=12, deadline=None)
@given(seed=seeds, name=st.sampled_from(sorted(PRESETS)), scored=st.booleans())
def test_every_wrong_detection_has_one_kind_and_mending_never_costs(seed, name, scored):
    laid = overlap(*random_problem(seed, scored=scored), preset(name))
    matches = match(laid, 0.5)
    keep = None if laid.scores is None else laid.scores > 0.4
    result = anatomy(laid, matches, keep)
    wrong = matches.verdict == FALSE if keep is None else (matches.verdict == FALSE) & keep
    np.testing.assert_array_equal(result.kind >= 0, wrong)
    counts = count(laid, matches, keep)
    assert result.numbers[:-1].sum() == counts.false.sum()
    assert result.apnc == pytest.approx(np.nan_to_num(_mean(laid, counts)), nan_ok=True)
    if not np.isnan(result.apnc):
        assert (result.gain[~np.isnan(result.gain)] >= -1e-12).all()


def _mean(laid, counts):
    known = block_ap(counts, laid.preset)
    if laid.preset.absent == "zero":
        return np.nan_to_num(known).mean()
    return known[~np.isnan(known)].mean() if (~np.isnan(known)).any() else 0.0
