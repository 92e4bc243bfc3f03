"""Number heads as a whole: units, samples that count, and what they learn from."""

import math

import pytest
import torch

from rscovlm.models.heads.distribution import scaled
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.losses import loss_of
from rscovlm.models.heads.numbers.states import states_of
from tests.rscovlm.models.heads.material import IMAGE, MODEL, numbers_pack


def head(**settings) -> NumberHead:
    """A head that says the first channel, doubled in the target's unit if ``deviation`` is 2."""
    made = NumberHead(2, "agb", **({"trunk": {"name": "parallel", "depth": 0}} | settings))
    with torch.no_grad():
        made.output.value.weight.zero_()
        made.output.value.weight[:, 0] = 1.0
        made.output.value.bias.zero_()
    return made


def pack(first, second, **more):
    return numbers_pack("a.b", [[1, 1, 1]] * 2, samples={"agb": torch.tensor([first, second]), **more})


HIDDEN = torch.tensor([[[1.0, 0.0], [5.0, 5.0], [3.0, 3.0]]])
FIRST, SECOND = math.sqrt(2), 1.0  # RMS norm of (1, 0) and (3, 3)


def test_values_are_in_the_unit_of_the_target():
    made = head(mean=50.0, deviation=30.0).eval()
    found = made(states_of(HIDDEN[0], pack(0.0, 0.0), IMAGE))
    torch.testing.assert_close(found.mean, torch.tensor([50 + 30 * FIRST, 50 + 30 * SECOND]))


def standing(first, second, means, deviations):
    return {"agb": torch.tensor([first, second])} | {
        f"region_{name}/agb": torch.tensor(values)
        for name, values in (("mean", means), ("deviation", deviations))
    }


OUTPUTS = [{"name": name} for name in ("point", "gaussian", "mixture", "quantiles")]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda each: each["name"])
def test_units_of_a_region_are_restored_exactly(output):
    """Each sample is said as a head of its region's mean and deviation alone says it."""
    torch.manual_seed(0)
    one = NumberHead(2, "agb", output=output, mean=50.0, deviation=30.0).eval()
    packed = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=standing(0.0, 0.0, [10.0, math.nan], [4.0, 7.0]))
    found = one(one.states(MODEL, [HIDDEN], packed))
    for sample, (mean, deviation) in enumerate([(10.0, 4.0), (50.0, 30.0)]):
        other = NumberHead(2, "agb", output=output, mean=mean, deviation=deviation).eval()
        other.load_state_dict(one.state_dict())
        said = other(states_of(HIDDEN[0], pack(0.0, 0.0), IMAGE))
        assert found.mean[sample] == said.mean[sample]
        assert found.variance[sample] == said.variance[sample]
        assert found.quantile(0.8)[sample] == said.quantile(0.8)[sample]


def test_one_region_of_the_same_statistics_is_the_plain_head():
    settings = {"mean": 50.0, "deviation": 30.0, "low": 0.0, "high": 60.0, "penalty": 2.0, "loss": "huber"}
    plain = head(**settings)
    same = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=standing(80.0, 20.0, [50.0] * 2, [30.0] * 2))
    terms = [plain.terms(MODEL, [HIDDEN], each)["agb"].value for each in (same, pack(80.0, 20.0))]
    torch.testing.assert_close(terms[0], terms[1])
    found = [plain.eval()(plain.states(MODEL, [HIDDEN], each)).mean for each in (same, pack(0.0, 0.0))]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_the_loss_is_of_deviations_from_the_region():
    made = head(mean=50.0, deviation=30.0, loss="mse", noise=None)
    packed = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=standing(14.0, 100.0, [10.0, 100.0], [4.0, 9.0]))
    # Standardised truths are 1 and 0.
    expected = ((FIRST - 1) ** 2 + SECOND**2) / 2
    assert made.terms(MODEL, [HIDDEN], packed)["agb"].value.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loss", ["nll", "mse", "mae", "huber"])
def test_a_loss_that_counts_units_is_that_of_the_values_in_the_overall_deviation(loss):
    noise = "agb_se" if loss == "nll" else None
    made = head(
        mean=50.0, deviation=30.0, loss=loss, noise=noise, regions_count="units", output={"name": "gaussian"}
    )
    own = standing(14.0, 100.0, [10.0, 100.0], [4.0, 9.0]) | {"agb_se": torch.tensor([3.0, math.nan])}
    packed = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=own)
    found = scaled(made(made.states(MODEL, [HIDDEN], packed)), -50 / 30, 1 / 30)
    truth, weights = (torch.tensor([14.0, 100.0]) - 50) / 30, torch.tensor([0.5, 0.5])
    expected = loss_of(loss, found, truth, weights, torch.tensor([3.0, 0.0]) / 30 if noise else None)
    torch.testing.assert_close(made.terms(MODEL, [HIDDEN], packed)["agb"].value, expected)


def test_without_regions_a_loss_that_counts_units_is_the_plain_one():
    plain, other = (
        head(mean=50.0, deviation=30.0, loss="mae", regions_count=kind) for kind in ("deviations", "units")
    )
    terms = [each.terms(MODEL, [HIDDEN], pack(80.0, 20.0))["agb"].value for each in (plain, other)]
    torch.testing.assert_close(terms[0], terms[1], rtol=0, atol=0)


def test_the_mean_of_a_region_is_a_factor_on_a_count():
    """A rate stays one: its variance is that of a count of three times the mean, its truth a whole number."""
    torch.manual_seed(0)
    made = NumberHead(2, "agb", output={"name": "count"}).eval()
    own = made(states_of(HIDDEN[0], pack(0.0, 0.0), IMAGE))
    packed = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=standing(4.0, 2.0, [3.0, math.nan], [1.5, 1.0]))
    found = made(made.states(MODEL, [HIDDEN], packed))
    torch.testing.assert_close(found.mean, own.mean * torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(found.dispersion, own.dispersion)
    term = made.terms(MODEL, [HIDDEN], packed)["agb"].value
    torch.testing.assert_close(term, found.nll(torch.tensor([4.0, 2.0])).mean())


@pytest.mark.parametrize(
    ("first", "second", "loss"),
    [
        (50.0, 50.0, (FIRST**2 + SECOND**2) / 2),
        (math.nan, 50.0, SECOND**2),
        (math.nan, math.nan, 0.0),
    ],
)
def test_the_loss_is_a_mean_over_samples_that_have_the_target(first, second, loss):
    made = head(mean=50.0, deviation=30.0, loss="mse", weight=0.3)
    term = made.terms(MODEL, [HIDDEN], pack(first, second))["agb"]
    assert term.value.item() == pytest.approx(loss, abs=1e-4)
    assert term.weight == 0.3


def test_a_target_that_no_sample_has_still_gives_every_rank_a_gradient():
    made = head()
    nothing = made.terms(MODEL, [HIDDEN], numbers_pack("a.b", [[1, 1, 1]] * 2))["agb"].value
    nothing.backward()
    assert nothing.item() == 0
    assert made.output.value.weight.grad is not None


def test_noise_of_labels_is_scaled_like_the_target():
    made = head(output={"name": "gaussian"}, deviation=10.0, noise="agbd_se")
    noisy = pack(0.0, 0.0, agbd_se=torch.tensor([20.0, math.nan]))
    found = made.output(made.trunk(made.states(MODEL, [HIDDEN], noisy)).value)
    expected = found.nll(torch.zeros(2), torch.tensor([2.0, 0.0])).mean()
    assert made.terms(MODEL, [HIDDEN], noisy)["agb"].value.item() == pytest.approx(expected.item())


def test_hard_bounds_hold_predictions_and_leave_training_alone():
    made = head(low=0.0, high=1.2, hard=True)
    states = made.states(MODEL, [HIDDEN], pack(0.0, 0.0))
    assert made.train()(states).mean.max().item() == pytest.approx(FIRST)
    assert made.eval()(states).mean.max().item() == pytest.approx(1.2)


def test_soft_bounds_cost_what_lies_outside_in_scaled_units():
    plain, pushed = head(loss="mse"), head(loss="mse", high=1.0, penalty=4.0)
    here = pack(0.0, 0.0)
    more = pushed.terms(MODEL, [HIDDEN], here)["agb"].value - plain.terms(MODEL, [HIDDEN], here)["agb"].value
    assert more.item() == pytest.approx(4 * (FIRST - 1) / 2, abs=1e-4)


def test_a_trunk_with_a_loss_of_its_own_adds_it():
    made = NumberHead(8, "agb", trunk={"name": "experts", "balance": 0.5})
    hidden = torch.randn(1, 3, 8)
    assert made.terms(MODEL, [hidden], pack(0.0, 0.0))["agb_extra"].value.item() > 0


def test_the_loss_of_a_number_never_reaches_the_output_layer_of_words():
    words = torch.nn.Linear(2, 9)
    made = head()
    made.terms(MODEL, [HIDDEN], pack(3.0, 4.0))["agb"].value.backward()
    assert words.weight.grad is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trunk": {"name": "tree"}}, "trunk 'tree' is unknown; choose from embed"),
        ({"output": {"name": "tree"}}, "output 'tree' is unknown; choose from point"),
        ({"output": {"name": "mixture", "component": 3}}, "component"),
    ],
)
def test_parts_that_do_not_exist_are_refused(settings, words):
    with pytest.raises(TypeError, match=words):
        NumberHead(8, "agb", **settings)


def test_a_head_is_made_anew_from_its_settings():
    made = NumberHead(8, "agb", output={"name": "mixture", "components": 3}, mean=50.0)
    again = NumberHead(8, **made.settings)
    again.load_state_dict(made.state_dict())
    assert again.settings == made.settings


@pytest.mark.parametrize(("share", "expected"), [(0.25, 0.75 * 0.04 + 0.25 * 1.0), (1.0, 1.0)])
def test_a_teacher_takes_its_share_of_the_loss(share, expected):
    made = head(loss="mse", teacher="taught", teacher_share=share)
    samples = {
        "agb": torch.tensor([FIRST + 0.2, SECOND - 0.2]),
        "taught": torch.tensor([FIRST + 1.0, math.nan]),
    }
    packed = numbers_pack("a.b", [[1, 1, 1]] * 2, samples=samples)
    assert made.terms(MODEL, [HIDDEN], packed)["agb"].value.item() == pytest.approx(expected, abs=1e-4)


def test_without_a_teacher_it_is_supervised():
    plain, taught = head(loss="mse"), head(loss="mse", teacher="taught", teacher_share=1e-9)
    one, other = (each.terms(MODEL, [HIDDEN], pack(1.0, 2.0))["agb"].value for each in (plain, taught))
    torch.testing.assert_close(one, other)
