"""Several models about the same patches: what they say together, each in its own views and words."""

import numpy as np
import pytest
import torch

from rscovlm.errors import UsageError
from rscovlm.models.heads.distribution import Mixture
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.inputs import Scaling
from rscovlm.scoring.predictions import LEVELS
from rscovlm.scoring.quantile_steps import QuantileSteps
from rscovlm.tasks.regress import Run
from rscovlm.tasks.regress_ensemble import EnsembleRun
from rscovlm.tasks.regress_layout import EVEN, Layout
from tests.rscovlm.regression import INPUTS, Reader, plateau
from zoom_chain.chat import Reply


class Biased(Reader):
    """Says a channel at the middle and a bias, +- a deviation; its words are its own."""

    def __init__(self, bias=0.0, deviation=10.0, channel=1, output="gaussian", target="agb_mg_per_ha"):
        super().__init__()
        self.heads["agb"] = NumberHead(8, target, output={"name": output})
        self.bias, self.deviation, self.channel = bias, deviation, channel
        self.heard: list[str] = []

    def chat(self, conversations, options):
        return [
            Reply(
                f"{self.bias:g}, {'bright' if each.images[0].read()[32, 32, self.channel] > 140 else 'dark'}"
            )
            for each in conversations
        ]

    def estimate(self, conversations, targets, numbers=None):
        self.heard += [each.messages[1].text for each in conversations if len(each.messages) > 1]
        seen = [float(each.images[0].read()[32, 32, self.channel]) + self.bias for each in conversations]
        return [Mixture.gaussian(torch.tensor(seen), torch.full((len(seen),), self.deviation))]


INFRARED = INPUTS.model_copy(
    update={
        "views": ("infrared",),
        "scaling": Scaling(
            low=dict.fromkeys(("B08", "B04", "B03"), 0.0), high=dict.fromkeys(("B08", "B04", "B03"), 0.255)
        ),
    }
)


@pytest.fixture
def together(opened):
    """An ensemble over 4 x 5 squares of 25 px, and the green values of those."""
    values, green = plateau(4, 5)
    stack = opened(green)
    layout = Layout.of(stack.scene.width, stack.scene.height, 25, 25, EVEN)

    def make(fuse, *members):
        runs = {
            f"model {place}": Run(stack, inputs, engine, ("agb",), 0.9, layout)
            for place, (inputs, engine) in enumerate(members)
        }
        first = runs["model 0"]
        return EnsembleRun(
            stack, first.inputs, first.engine, first.targets, 0.9, layout, 7, members=runs, fuse=fuse
        )

    return make, values


def test_a_mean_holds_the_disagreement_of_models(together):
    make, values = together
    run = make("mean", (INPUTS, Biased(-20)), (INPUTS, Biased(20)))
    found = run.values(0, run.read(0))
    np.testing.assert_allclose(found[0], values, atol=1e-4)
    np.testing.assert_allclose(found[3], np.sqrt(10**2 + 20**2), rtol=1e-5)


def test_inverse_variance_listens_to_the_surer_model(together):
    make, values = together
    run = make("inverse_variance", (INPUTS, Biased(0, 10)), (INPUTS, Biased(30, 20)))
    found = run.values(0, run.read(0))
    np.testing.assert_allclose(found[0], values + 30 * (1 / 400) / (1 / 100 + 1 / 400), rtol=1e-5)
    np.testing.assert_allclose(found[3], np.sqrt(1 / (1 / 100 + 1 / 400)), rtol=1e-5)


def test_each_model_sees_its_own_views(together):
    make, values = together
    # Green is the second channel of natural colours and the third of near infrared, red and green.
    run = make("mean", (INPUTS, Biased()), (INFRARED, Biased(channel=2)))
    assert run.bands == ("B04", "B03", "B02", "B08")
    found = run.values(0, run.read(0))
    np.testing.assert_allclose(found[0], values, atol=1e-4)
    np.testing.assert_allclose(found[3], 10, rtol=1e-5)


def test_each_model_is_asked_after_its_own_words(together):
    make, values = together
    taught = INPUTS.model_copy(update={"knowledge": "Which?"})
    one, other, plain = Biased(-20), Biased(20), Biased(0)
    run = make("mean", (taught, one), (taught, other), (INPUTS, plain))
    found = run.values(0, run.read(0))
    np.testing.assert_allclose(found[0], values, atol=1e-4)
    assert set(one.heard) == {"-20, bright", "-20, dark"}
    assert set(other.heard) == {"20, bright", "20, dark"}
    assert (len(one.heard), plain.heard) == (20, [])
    assert run.knowledge == "Which?"
    word = "bright" if values[0, 0] > 140 else "dark"
    assert run.known(run.read(0)[:1]) == [f"-20, {word} / 20, {word}"]


def test_intervals_of_the_ensemble_are_moved_by_steps_of_its_own(together):
    make, values = together
    run = make("mean", (INPUTS, Biased()), (INPUTS, Biased()))
    run.heads["agb"].steps = QuantileSteps((), ((1.0,) * len(LEVELS),), 40)
    found = run.values(0, run.read(0))
    np.testing.assert_allclose(found[0], values, atol=1e-4)
    np.testing.assert_allclose(found[2] - values, 1.6449 * 10 + 10, atol=1e-2)


def test_models_that_do_not_fit_are_refused(together):
    make, _ = together
    with pytest.raises(UsageError, match="head agb of model 1 has no spread; take mean"):
        _ = make("inverse_variance", (INPUTS, Biased()), (INPUTS, Biased(output="point"))).heads
    with pytest.raises(UsageError, match="give different numbers: agb_mg_per_ha, age"):
        _ = make("mean", (INPUTS, Biased()), (INPUTS, Biased(target="age"))).heads


def test_models_that_agree_say_what_one_says(together):
    make, _ = together
    run = make("mean", (INPUTS, Biased(3)), (INPUTS, Biased(3)))
    alone = run.members["model 0"]
    np.testing.assert_allclose(run.values(0, run.read(0)), alone.values(0, alone.read(0)), rtol=1e-5)
