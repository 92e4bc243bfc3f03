"""Output contracts: combinations that contradict each other, and what cannot be asked."""

from dataclasses import replace

import pytest

from detection_eval.errors import SettingError
from detection_eval.text.contract import VertexForm, detection_prompt
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.coordinates import PIXELS


def test_an_angle_and_a_form_with_an_angle_go_together():
    plain = CONTRACTS["rscovlm-quad"]
    assert [form.has_angle for form in VertexForm] == [False, True, True, False]
    with pytest.raises(ValueError, match="do not go together"):
        replace(plain, form=VertexForm.ROTATED)
    with pytest.raises(ValueError, match="bins need a space with an extent"):
        replace(plain, space=PIXELS, binned=True)


def test_an_empty_class_list_is_refused():
    with pytest.raises(SettingError, match="empty class list"):
        detection_prompt(CONTRACTS["rscovlm-quad"], [])
