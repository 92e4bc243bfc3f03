"""The codebook decoder: nearest codes, straight-through gradients, codes in use, the quantisation floor."""

import pytest
import torch

from rscovlm.models.heads.dense.codebook import Codebook, perplexity
from tests.rscovlm.models.heads.dense.material import features, losses_of, seeded


def made(codes=((0.0,), (1.0,), (4.0,)), **settings) -> Codebook:
    """Codes that are values themselves."""
    book = seeded(Codebook, 8, 1, codes=len(codes), **settings)
    with torch.no_grad():
        book.codes.copy_(torch.tensor(codes))
    return book


def test_each_patch_has_the_nearest_code():
    index, _ = made().nearest(torch.tensor([[[0.4], [0.6], [2.4], [2.6], [-9.0], [99.0]]]))
    assert index.tolist() == [[0, 1, 1, 2, 0, 2]]


def test_a_map_comes_back_within_half_of_the_widest_step_between_codes():
    book = made()
    values = torch.linspace(-0.5, 4.5, 40)[None, :, None]
    index, _ = book.nearest(values)
    error = (book.decoded()[index] - values).abs()
    assert error.max() <= 1.5 + 1e-6


def test_gradients_go_through_the_code_to_what_was_encoded():
    book = made()
    values = torch.tensor([[[0.4]]], requires_grad=True)
    index, encoded = book.nearest(values)
    through = encoded + (book.codes[index] - encoded).detach()
    assert through.item() == 0
    through.sum().backward()
    assert values.grad.item() == 1


def test_codes_and_encoder_both_learn():
    book, truth = made(), torch.full((1, 1, 1), 0.6)
    book.learn(features(1, 1), truth, truth > 0).loss.backward()
    assert book.codes.grad[1].item() != 0
    assert book.codes.grad[2].item() == 0, "a code that nothing is near to stays where it is"
    assert book.encode.weight.grad.abs().max() > 0


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(torch.tensor([0, 1, 2, 3]), 8).item() == pytest.approx(4)
    assert perplexity(torch.tensor([5, 5, 5]), 8).item() == pytest.approx(1)


def test_flat_patches_of_all_levels_use_many_codes_from_the_start():
    book = seeded(Codebook, 8, 2, codes=16)
    levels = torch.randn(500, generator=torch.Generator().manual_seed(0))
    index, _ = book.nearest(levels[:, None].expand(-1, 4))
    assert perplexity(index, 16) > 12


def test_chances_of_a_cell_sum_to_one_and_means_are_of_its_own_code():
    book = seeded(Codebook, 8, 2, codes=5, draws=3)
    found = book(features())
    assert found.means.shape == (2 * 6 * 6, 5)
    torch.testing.assert_close(found.weights.sum(dim=1), torch.ones(72))
    # The first cell of a token has the first value of its codes, the one right of it the second.
    torch.testing.assert_close(found.means[0], book.decoded()[:, 0])
    torch.testing.assert_close(found.means[1], book.decoded()[:, 1])


def test_a_place_knows_what_was_said_before_it_and_nothing_after():
    book = seeded(Codebook, 8, 1, codes=4)
    index = torch.tensor([[0, 1, 2, 3]])
    changed = torch.tensor([[0, 1, 3, 3]])
    one, other = (book._logits(features(1, 2), each) for each in (index, changed))
    assert torch.equal(one[:, :3], other[:, :3])
    assert not torch.allclose(one[:, 3], other[:, 3])


def test_saying_the_likeliest_is_deterministic_and_draws_follow_the_seed():
    book = seeded(Codebook, 8, 1, codes=4, draws=1)
    assert torch.equal(book(features()).weights, book(features(), torch.Generator().manual_seed(9)).weights)
    several = seeded(Codebook, 8, 1, codes=4, draws=2)
    one, again = (several(features(), torch.Generator().manual_seed(4)).weights for _ in range(2))
    assert torch.equal(one, again)


def test_it_learns_maps_that_places_tell():
    places = features(24, 2)
    truth = places[..., :1].repeat_interleave(2, 1).repeat_interleave(2, 2)[..., 0]
    book = seeded(Codebook, 8, 2, codes=16, draws=1)
    fresh = book.learn(places, truth, truth == truth).seen
    losses_of(book, places, truth, truth == truth, steps=100, lr=3e-2)
    learnt = book.learn(places, truth, truth == truth).seen
    assert learnt["codes"] < 0.5 * fresh["codes"]
    assert learnt["quantised"] < 0.2, "the floor is that of 16 codes"
    error = (book(places).mean.view(24, 4, 4) - truth).square().mean().sqrt()
    assert error < 0.5 * truth.std()


def test_a_patch_that_is_known_in_part_has_no_right_code():
    book, places = seeded(Codebook, 8, 2, codes=4), features(1, 1)
    truth = torch.zeros(1, 2, 2)
    part = torch.tensor([[[True, True], [True, False]]])
    assert book.learn(places, truth, part).loss.item() == 0


@pytest.mark.parametrize("wrong", [{"codes": 1}, {"draws": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(TypeError, match="or more"):
        Codebook(8, 1, **wrong)
