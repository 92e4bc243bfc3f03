"""Rules of choosing tokens, against those of transformers and by hand."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from rscovlm.models.sampling import Chooser, checkpoint_sampling
from zoom_chain.chat import GREEDY, Sampling

CPU = torch.device("cpu")


def chooser(sampling, prompt=(), seed=0):
    return Chooser(sampling, [seed], [np.array(prompt, dtype=np.int64)], CPU)


def choices(sampling, logits, times=4000):
    choose = chooser(sampling)
    return Counter(int(choose(torch.tensor([logits]))[0]) for _ in range(times))


def test_greedy_takes_the_likeliest():
    assert chooser(GREEDY)(torch.tensor([[0.0, 3.0, 2.0]])).tolist() == [1]


@pytest.mark.parametrize(
    "rules", [{"top_k": 3}, {"top_p": 0.6}, {"top_k": 6, "top_p": 0.8, "temperature": 0.7}]
)
def test_the_kept_tokens_are_those_of_transformers(rules):
    sampling = Sampling(**{"temperature": 1.0, **rules})
    logits = torch.randn(4, 12, generator=torch.Generator().manual_seed(1))
    expected = TemperatureLogitsWarper(sampling.temperature)(None, logits)
    if sampling.top_k:
        expected = TopKLogitsWarper(sampling.top_k)(None, expected)
    if sampling.top_p < 1:
        expected = TopPLogitsWarper(sampling.top_p)(None, expected)
    found = chooser(sampling)._truncated(logits / sampling.temperature)
    torch.testing.assert_close(found, expected)


def test_the_repetition_penalty_is_that_of_transformers_over_prompt_and_reply():
    logits = torch.tensor([[2.0, -1.0, 0.5, 3.0]])
    choose = chooser(Sampling(repetition_penalty=1.5), prompt=[0, 1, 1])
    assert choose(logits).tolist() == [3]
    expected = RepetitionPenaltyLogitsProcessor(1.5)(torch.tensor([[0, 1, 1, 3]]), logits.clone())
    torch.testing.assert_close(choose._penalised(logits), expected)


def test_the_presence_penalty_counts_the_reply_once_and_not_the_prompt():
    choose = chooser(Sampling(presence_penalty=0.5), prompt=[1])
    logits = torch.tensor([[2.0, 1.9, 0.0]])
    assert [choose(logits).item() for _ in range(4)] == [0, 1, 0, 0]
    torch.testing.assert_close(choose._penalised(logits), torch.tensor([[1.5, 1.4, 0.0]]))


def test_temperature_sets_the_odds():
    odds = choices(Sampling(temperature=2.0), [0.0, 2.0])
    assert odds[1] / odds[0] == pytest.approx(np.e, rel=0.15)


def test_a_row_draws_from_its_own_generator():
    logits = torch.zeros(2, 50)
    together = Chooser(Sampling(temperature=1.0), [3, 4], [np.zeros(0, dtype=np.int64)] * 2, CPU)
    alone = chooser(Sampling(temperature=1.0), seed=4)
    assert [together(logits)[1].item() for _ in range(5)] == [alone(logits[:1])[0].item() for _ in range(5)]


def test_a_checkpoint_states_its_own_rules(tmp_path):
    rules = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
    (tmp_path / "generation_config.json").write_text(json.dumps(rules))
    assert checkpoint_sampling(tmp_path) == Sampling(0.7, 0.8, 20, 0.0, 1.05)
    (tmp_path / "generation_config.json").write_text(json.dumps(rules | {"do_sample": False}))
    assert checkpoint_sampling(tmp_path).temperature == 0


def test_wrong_values_are_named_together():
    with pytest.raises(ValueError, match=r"temperature -1 .*top_p 0 "):
        Sampling(temperature=-1, top_p=0)
