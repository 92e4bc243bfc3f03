"""Images of one place joined token by token."""

import pytest
import torch

from rscovlm.errors import DataError
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.joining import JoinedImages, side_by_side
from rscovlm.models.heads.numbers.states import States

WIDTH, TOWER = 6, 4


def states(samples: int = 3, images: int = 2, tokens: int = 5, seen: bool = True) -> States:
    """Random states of images of 5 tokens, of which the middle one counts most."""
    draw = torch.Generator().manual_seed(0)
    weights = torch.tensor([0.1, 0.1, 0.6, 0.1, 0.1]).repeat(samples, images) / images
    return States(
        torch.randn(samples, images * tokens, WIDTH, generator=draw),
        weights if seen else torch.zeros_like(weights),
        torch.randn(samples, 2, WIDTH, generator=draw),
        torch.ones(samples, 2, dtype=torch.bool),
        torch.randn(samples, images * tokens, TOWER, generator=draw),
    )


def test_tokens_of_one_place_stand_side_by_side():
    tokens = torch.tensor([[[1.0], [2.0], [3.0], [10.0], [20.0], [30.0]]])  # two images of three tokens
    assert side_by_side(tokens, 2).tolist() == [[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]]


def test_a_joint_starts_as_the_mean_over_images():
    given = states()
    joined = JoinedImages(WIDTH, 2, TOWER)(given)
    assert joined.tapped is not None
    assert given.tapped is not None
    torch.testing.assert_close(joined.visual, given.visual.unflatten(1, (2, 5)).mean(dim=1))
    torch.testing.assert_close(joined.tapped, given.tapped.unflatten(1, (2, 5)).mean(dim=1))
    torch.testing.assert_close(joined.weights.sum(dim=1), torch.ones(3))
    torch.testing.assert_close(joined.pooled(), given.pooled())


@pytest.mark.parametrize("trunk", ["parallel", "gated", "experts"])
def test_a_head_that_joins_starts_as_one_that_does_not(trunk):
    torch.manual_seed(0)
    plain = NumberHead(WIDTH, "agb", trunk={"name": trunk})
    joined = NumberHead(WIDTH, "agb", trunk={"name": trunk}, images=2)
    joined.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(joined(states()).mean, plain(states()).mean)


def test_a_difference_between_images_can_be_learnt_only_by_a_head_that_joins():
    """Numbers are what the first image says less what the second does: their mean says nothing."""
    draw = torch.Generator().manual_seed(1)
    first, second = (torch.randn(64, 1, WIDTH, generator=draw) for _ in range(2))
    given = States(
        torch.cat([first, second], dim=1), torch.full((64, 2), 0.5), first, torch.ones(64, 1).bool()
    )
    truth = {"agb": (first - second)[:, 0, 0]}
    errors = []
    for images in (1, 2):
        torch.manual_seed(0)
        head = NumberHead(WIDTH, "agb", loss="mse", images=images)
        optimizer = torch.optim.Adam(head.parameters(), lr=2e-2)
        for _ in range(150):
            optimizer.zero_grad()
            loss = head.loss(given, truth)["agb"].value
            loss.backward()
            optimizer.step()
        errors.append(loss.item())
    assert errors[1] < 0.05 * errors[0]


def test_other_numbers_of_images_are_refused():
    with pytest.raises(DataError, match="joins 3 images of one size of each sample, and 10 visual tokens"):
        JoinedImages(WIDTH, 3)(states())
    uneven = states()
    uneven.weights[:, :5] *= 1.5
    uneven.weights[:, 5:] *= 0.5
    with pytest.raises(DataError, match="set images to their number"):
        JoinedImages(WIDTH, 2)(uneven)
    with pytest.raises(TypeError, match="images 0 has to be 1 or more"):
        JoinedImages(WIDTH, 0)


def test_samples_without_images_still_give_every_rank_a_gradient():
    head = NumberHead(WIDTH, "agb", images=2)
    loss = head.loss(states(seen=False), {"agb": torch.zeros(3)})["agb"].value
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("trunk", ["parallel", "gated", "experts", "mixer"])
def test_tokens_that_the_readout_leaves_out_play_no_part(trunk):
    """So that they need not be computed with."""
    given = states()
    given.weights[:] = 0
    given.weights[:, [2, 7]] = 0.5
    kept = given.read()
    assert kept.visual.shape[1] == 2
    taps = {"taps": (0,), "vision_width": TOWER} if trunk == "mixer" else {}
    head = NumberHead(WIDTH, "agb", trunk={"name": trunk}, **taps)
    torch.testing.assert_close(head.trunk(given).value, head.trunk(kept).value)
