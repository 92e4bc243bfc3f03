"""The head on images of known scale: its scores, and the factor with which its intervals hold."""

import numpy as np
import pytest
import torch
from PIL import Image

from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.store import SampleFile, write_samples
from rscovlm.models.families import FAMILIES
from rscovlm.models.heads.gsd import LogGsd
from rscovlm.scale.head import Readings, read_images


def said(mean, deviation):
    return LogGsd(torch.tensor([mean]), torch.tensor([deviation]))


def drawn(n, deviation=0.1, stated=0.1, seed=0):
    """Readings whose errors have one deviation, and which state another."""
    mean = np.linspace(-1, 1, n)
    truth = mean + np.random.default_rng(seed).normal(0, deviation, n)
    return Readings(mean, np.full(n, stated), truth)


def test_scores_are_in_decades():
    found = Readings.of([said(place + 0.05, 0.1) for place in (-1, 0, 1)], [0.1, 1.0, 10.0])
    assert found.deviation == pytest.approx([0.1] * 3)
    assert found.reach_decades == pytest.approx([2 * 0.16448536] * 3)
    scores = found.scores()
    assert scores["error_decades"] == pytest.approx(0.05)
    assert scores["constant_decades"] == pytest.approx(2 / 3)
    assert scores["calibration_ratio"] == pytest.approx(0.5)
    assert (scores["coverage_50"], scores["coverage_90"]) == (1.0, 1.0)


def test_a_head_that_is_twice_too_sure_is_widened_twofold():
    # The 9th of 9 errors, since (9 + 1) 0.9 = 9: 0.9 deviations stand where 1.645 should.
    errors = Readings(np.zeros(9), np.full(9, 1.0), np.arange(1, 10) / 10)
    assert errors.factor == pytest.approx(0.9 / 1.6448536)
    assert drawn(4000, deviation=0.2).factor == pytest.approx(2, rel=0.06)


@pytest.mark.parametrize("stated", [0.02, 0.1, 0.5])
def test_intervals_that_were_calibrated_hold_nine_tenths_of_other_images(stated):
    factor = drawn(4000, stated=stated).factor
    other = drawn(4000, stated=stated, seed=1).widened(factor)
    assert other.scores()["coverage_90"] == pytest.approx(0.9, abs=0.02)
    assert drawn(4000, stated=stated).crossed().scores()["coverage_90"] == pytest.approx(0.9, abs=0.02)


def test_each_image_is_read_once_at_the_size_and_scale_at_which_it_is_shown(tmp_path):
    family = FAMILIES["qwen3-vl"].with_max_pixels(64 * 64)
    Image.fromarray(np.zeros((128, 128, 3), np.uint8)).save(tmp_path / "a.png")
    asked, told = (Turn("user", "<image>What?"), Turn("assistant", "This.")), ImageRef("a.png")
    samples = [
        Sample("1", "vqa", (told,), asked, gsd_m=0.5),
        Sample("2", "vqa", (told,), asked, gsd_m=0.5),
        Sample("3", "vqa", (told,), asked),
    ]
    write_samples(tmp_path / "s.jsonl", samples)
    shown = []

    def estimate(image):
        shown.append(image)
        return said(0.0, 0.1)

    found = read_images(estimate, SampleFile(tmp_path / "s.jsonl"), family)
    (image,) = shown
    assert (image.size.width, image.size.height) == (64, 64)
    assert found.truth == pytest.approx([0.0])  # 0.5 m at half the size
    assert found.mean == pytest.approx([0.0])
