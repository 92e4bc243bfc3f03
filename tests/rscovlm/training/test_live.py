"""Prompts out of examples, for a model that is asked while it trains."""

from types import SimpleNamespace

import numpy as np
import pytest

from rscovlm.data.example import Encoded, Key
from rscovlm.training.live import learnt_runs, prompt_before
from tests.rscovlm.data.examples import Noise
from tests.rscovlm.data.noises import SPEC
from tiling.view import Size

IMAGE = 7
BASE = SimpleNamespace(encoder=SimpleNamespace(image_id=IMAGE), patches=SPEC)


def example(ids, learnt=(), grids=()):
    """Grids are (rows, columns) of visual tokens."""
    marks = np.isin(np.arange(len(ids)), learnt)
    patches = np.array([(1, SPEC.merge * rows, SPEC.merge * columns) for rows, columns in grids]).reshape(
        -1, 3
    )
    pictures = tuple(Noise(Size(SPEC.factor * r, SPEC.factor * c), seed) for seed, (r, c) in enumerate(grids))
    return Encoded(np.array(ids), marks, np.zeros((3, len(ids))), pictures, patches, Key("a", 0, 0), "vqa")


@pytest.mark.parametrize(
    ("learnt", "runs"),
    [([], []), ([0, 1], [(0, 2)]), ([2, 3, 5], [(2, 4), (5, 6)]), ([5], [(5, 6)]), (range(6), [(0, 6)])],
)
def test_runs_are_the_turns_that_are_learnt(learnt, runs):
    found = learnt_runs(example(range(6), learnt))
    assert [(run.start, run.stop) for run in found] == runs


def test_a_prompt_holds_the_pictures_that_were_shown_before_its_end():
    # A word, 1 x 2 visual tokens, a word, 2 x 1 visual tokens, a word.
    shown = example([1, IMAGE, IMAGE, 2, IMAGE, IMAGE, 3], grids=[(1, 2), (2, 1)])
    whole = prompt_before(shown, 7, BASE)
    assert whole.ids.tolist() == [1, 7, 7, 2, 7, 7, 3]
    assert (whole.spans, whole.grids) == (((1, 3), (4, 6)), ((1, 2), (2, 1)))
    assert [image.size for image in whole.images] == [Size(28, 56), Size(56, 28)]
    first = prompt_before(shown, 4, BASE)
    assert (first.ids.tolist(), first.spans) == ([1, 7, 7, 2], ((1, 3),))
    np.testing.assert_array_equal(first.images[0].pixels, shown.pictures[0].read())
    assert prompt_before(shown, 1, BASE).images == ()
    assert prompt_before(shown, 2, BASE).images == (), "half a picture is none"
