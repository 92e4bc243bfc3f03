"""Names and outlines that visual tokens are taught."""

import math

import pytest
import torch

from rscovlm.errors import DataError
from rscovlm.models.heads.cells import CellsHead
from tests.rscovlm.models.heads.material import MODEL, pack

BOX = [0.2, 0.1, 0.6, 0.1, 0.6, 0.5, 0.2, 0.5]
"""Corners of a box; its bounds are 0.2, 0.1, 0.6, 0.5."""


def head(**settings) -> CellsHead:
    """A head that outlines the middle of each visual token, and is undecided about its parts."""
    made = CellsHead(4, **settings)
    with torch.no_grad():
        for layer in (made.outline, made.mask):
            layer.weight.zero_()
            layer.bias.zero_()
    return made


def layers(*middle):
    """Hidden states after embeddings and two layers; the middle ones are (1, L, 4)."""
    wrong = torch.full((1, len(middle), 4), 100.0)
    return [wrong, torch.tensor([middle], dtype=torch.float32), wrong]


def extras(ids, shares):
    outlines = torch.tensor([[BOX if share else [math.nan] * 8 for share in shares]])
    return {"cell_ids": torch.tensor([ids]), "outlines": outlines, "shares": torch.tensor([shares])}


def test_names_count_each_token_and_each_object_and_outlines_each_object():
    # The norm makes (1, 0, 0, 0) and (0, 0, 0, 1) into 2 at one place: -log(e^2 / (e^2 + 3)) if that is the
    # name, else -log(1 / (e^2 + 3)).
    right, wrong = -math.log(math.e**2 / (math.e**2 + 3)), math.log(math.e**2 + 3)
    truth = extras([3, 1, 0, 0], [0.0, 0.5, 0.0, 0.0])
    terms = head(names=0.7, outlines=3.0).terms(
        MODEL, layers([0, 0, 0, 1], *([[1, 0, 0, 0]] * 3)), pack("aaaa", images=truth)
    )
    # Unknown names (0) cost nothing and stay in the mean; the one object weighs 1.
    assert terms["cells"].value.item() == pytest.approx((right + wrong) / 4 + wrong, rel=1e-4)
    # The second of 2 x 2 tokens has its middle at 0.75, 0.25: |0.75 - 0.2| + |0.25 - 0.1| + |0.75 - 0.6| +
    # |0.25 - 0.5| = 1.1 of the bounds, twice that of the corners; by the square root of an extent of 0.4.
    assert terms["outline"].value.item() == pytest.approx((1.1 + 2.2) / 12 / 0.4**0.5, rel=1e-4)
    assert (terms["cells"].weight, terms["outline"].weight) == (0.7, 3.0)


@pytest.mark.parametrize("shown", [1, 8, 63])
def test_parts_with_and_without_objects_count_alike(shown):
    truth = extras([3], [1.0])
    truth["masks"] = (torch.arange(64) < shown)[None, None]
    made = head(masks=0.3)
    with torch.no_grad():
        made.mask.bias.fill_(2.0)
    term = made.terms(MODEL, layers([0, 0, 0, 1]), pack("a", images=truth))["mask"]
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert term.value.item() == pytest.approx((right + wrong) / 2, rel=1e-4)
    assert term.weight == 0.3


def test_an_object_of_many_tokens_weighs_as_much_as_one_of_few():
    token, other = [0, 0, 0, 1], [1, 0, 0, 0]
    right, wrong = -math.log(math.e**2 / (math.e**2 + 3)), math.log(math.e**2 + 3)
    truth = extras([3, 3, 3, 0], [1.0, 0.5, 0.5, 0.0])
    terms = head().terms(MODEL, layers(token, other, other, other), pack("aaaa", images=truth))
    assert terms["cells"].value.item() == pytest.approx(
        (right + 2 * wrong) / 4 + (right + wrong) / 2, rel=1e-4
    )


def test_traits_are_words_of_objects_that_count_alike():
    # The norm makes each token 2 at its own place, which the second trait's layer moves by one.
    tokens, right, wrong = torch.eye(4).tolist(), math.log(1 + 3 / math.e**2), math.log(math.e**2 + 3)
    truth = extras([3, 3, 3, 1], [0.5, 0.5, 1.0, 0.0])
    truth["traits"] = torch.tensor([[[0, 0], [3, 2], [2, 1], [0, 0]]])
    made = head(traits=0.4)
    with torch.no_grad():
        for layer, moved in zip(made.trait, (0, 1)):
            layer.weight.copy_(torch.eye(4).roll(moved, 0))
            layer.bias.zero_()
    term = made.terms(MODEL, layers(*tokens), pack("aaaa", images=truth))["trait"]
    # Of the objects told about, one has half the weight of the other: it shows in another token as well.
    sub_type = (0.5 * wrong + 1.0 * right) / 1.5
    colour = (0.5 * right + 1.0 * wrong) / 1.5
    assert term.value.item() == pytest.approx((sub_type + colour) / 2, rel=1e-4)
    assert term.weight == 0.4


def test_traits_that_no_token_has_cost_nothing_and_leave_no_weight_without_a_gradient():
    made = head()
    for truth in (extras([3], [1.0]), extras([3], [1.0]) | {"traits": torch.zeros(1, 1, 2).long()}):
        terms = made.terms(MODEL, layers([0, 0, 0, 1]), pack("a", images=truth))
        assert terms["trait"].value.item() == 0
        sum(term.value for term in terms.values()).backward()
        assert all(parameter.grad is not None for parameter in made.parameters())


def test_land_cover_alone_has_names_and_no_outlines():
    terms = head().terms(MODEL, layers([0, 0, 0, 1]), pack("a", images=extras([3], [0.0])))
    assert terms["cells"].value.item() == pytest.approx(-math.log(math.e**2 / (math.e**2 + 3)), rel=1e-4)
    assert terms["outline"].value.item() == 0


def test_a_dummy_costs_nothing_and_still_has_a_gradient():
    made = head()
    terms = made.terms(MODEL, layers([0, 0, 0, 1]), pack("d", learnt=0, images=extras([3], [1.0])))
    assert (terms["cells"].value.item(), terms["cells"].weight) == (0, 0)
    terms["cells"].value.backward()
    assert made.outline.weight.grad is not None


def test_an_image_that_does_not_say_what_its_tokens_show_is_an_error():
    with pytest.raises(DataError, match="a pack of 2 visual tokens names 1 of them"):
        head().terms(MODEL, layers([0, 0, 0, 1], [0, 0, 0, 1]), pack("aa", images=extras([3], [1.0])))
