"""Numbers that do not fall where another rises, whatever the weights and the states."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rscovlm.errors import ModelError
from rscovlm.models.heads import make_heads, read_heads, write_heads
from rscovlm.models.heads.distribution import Counts, Mixture, Point, Quantiles
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.monotone import MonotoneShift, moved
from rscovlm.models.heads.numbers.states import States
from rscovlm.training.head_settings import Heads
from tests.rscovlm.models.heads.material import MODEL, numbers_pack
from tests.rscovlm.models.heads.test_ensemble import model

OUTPUTS = [
    {"name": "point"},
    {"name": "gaussian"},
    {"name": "mixture"},
    {"name": "quantiles"},
    {"name": "intervals", "edges": (-1.0, 0.0, 2.0)},
    {"name": "intervals", "edges": (-1.0, 0.0, 2.0), "fuse": "hard"},
    {"name": "count"},
]
HIDDEN = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0))


def shift_of(*rises: float, falls: bool = False, over=(0.0, 10.0)) -> MonotoneShift:
    made = MonotoneShift("height", falls, len(rises) + 1, over)
    with torch.no_grad():
        made.rises.copy_(torch.tensor(rises))
    return made


def test_each_piece_adds_its_rise_between_its_knots_and_the_ends_are_level():
    """Knots at 0, 5 and 10; counted from 5, where the first piece is passed."""
    found = shift_of(2.0, 4.0)(torch.tensor([-9.0, 0.0, 2.5, 5.0, 7.5, 10.0, 99.0]))
    assert found.tolist() == [-2.0, -2.0, -1.0, 0.0, 2.0, 4.0, 4.0]
    assert shift_of(2.0, 4.0, falls=True)(torch.tensor([0.0, 10.0])).tolist() == [2.0, -4.0]
    assert shift_of(2.0, -4.0)(torch.tensor([0.0, 10.0])).tolist() == [-2.0, 0.0], "no piece falls"


def test_a_level_piece_can_begin_to_rise():
    made = shift_of(0.0, -1.0)
    made(torch.tensor([10.0])).sum().backward()
    assert made.rises.grad.tolist() == [0.0, 1.0]
    assert shift_of(0.0, 0.0)(torch.tensor([0.0, 10.0])).tolist() == [0.0, 0.0]


def test_the_knots_lie_about_the_mean_of_the_other_number_unless_a_range_is_stated():
    made = MonotoneShift("height", knots=3)
    made.place(20.0, 4.0)
    assert made.places.tolist() == [10.0, 20.0, 30.0]
    stated = MonotoneShift("height", knots=3, over=(0.0, 4.0))
    stated.place(20.0, 4.0)
    assert stated.places.tolist() == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(("knots", "over"), [(1, None), (5, (4.0, 4.0)), (5, (4.0, 3.0))])
def test_knots_that_make_no_piece_are_refused(knots, over):
    with pytest.raises(TypeError, match="two knots or more over a range"):
        MonotoneShift("height", knots=knots, over=over)


def test_all_values_of_a_distribution_move_alike():
    shift = torch.tensor([3.0])
    one = torch.ones(1, 1)
    assert moved(Point(one[:, 0]), shift).mean.tolist() == [4.0]
    mixture = moved(Mixture(0 * one, one, 2 * one), shift)
    assert (mixture.means.tolist(), mixture.deviations.tolist()) == ([[4.0]], [[2.0]])
    quantiles = moved(Quantiles(torch.tensor([0.1, 0.9]), torch.tensor([[1.0, 2.0]])), shift)
    assert quantiles.values.tolist() == [[4.0, 5.0]]
    counts = moved(Counts(one[:, 0], 0.5 * one[:, 0]), torch.tensor([math.log(4)]))
    assert counts.mean.tolist() == pytest.approx([4.0])
    assert counts.dispersion.tolist() == [0.5]


def one_state(seed: int, along: torch.Tensor) -> States:
    """The same random states for each value of the other number."""
    draw = torch.Generator().manual_seed(seed)
    visual, words = torch.randn(1, 3, 8, generator=draw), torch.randn(1, 2, 8, generator=draw)
    count = len(along)
    return States(
        visual.expand(count, -1, -1),
        torch.full((count, 3), 1 / 3),
        words.expand(count, -1, -1),
        torch.ones(count, 2, dtype=torch.bool),
        about=torch.tensor([[40.0, 7.0]]).expand(count, -1) if seed % 2 else None,
        along=along,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(OUTPUTS),
    st.booleans(),
    st.booleans(),
    st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=12),
)
def test_no_statement_falls_where_the_other_number_rises(seed, output, falls, hard, numbers):
    """For random weights and states: means, ends of intervals and medians, held within a range or not."""
    torch.manual_seed(seed)
    bounds = {"low": 0.0, "high": 60.0, "hard": True} if hard else {}
    own = {"along": "height", "falls": falls, "knots": 5}
    head = NumberHead(8, "agb", output=output, mean=30.0, deviation=20.0, monotone=own, **bounds).eval()
    assert head.shift is not None
    with torch.no_grad():
        head.shift.rises.normal_(0, 2)
    head.shift.place(0.0, 12.0)
    along = torch.tensor(sorted(numbers))
    with torch.no_grad():
        said = head(one_state(seed, along))
    sign = -1 if falls else 1
    for each in (said.mean, said.quantile(0.05), said.quantile(0.5), said.quantile(0.95)):
        steps = sign * each.diff()
        assert steps.min() >= -2e-6 * max(1.0, float(each.abs().max())), "beyond the rounding of float32"
    assert (said.quantile(0.05) <= said.quantile(0.5) + 1e-4).all()
    assert (said.quantile(0.5) <= said.quantile(0.95) + 1e-4).all()


def heads_of(**settings) -> Heads:
    numbers = {
        "agb": {"target": "agb", "output": "quantiles", "mean": 100.0, "deviation": 80.0}
        | {"monotone": {"along": "height"} | settings},
        "height": {"target": "height", "mean": 15.0, "deviation": 8.0},
    }
    return Heads.model_validate({"numbers": numbers})


def made(**settings):
    torch.manual_seed(0)
    return make_heads(model(), heads_of(**settings).chosen)


def pack(**numbers):
    samples = {name: torch.tensor(values) for name, values in numbers.items()}
    return numbers_pack("aa.bb.", [[1, 1, 2]] * 2, samples=samples)


@pytest.mark.parametrize("output", OUTPUTS[:4] + OUTPUTS[-1:], ids=lambda each: each["name"])
def test_with_weights_of_zero_it_is_the_head_without_it(output):
    own = {"along": "height"}
    torch.manual_seed(1)
    plain = NumberHead(8, "agb", output=output)
    torch.manual_seed(1)
    head = NumberHead(8, "agb", output=output, monotone=own)
    states = one_state(0, torch.tensor([-5.0, 0.0, 9.0]))
    assert torch.equal(head(states).mean, plain(states).mean)
    assert torch.equal(head(states).quantile(0.9), plain(states).quantile(0.9))


def test_a_head_follows_the_mean_of_the_other_which_learns_nothing_from_it():
    heads = made(falls=False)
    packed = pack(agb=[300.0, 20.0])
    height = heads["height"](heads["height"].states(MODEL, [HIDDEN], packed)).mean
    states = heads["agb"].states(MODEL, [HIDDEN], packed)
    assert torch.equal(states.along, height)
    terms = heads["agb"].loss(states, packed.sample_extras)
    torch.stack([term.value for term in terms.values()]).sum().backward()
    assert heads["agb"].shift.rises.grad.abs().sum() > 0
    assert heads["agb"].output.value.weight.grad.abs().sum() > 0
    assert all(each.grad is None for each in heads["height"].parameters())


def test_it_is_restored_to_the_bit(tmp_path):
    heads = made(over=(0.0, 40.0), knots=6)
    with torch.no_grad():
        heads["agb"].shift.rises.normal_()
    write_heads(tmp_path, heads)
    again = read_heads(tmp_path, model())
    states = heads["agb"].states(MODEL, [HIDDEN], pack())
    assert torch.equal(again["agb"].states(MODEL, [HIDDEN], pack()).along, states.along)
    for level in (0.05, 0.5, 0.95):
        assert torch.equal(again["agb"](states).quantile(level), heads["agb"](states).quantile(level))
    assert torch.equal(again["agb"].shift.places, heads["agb"].shift.places)


@pytest.mark.parametrize(
    ("along", "words"),
    [
        ("canopy_height_m", "numbers of the samples are not known where a model is asked"),
        ("agb", "a number cannot follow itself"),
    ],
)
def test_a_number_that_cannot_be_followed_is_refused(along, words):
    with pytest.raises(ModelError, match=f"head 'agb': monotone along '{along}'.*{words}"):
        made(along=along)


def test_two_numbers_that_follow_each_other_are_refused():
    settings = heads_of().chosen
    settings["numbers"]["height"]["monotone"] = {"along": "agb"}
    with pytest.raises(ModelError, match="a number cannot follow itself"):
        make_heads(model(), settings)


def test_states_without_the_other_number_are_a_defect():
    head = NumberHead(8, "agb", monotone={"along": "height"})
    with pytest.raises(ValueError, match="states bring no number of 'height'"):
        head(replace(one_state(0, torch.tensor([1.0])), along=None))


def test_a_chain_of_numbers_and_layers_of_the_tower_are_followed():
    """Biomass follows height, which follows closure; layers that the followed head reads are read."""
    settings = heads_of().chosen
    settings["numbers"]["height"]["monotone"] = {"along": "closure"}
    settings["numbers"]["closure"] = {"target": "closure"}
    heads = make_heads(model(), settings)
    states = heads["agb"].states(MODEL, [HIDDEN], pack())
    assert states.along.shape == (2,)
    heads["closure"].settings["taps"] = (1,)
    assert heads["agb"].taps == (1,)
