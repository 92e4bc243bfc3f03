"""States that heads read of a pack: whose tokens, and how much each counts."""

import pytest
import torch

from rscovlm.models.heads.numbers.states import states_of, token_weights
from tests.rscovlm.models.heads.material import IMAGE, numbers_pack


@pytest.mark.parametrize("readout", ["mean", "gaussian", "center"])
def test_weights_of_an_image_sum_to_one_and_are_symmetric(readout):
    weights = token_weights(torch.tensor([[1, 6, 10], [1, 4, 4]]), 2, readout)
    assert len(weights) == 15 + 4
    first = weights[:15].view(3, 5)
    assert first.sum().item() == pytest.approx(1)
    assert weights[15:].tolist() == pytest.approx([0.25] * 4)
    torch.testing.assert_close(first, first.flip(0))
    torch.testing.assert_close(first, first.flip(1))


def test_the_centre_is_the_innermost_tokens_alone():
    assert token_weights(torch.tensor([[1, 3, 3]]), 1, "center").tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert token_weights(torch.tensor([[1, 2, 3]]), 1, "center").tolist() == [0, 0.5, 0, 0, 0.5, 0]


def test_a_wide_gaussian_is_the_mean_and_a_narrow_one_the_centre():
    grid = torch.tensor([[1, 5, 5]])
    wide, narrow = (token_weights(grid, 1, "gaussian", spread) for spread in (100.0, 0.01))
    torch.testing.assert_close(wide, token_weights(grid, 1, "mean"), atol=1e-4, rtol=0)
    torch.testing.assert_close(narrow, token_weights(grid, 1, "center"))


def test_each_sample_reads_its_own_tokens_and_no_answer():
    # Two samples: an image of two tokens, two words, an answer; and an image of one token alone.
    pack = numbers_pack("aa..!b", grids=[[1, 1, 2], [1, 1, 1]])
    hidden = torch.arange(6.0)[:, None].repeat(1, 2) + 1
    states = states_of(hidden, pack, IMAGE)
    assert states.visual[..., 0].tolist() == [[1, 2], [6, 0]]
    assert states.weights.tolist() == [[0.5, 0.5], [1, 0]]
    assert states.words[..., 0].tolist() == [[3, 4], [0, 0]]
    assert states.is_word.tolist() == [[True, True], [False, False]]
    assert states.pooled()[:, 0].tolist() == [1.5, 6]
    assert states.said()[:, 0].tolist() == [3.5, 0]


def test_what_follows_an_answer_has_seen_it_and_is_not_read():
    # The chat template ends a turn with tokens that are not learnt, and may go on.
    states = states_of(torch.ones(7, 2), numbers_pack("a..!..b", grids=[[1, 1, 1]] * 2), IMAGE)
    assert states.is_word.sum(dim=1).tolist() == [2, 0]


def test_the_dummy_and_samples_without_images_are_not_seen():
    states = states_of(torch.ones(3, 2), numbers_pack("..d", grids=[[1, 1, 1]]), IMAGE)
    assert states.seen.tolist() == [False, False]
    assert states.pooled().tolist() == [[0, 0], [0, 0]]


def test_features_of_the_vision_tower_stand_at_their_tokens():
    pack = numbers_pack("ab", grids=[[1, 1, 1], [1, 1, 1]])
    states = states_of(torch.ones(2, 2), pack, IMAGE, tapped=torch.tensor([[5.0], [7.0]]))
    assert states.tapped.tolist() == [[[5.0]], [[7.0]]]
