"""Values between samples and packs."""

import pickle

import numpy as np

from rscovlm.data.example import BROKEN, BoxText, Encoded, Key
from rscovlm.errors import DataError, ModelError
from tiling.errors import SceneUnreadable


def encoded(*grids) -> Encoded:
    nothing = np.zeros(0, dtype=np.int64)
    shape = np.array(grids, dtype=np.int64).reshape(-1, 3)
    return Encoded(nothing, nothing.astype(bool), np.zeros((3, 0), int), (), shape, Key("a", 0, 0), "vqa")


def test_patches_are_those_of_all_frames_of_all_pictures():
    # 4 x 6 and two frames of 2 x 2.
    assert encoded((1, 4, 6), (2, 2, 2)).patches == 24 + 8
    assert encoded().patches == 0


def test_text_that_states_boxes_is_text_and_stays_marked_between_processes():
    text = BoxText("at [1, 2]")
    assert text == "at [1, 2]"
    assert isinstance(pickle.loads(pickle.dumps(text)), BoxText)
    assert not hasattr(text, "__dict__"), "as many as there are parts of conversations"


def test_what_breaks_a_sample_is_data_and_no_defect():
    assert all(
        isinstance(error, BROKEN) for error in (DataError(), SceneUnreadable("x"), FileNotFoundError())
    )
    assert not any(isinstance(error, BROKEN) for error in (ValueError(), ModelError(), KeyError()))
