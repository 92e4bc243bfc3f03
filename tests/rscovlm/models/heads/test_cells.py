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
    """A head that outlines the middle of the image everywhere: all twelve numbers are 0.5."""
    made = CellsHead(4, **settings)
    with torch.no_grad():
        made.outline.weight.zero_()
        made.outline.bias.zero_()
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
    truth = extras([3, 1, 0], [0.0, 0.5, 0.0])
    terms = head(names=0.7, outlines=3.0).terms(
        MODEL, layers([0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]), pack("aaa", images=truth)
    )
    # An unknown name (0) costs nothing and stays in the mean; the one object weighs 1.
    assert terms["cells"].value.item() == pytest.approx((right + wrong) / 3 + wrong, rel=1e-4)
    # |0.5 - 0.2| + |0.5 - 0.1| + |0.5 - 0.6| + |0.5 - 0.5| = 0.8 of the bounds, twice that of the corners.
    assert terms["outline"].value.item() == pytest.approx((0.8 + 1.6) / 12, rel=1e-4)
    assert (terms["cells"].weight, terms["outline"].weight) == (0.7, 3.0)


def test_an_object_of_many_tokens_weighs_as_much_as_one_of_few():
    token, other = [0, 0, 0, 1], [1, 0, 0, 0]
    right, wrong = -math.log(math.e**2 / (math.e**2 + 3)), math.log(math.e**2 + 3)
    truth = extras([3, 3, 3], [1.0, 0.5, 0.5])
    terms = head().terms(MODEL, layers(token, other, other), pack("aaa", images=truth))
    assert terms["cells"].value.item() == pytest.approx(
        (right + 2 * wrong) / 3 + (right + wrong) / 2, rel=1e-4
    )


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
