"""Held-out samples: losses by source, answers by task, and shares of ranks."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

pytest.importorskip("accelerate", reason="training needs the extra: train")

from rscovlm.data.holdout import hold_out
from rscovlm.data.mix import Mix
from rscovlm.training import evaluate
from rscovlm.training.evaluate import evaluator, held_out_numbers
from rscovlm.training.live import learnt_runs
from tests.rscovlm.data.noises import SPEC, Noises
from tests.rscovlm.training.alone import IMAGE_ID, Alone, config
from tests.rscovlm.training.material import PaintedSource
from zoom_chain.chat import Reply

LOSSES = {"a": 2.0, "b": 5.0}
"""The loss of every token, by source."""


class Known(nn.Module):
    """A learner whose losses are known; notes whether it was training and with gradients."""

    def __init__(self):
        super().__init__()
        self.model = nn.Identity()
        self.asked = []

    def forward(self, pack, weights, moment):
        self.asked.append((pack.sources, self.training, torch.is_grad_enabled()))
        value = LOSSES[pack.sources[0]] if pack.sources else 99.0
        return SimpleNamespace(token_losses=weights[0] * value)


def mix_of(sources, count=3):
    return Mix(sources, dict.fromkeys(sources, 10), 0, hold_out(sources, count, 0))


def base():
    return SimpleNamespace(patches=SPEC, encoder=SimpleNamespace(image_id=IMAGE_ID))


LOSS_ALONE = config(evaluation={"every": 1, "generate": False, "samples": 2})


def test_the_loss_of_a_source_is_the_mean_of_its_samples_and_the_whole_the_mean_of_sources():
    learner = Known()
    mix = mix_of({"a": Noises("a"), "b": Noises("b")})
    numbers = held_out_numbers(learner, LOSS_ALONE, base(), mix, Alone())
    assert numbers == {"eval/loss/a": 2.0, "eval/loss/b": 5.0, "eval/loss": 3.5}
    # Two of the three samples that each source holds out, without dropout and gradients.
    assert learner.asked == [(("a",), False, False)] * 2 + [(("b",), False, False)] * 2
    assert learner.training, "as before"


def test_a_broken_sample_is_counted_and_takes_a_pass_of_the_dummy_all_the_same():
    learner = Known()
    mix = mix_of({"a": Noises("a")})
    first = mix.held_out["a"][0].index
    mix.sources["a"].broken = (first,)
    numbers = held_out_numbers(learner, LOSS_ALONE, base(), mix, Alone())
    assert numbers == {"eval/loss/a": 2.0, "eval/loss": 2.0, "eval/broken": 1}
    assert [sources for sources, _, _ in learner.asked] == [(), ("a",)]


def test_every_rank_makes_as_many_passes_whatever_is_left_over():
    passes, seen = [], []
    for rank in (0, 1):
        ranked = Alone()
        ranked.num_processes, ranked.process_index = 2, rank
        learner = Known()
        mix = mix_of({"a": Noises("a")})
        held_out_numbers(learner, config(evaluation={"every": 1, "generate": False}), base(), mix, ranked)
        passes.append(len(learner.asked))
        seen.append(sum(bool(sources) for sources, _, _ in learner.asked))
    assert (passes, seen) == ([2, 2], [2, 1])


def test_a_learner_is_set_to_train_again_where_evaluation_fails():
    class Failing(Known):
        def forward(self, *_):
            raise RuntimeError("out of memory")

    learner = Failing()
    with pytest.raises(RuntimeError, match="out of memory"):
        held_out_numbers(learner, LOSS_ALONE, base(), mix_of({"a": Noises("a")}), Alone())
    assert learner.training


def test_answers_are_scored_as_the_task_of_each_turn(model, monkeypatch):
    family, encoder = model
    known = SimpleNamespace(
        patches=encoder.patches, encoder=encoder, family=family, tokenizer=encoder.tokenizer
    )
    sources = {"a": PaintedSource("a", encoder, encoder.patches.factor)}
    mix = mix_of(sources, count=4)
    examples = [sources["a"].encode(key.index, key.visit) for key in mix.held_out["a"]]
    expected = [encoder.tokenizer.decode(e.ids[run]) for e in examples for run in learnt_runs(e)]
    asked = []

    def answer(prompts, options):
        asked.append((len(prompts), options.max_new_tokens))
        right = [text.removesuffix("<|im_end|>") for text in expected]
        return [Reply(text) for text in (right[0], "something else", right[2], right[3])]

    monkeypatch.setattr(evaluate, "live_engine", lambda *_: SimpleNamespace(answer=answer))
    settings = config(evaluation={"every": 1, "max_new_tokens": 5})
    numbers = held_out_numbers(Known(), settings, known, mix, Alone())
    assert numbers["eval/a/accuracy"] == 0.75
    assert asked == [(4, 5)]


def test_nothing_is_evaluated_where_the_configuration_never_does():
    assert evaluator(config(evaluation={"every": None}), base(), None, Alone()) is None
    evaluates = evaluator(LOSS_ALONE, base(), mix_of({"a": Noises("a")}), Alone())
    assert evaluates(Known())["eval/loss"] == 2.0
