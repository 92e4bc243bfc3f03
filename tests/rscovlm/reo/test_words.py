"""Numbers in words on kept states: they begin as the model's own, and learn."""

import pytest
import torch

from rscovlm.models.heads.numbers.states import States
from rscovlm.reo.words import NumberWords, train_words


def states(values, width=6):
    """The last word of each prompt says a number; the padding behind it something else."""
    words = torch.zeros(len(values), 3, width)
    words[:, 1, 0] = 1.0
    words[:, 1, 1] = values / 100
    words[:, 2] = 99.0
    is_word = torch.tensor([True, True, False]).expand(len(values), 3)
    return States(torch.zeros(len(values), 0, width), torch.zeros(len(values), 0), words, is_word)


def embeddings(numbers=301, width=6):
    place = torch.arange(numbers) / 100
    waves = [torch.cos(place * k) for k in range(1, width - 1)]
    return torch.stack([torch.ones(numbers), place, *waves], dim=1)


def test_before_training_it_says_what_the_model_says():
    known, table = states(torch.tensor([10.0, 250.0])), embeddings()
    expected = known.words[:, 1] @ table.T
    torch.testing.assert_close(NumberWords(table)(known), expected)


@pytest.mark.parametrize("spread", [None, (40.0, 10.0)])
def test_it_learns_and_is_left_at_its_best(spread):
    torch.manual_seed(0)
    truth = torch.rand(400) * 300
    words = NumberWords(embeddings())
    before = (words.said(states(truth)).float() - truth).square().mean().sqrt()
    both = (states(truth), states(truth))
    errors = train_words(words, both, (truth, truth), epochs=12, spread=spread, lr=1e-2)
    after = (words.said(states(truth)).float() - truth).square().mean().sqrt().item()
    assert after == pytest.approx(min(errors), rel=1e-4)
    assert after < 0.6 * before
    assert not any(name == "embeddings" for name, _ in words.named_parameters()), "the words stay as they are"
