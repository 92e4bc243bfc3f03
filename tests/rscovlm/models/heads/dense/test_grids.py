"""Visual tokens and maps in their places."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.data.example import FIELD
from rscovlm.errors import DataError
from rscovlm.models.heads.dense.grids import (
    Condition,
    fields_of,
    grid_states,
    image_owners,
    places_of,
    to_cells,
    to_grid,
    to_patches,
)
from rscovlm.models.heads.numbers.states import States, states_of
from tests.rscovlm.models.heads.dense.material import grid
from tests.rscovlm.models.heads.material import IMAGE, numbers_pack


def two_samples(images_of_second: int = 1):
    """A sample of two images of 1 x 2 tokens each, a word, and another sample."""
    grids = [[1, 1, 2]] * (2 + images_of_second)
    return numbers_pack("aaaa." + "bb" * images_of_second, grids)


def states_for(pack) -> States:
    hidden = torch.arange(pack.input_ids.shape[1])[:, None] + torch.zeros(1, 3)
    return states_of(hidden, pack, IMAGE)


def test_tokens_stand_where_their_images_have_them():
    pack = two_samples(2)
    found = grid_states(states_for(pack), pack, IMAGE, 2)
    assert found.tokens[..., 0].tolist() == [[[[0, 1]], [[2, 3]]], [[[5, 6]], [[7, 8]]]]
    assert image_owners(pack, IMAGE).tolist() == [0, 0, 1, 1]


def test_another_number_of_images_is_told_with_the_right_one():
    pack = two_samples(1)
    with pytest.raises(DataError, match=r"reads 2 images of each sample, and one has 1; set images: 1"):
        grid_states(states_for(pack), pack, IMAGE, 2)


def test_images_of_several_sizes_are_refused():
    pack = numbers_pack("aabbbb", [[1, 1, 2], [1, 2, 2]])
    with pytest.raises(DataError, match="images of one size, not of 2 x 1, 2 x 2 visual tokens"):
        grid_states(states_for(pack), pack, IMAGE, 1)


def test_a_pack_of_the_dummy_alone_has_no_places():
    pack = numbers_pack("d", [[1, 1, 1]])
    pack.learnt = torch.zeros(0, dtype=torch.int64)
    assert grid_states(states_for(pack), pack, IMAGE, 2).tokens.shape[:2] == (0, 2)
    assert image_owners(pack, IMAGE).tolist() == [-1]


def test_the_map_of_a_sample_is_that_of_its_first_image():
    pack = two_samples(1)
    maps = torch.zeros(3, 2, 1, 2)
    maps[:, 0] = torch.tensor([[[1.0, 2.0]], [[8.0, 8.0]], [[3.0, 0.0]]])
    maps[:, 1] = torch.tensor([[[1.0, 1.0]], [[1.0, 1.0]], [[1.0, 0.0]]])
    pack.image_extras = {FIELD + "height_m": maps}
    values, known = fields_of(pack, IMAGE, "height_m")
    assert values.tolist() == [[[1, 2]], [[3, 0]]]
    assert known.tolist() == [[[True, True]], [[True, False]]]
    assert fields_of(pack, IMAGE, "biomass") is None


def test_cells_are_means_of_what_is_known():
    values = torch.tensor([[[1.0, 3.0, 7.0, 9.0], [5.0, 7.0, 9.0, 9.0]]])
    known = torch.tensor([[[True, True, False, False], [True, False, False, False]]])
    cells, whole = to_cells(values, known, 1, 2)
    assert cells.tolist() == [[[3, 0]]]
    assert whole.tolist() == [[[True, False]]]


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_patches_go_back_into_the_map_they_are_of(samples, rows, columns, detail):
    cells = torch.arange(samples * rows * columns * detail**2).float()
    cells = cells.view(samples, rows * detail, columns * detail)
    assert torch.equal(to_grid(to_patches(cells, detail), rows, columns, detail), cells)
    first = to_patches(cells, detail)[0, 0].view(detail, detail)
    assert torch.equal(first, cells[0, :detail, :detail])


def test_every_place_has_another_code():
    codes = places_of(5, 5, 16).flatten(0, 1)
    assert torch.cdist(codes, codes).add(torch.eye(25)).min() > 0.1


def test_all_images_and_words_and_the_tower_are_read():
    torch.manual_seed(0)
    made = Condition(8, 16, images=2, vision_width=6)
    states = grid(images=2)
    for part in (states.tokens, states.words, states.tapped):
        part.requires_grad_()
    made(states).square().sum().backward()
    assert (states.tokens.grad.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    assert (states.words.grad.abs().amax(dim=1) > 0).all()
    assert states.tapped.grad.abs().max() > 0


def test_an_inner_width_has_room_for_places():
    with pytest.raises(TypeError, match="an inner width of 10 is no multiple of 4"):
        Condition(8, 10, images=1)
