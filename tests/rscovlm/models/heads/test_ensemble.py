"""Ensembles of heads of one model: what they say, and that they have no weights of their own."""

from types import SimpleNamespace

import pytest
import torch

from rscovlm.errors import ModelError
from rscovlm.models.heads import make_heads, read_heads, write_heads
from rscovlm.models.heads.distribution import Mixture, Point
from rscovlm.models.heads.ensemble import EnsembleHead, fused
from tests.rscovlm.models.heads.material import states


def model(width: int = 8):
    text = SimpleNamespace(hidden_size=width)
    config = SimpleNamespace(
        get_text_config=lambda: text, vision_config=SimpleNamespace(depth=4, hidden_size=6)
    )
    return SimpleNamespace(config=config, parameters=lambda: iter([torch.zeros(1)]))


def settings(**ensemble):
    one = {"target": "agb", "output": {"name": "gaussian"}}
    other = {"target": "agb", "output": {"name": "mixture"}, "trunk": {"name": "gated"}, "mean": 5.0}
    return {
        "numbers": {"one": one, "other": other},
        "ensembles": {"both": {"members": ["one", "other"], **ensemble}},
    }


def test_it_says_what_its_members_say_together():
    torch.manual_seed(0)
    heads = make_heads(model(), settings()).eval()
    each = [heads[name](states()) for name in ("one", "other")]
    found = heads["both"]((states(), states()))
    torch.testing.assert_close(found.mean, (each[0].mean + each[1].mean) / 2)
    assert heads["both"].target == "agb"
    assert list(heads["both"].parameters()) == []
    assert dict(heads["both"].terms(None, [], None)) == {}


def test_it_is_kept_with_its_members_and_comes_back(tmp_path):
    heads = make_heads(model(), settings(fuse="stacked", weights=[0.25, 0.75])).eval()
    write_heads(tmp_path, heads)
    again = read_heads(tmp_path, model())
    torch.testing.assert_close(
        again["both"]((states(), states())).mean, heads["both"]((states(), states())).mean
    )
    assert again["both"].settings["weights"] == [0.25, 0.75]


def test_layers_of_the_tower_go_to_the_members_that_read_them():
    heads = SimpleNamespace(**{name: EnsembleHead(8, ["a", "b"]) for name in ("it",)})
    seen = []

    def reading(name, taps):
        head = EnsembleHead(8, ["x", "y"], target="agb")
        head._heads = (SimpleNamespace(taps=taps),)
        head.states = lambda model, hidden, pack, tapped: seen.append((name, tapped))
        return head

    heads.it.bind({"a": reading("a", ()), "b": reading("b", (1, 3))})
    assert heads.it.taps == (1, 3)
    heads.it.states(None, [], None, torch.ones(1))
    assert [(name, tapped is None) for name, tapped in seen] == [("a", True), ("b", False)]


def test_gaussians_are_multiplied_and_points_cannot_be():
    gaussians = [
        Mixture.gaussian(torch.tensor([m]), torch.tensor([s])) for m, s in ((10.0, 2.0), (20.0, 4.0))
    ]
    found = fused(gaussians, "inverse_variance")
    assert found.mean.item() == pytest.approx(12)
    with pytest.raises(ValueError, match="needs a spread of each member"):
        fused([*gaussians, Point(torch.tensor([1.0]))], "inverse_variance")


def test_a_whole_is_the_sum_of_its_parts_to_the_last_digit():
    """Errors of 3 and 4 that are independent make one of 5."""
    stated = settings(fuse="sum", target="total")
    stated["numbers"]["other"]["target"] = "stem"
    torch.manual_seed(0)
    heads = make_heads(model(), stated).eval()
    each = [heads[name](states()).mean for name in ("one", "other")]
    found = heads["both"]((states(), states()))
    assert heads["both"].target == "total"
    assert torch.equal(found.mean, each[0] + each[1])
    gaussians = [
        Mixture.gaussian(torch.tensor([m]), torch.tensor([s])) for m, s in ((10.0, 3.0), (20.0, 4.0))
    ]
    assert fused(gaussians, "sum").variance.item() == pytest.approx(25)
    assert fused([*gaussians, Point(torch.tensor([1.0]))], "sum").mean.item() == 31
    points = [Point(torch.tensor([1.0])), Point(torch.tensor([2.0]))]
    assert (fused(points, "sum").mean.item(), fused(points, "sum").variance.item()) == (3, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"members": ["one", "third"]}, "head 'both': no head of numbers is called 'third'"),
        ({"members": ["one"]}, "two or more different heads"),
        ({"members": ["one", "one"]}, "two or more different heads"),
        ({"fuse": "stacked"}, "needs a weight for each member"),
        ({"fuse": "sum"}, "fuse sum needs a target"),
        ({"fuse": "stacked", "weights": [0.5, 0.6]}, "of sum 1"),
    ],
)
def test_what_makes_no_ensemble_is_told(changed, message):
    with pytest.raises(ModelError, match=message):
        make_heads(model(), settings(**changed))


def test_members_give_the_same_number():
    stated = settings()
    stated["numbers"]["other"]["target"] = "height"
    with pytest.raises(ModelError, match="its members give different numbers: agb, height"):
        make_heads(model(), stated)
