"""Numbers of several heads that have to agree: nothing where they do, by hand where they do not."""

import math

import pytest
import torch

from rscovlm.errors import ModelError
from rscovlm.models.heads import make_heads, write_heads
from rscovlm.models.heads.constraints import ConstraintHead, missing_sum, wrong_order
from tests.rscovlm.models.heads.material import MODEL, numbers_pack
from tests.rscovlm.models.heads.test_ensemble import model

ALL = torch.ones(3, dtype=torch.bool)


def test_a_whole_that_is_the_sum_of_its_parts_costs_nothing():
    parts = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])]
    assert missing_sum(torch.tensor([5.0, 7.0, 9.0]), parts, ALL).item() == 0
    off = torch.tensor([8.0, 7.0, 3.0])  # 3, 0 and 6 away
    assert missing_sum(off, parts, ALL).item() == 3
    assert missing_sum(off, parts, torch.tensor([True, True, False])).item() == 1.5


def test_a_number_that_rises_with_another_costs_nothing_and_one_that_falls_by_how_far():
    along = torch.tensor([1.0, 2.0, 3.0])
    assert wrong_order(torch.tensor([10.0, 10.0, 30.0]), along, ALL).item() == 0
    # Pairs (1, 2), (1, 3), (2, 3): falls of 0, 4 and 6.
    assert wrong_order(torch.tensor([10.0, 12.0, 6.0]), along, ALL).item() == pytest.approx(10 / 3)
    unknown = torch.tensor([1.0, 2.0, math.nan])
    assert wrong_order(torch.tensor([10.0, 7.0, 0.0]), unknown, ALL).item() == 3
    assert wrong_order(torch.tensor([10.0, 7.0, 0.0]), along, torch.tensor([True, False, False])).item() == 0
    assert wrong_order(torch.tensor([1.0]), None, ALL[:1]).item() == 0


HIDDEN = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0))


def made(**constraint):
    torch.manual_seed(0)
    numbers = {
        name: {"target": name, "mean": mean, "deviation": 4.0}
        for name, mean in (("total", 30.0), ("leaf", 10.0), ("stem", 20.0))
    }
    return make_heads(model(), {"numbers": numbers, "constraints": {"mass": constraint}})


def pack(**numbers):
    samples = {name: torch.tensor(values) for name, values in numbers.items()}
    return numbers_pack("aa.bb.", [[1, 1, 2]] * 2, samples=samples)


def test_the_penalty_is_in_deviations_of_the_first_head_and_reaches_all_of_them():
    heads = made(whole="total", parts=["leaf", "stem"], weight=0.5)
    term = heads["mass"].terms(MODEL, [HIDDEN], pack())["constraint"]
    total, leaf, stem = (
        heads[name](heads[name].states(MODEL, [HIDDEN], pack())).mean for name in ("total", "leaf", "stem")
    )
    assert term.value.item() == pytest.approx((total - leaf - stem).abs().mean().item() / 4, rel=1e-5)
    assert term.weight == 0.5
    term.value.backward()
    assert all(
        weight.grad is not None for name in ("total", "leaf", "stem") for weight in heads[name].parameters()
    )


def test_an_order_goes_by_another_head_or_by_a_number_of_the_samples():
    for along in ("leaf", "height"):
        heads = made(number="total", along=along)
        total, leaf = (
            heads[each](heads[each].states(MODEL, [HIDDEN], pack())).mean for each in ("total", "leaf")
        )
        if along == "height":
            leaf = torch.tensor([0.0, 1.0] if total[0] > total[1] else [1.0, 0.0])
        wrong = bool((total[0] - total[1]) * (leaf[0] - leaf[1]) < 0)
        found = heads["mass"].terms(MODEL, [HIDDEN], pack(height=leaf.tolist()))["constraint"].value
        due = (total[0] - total[1]).abs().item() / 4 if wrong else 0
        assert found.item() == pytest.approx(due, rel=1e-5)
        falls = made(number="total", along=along, falls=True)["mass"]
        other = falls.terms(MODEL, [HIDDEN], pack(height=leaf.tolist()))["constraint"].value
        assert (other.item() > 0) != wrong
        found.backward()
        assert all(weight.grad is None for weight in heads["leaf"].parameters()), "what it goes by is given"


def test_a_pack_in_which_no_sample_has_the_number_still_gives_every_rank_a_gradient():
    heads = made(number="total", along="height")
    term = heads["mass"].terms(MODEL, [HIDDEN], pack())["constraint"]
    term.value.backward()
    assert term.value.item() == 0
    assert all(weight.grad is not None for weight in heads["total"].parameters())


def test_an_export_does_without_them(tmp_path):
    heads = made(whole="total", parts=["leaf", "stem"])
    write_heads(tmp_path, heads)
    assert "constraints" not in (tmp_path / "rscovlm.json").read_text()
    assert list(heads["mass"].parameters()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"whole": "a", "parts": ["b"]},
        {"whole": "a", "parts": ["b", "b"]},
        {"number": "a"},
        {"number": "a", "along": "a"},
        {"whole": "a", "parts": ["b", "c"], "number": "a", "along": "b"},
    ],
)
def test_settings_that_say_neither_or_both_are_refused(settings):
    with pytest.raises(
        TypeError, match="give whole and two parts or more, all different, or number and along"
    ):
        ConstraintHead(8, **settings)


def test_heads_that_are_not_there_or_draw_maps_are_refused():
    with pytest.raises(ModelError, match="head 'mass': no head of numbers is called 'root'"):
        made(whole="total", parts=["leaf", "root"])
    dense = {"height": {"target": "canopy_height_m"}}
    numbers = {"agb": {"target": "agb"}}
    both = {"numbers": numbers, "dense": dense, "constraints": {"c": {"number": "agb", "along": "height"}}}
    with pytest.raises(
        ModelError, match=r"head 'c': it is about heads of heads\.numbers, and that of canopy_height_m"
    ):
        make_heads(model(), both)
