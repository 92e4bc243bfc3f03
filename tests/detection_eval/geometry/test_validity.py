"""Validity of quadrilaterals, and what each policy makes of invalid ones."""

import numpy as np
import pytest

from detection_eval.geometry.quads import (
    area,
    is_convex,
)
from detection_eval.geometry.validity import examine, repair

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


BOW_TIE = [[0, 0], [4, 4], [4, 0], [0, 4]]


DART = [[0, 0], [4, 2], [0, 4], [1, 2]]


LINE = [[0, 0], [1, 1], [2, 2], [3, 3]]


NOWHERE = [[0, 0], [4, 0], [4, np.nan], [0, 4]]


TRIANGLE = [[0, 0], [4, 0], [4, 4], [4, 4]]


def test_each_defect_is_found_by_name_and_a_square_has_none():
    found = examine([SQUARE, BOW_TIE, DART, LINE, NOWHERE, TRIANGLE], 4, 3.5)
    assert found.self_intersecting.tolist() == [False, True, False, False, False, False]
    assert found.concave.tolist() == [False, False, True, False, False, False]
    assert found.zero_area.tolist() == [False, False, False, True, False, False]
    assert found.not_finite.tolist() == [False, False, False, False, True, False]
    assert found.duplicate_vertices.tolist() == [False, False, False, False, False, True]
    assert found.out_of_canvas.tolist() == [True, True, True, False, False, True]
    assert found.non_rectangular.tolist() == [False, True, True, False, False, True]
    assert found.counts()["concave"] == 1


def test_policies_mend_drop_or_keep_broken_quadrilaterals():
    broken = [SQUARE, BOW_TIE, DART, LINE, NOWHERE]
    mended, index = repair(broken, "hull")
    assert index.tolist() == [0, 1, 2]
    assert area(mended).tolist() == [16, 16, 8]
    assert is_convex(mended).all()
    assert repair(broken, "reject")[1].tolist() == [0]
    assert repair(broken, "keep")[1].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="choose hull, reject or keep"):
        repair(broken, "fix")
