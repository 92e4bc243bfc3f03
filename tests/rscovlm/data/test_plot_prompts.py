"""Plots as prompts."""

import numpy as np
import pytest

from rscovlm.data.agbd import AgbdFile
from rscovlm.data.plot_prompts import asked, inputs_for, pixels_of, plain_inputs
from rscovlm.errors import DataError
from rscovlm.models.checkpoints import resolve
from tests.rscovlm.regression import INPUTS, checkpoint
from tests.rscovlm.reo.material import plots_file


def test_a_checkpoint_is_shown_what_it_learnt_and_another_natural_colours(tmp_path):
    file = plots_file(tmp_path, tiles=2, plots=2)
    own = resolve(str(checkpoint(tmp_path / "model")))
    assert inputs_for(own, file) == INPUTS
    plain = plain_inputs(file, 16)
    assert (plain.views, plain.side) == (("natural",), 80)


def test_the_prompt_holds_the_views_and_the_words(tmp_path):
    file = plots_file(tmp_path, tiles=1, plots=1)
    with AgbdFile(file) as opened:
        plot = next(iter(opened))
    inputs = plain_inputs(file, 16).model_copy(update={"views": ("natural", "sar")})
    talk = asked(inputs, plot, "How much?")
    assert talk.messages[0].text == "How much?"
    assert [image.size for image in talk.images] == [(80, 80)] * 2
    assert asked(inputs, plot).messages[0].text == inputs.prompt


def test_pixels_stand_in_the_order_of_bands(tmp_path):
    with AgbdFile(plots_file(tmp_path, tiles=1, plots=1)) as opened:
        plot = next(iter(opened))
    pixels = pixels_of(plot, ("HV", "B04"))
    np.testing.assert_allclose(pixels[..., 0], plot.gamma0_db[..., 1], rtol=1e-6)
    np.testing.assert_allclose(pixels[..., 1], plot.reflectance[..., 3], rtol=1e-6)


def test_a_plot_of_too_few_dates_is_one_clear_line(tmp_path):
    with (
        AgbdFile(plots_file(tmp_path, tiles=1, plots=1)) as opened,
        pytest.raises(DataError, match="but not B04@2"),
    ):
        pixels_of(next(iter(opened)), ("B04", "B04@2"))
