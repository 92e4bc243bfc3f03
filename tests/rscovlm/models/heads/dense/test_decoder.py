"""What decoders have in common."""

import pytest
import torch

from rscovlm.models.heads.dense.decoder import Decoder, draws_of, known_mean, normal


def test_without_a_generator_the_same_is_drawn_at_every_call():
    like = torch.zeros(1)
    assert torch.equal(normal((4,), draws_of(None), like), normal((4,), draws_of(None), like))
    given = torch.Generator().manual_seed(5)
    assert draws_of(given) is given


def test_the_mean_is_of_what_is_known_and_of_nothing_has_a_gradient():
    values = torch.tensor([1.0, 3.0, 100.0], requires_grad=True)
    assert known_mean(values, torch.tensor([True, True, False])).item() == 2
    known_mean(values, torch.zeros(3, dtype=torch.bool)).backward()
    assert values.grad.tolist() == [0, 0, 0]


def test_a_decoder_alone_is_not_whole():
    with pytest.raises(NotImplementedError):
        Decoder(8, 1).learn(*3 * [torch.zeros(1)])
    with pytest.raises(NotImplementedError):
        Decoder(8, 1)(torch.zeros(1))
