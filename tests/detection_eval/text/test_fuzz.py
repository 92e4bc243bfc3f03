"""Two thousand of the replies of ``make fuzz``, which checks a hundred thousand."""

import pytest

from tests.detection_eval.text.fuzzing import NAMES, check_many


@pytest.mark.parametrize("part", range(4))
def test_spoilt_replies_raise_nothing_take_linear_time_and_lose_no_complete_box(part):
    kinds, *_ = check_many(seed=1, indices=range(500 * part, 500 * part + 500))
    assert kinds["repaired"] > len(NAMES)  # the replies are spoilt, and not beyond recognition
    assert kinds["unparsable"] > len(NAMES)
