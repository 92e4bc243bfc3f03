"""Replies of a batch as they grow: each row ends by itself, and what the cache holds of it is known."""

import numpy as np
import pytest
import torch

from rscovlm.engines.generating import Generated, before, logprobs_of


class Letters:
    """A tokenizer whose tokens are letters: 0 is a, 1 is b."""

    def decode(self, tokens, skip_special_tokens):
        return "".join(chr(ord("a") + token) for token in tokens)


def test_a_row_ends_at_its_stop_token_and_the_others_go_on():
    state = Generated(2, torch.ones(2, 3, dtype=torch.long))
    state.add([1, 9], [-0.5, -0.1], {9})
    assert (state.stopped, state.finished) == ([False, True], False)
    state.feed([1, 9], torch.tensor([[1], [0]]))
    state.add([9, 4], [-0.2, -9.0], {9})
    assert state.finished
    # The stop token is no part of a reply, though its probability is told; what follows it is padding.
    assert state.replies() == [([1], True, [-0.5, -0.2]), ([], True, [-0.1])]
    assert state.fed == [[1], []]
    assert state.mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_a_row_ends_with_a_string_that_tokens_make_together():
    state = Generated(2, torch.ones(2, 1, dtype=torch.long))
    for tokens in ([0, 0], [1, 2], [2, 2]):
        state.add(tokens, None, set())
        state.end_at(["bc"], Letters())
    assert state.stopped == [True, False]


@pytest.mark.parametrize(
    ("stops", "text"), [((), "one two"), (("two",), "one "), (("two", "ne"), "o"), (("three",), "one two")]
)
def test_a_text_ends_before_the_first_of_its_stop_strings(stops, text):
    assert before("one two", stops) == text


def test_log_probabilities_are_those_of_the_chosen_tokens():
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.9, 0.1]]))
    np.testing.assert_allclose(np.exp(logprobs_of(logits, torch.tensor([1, 0]))), [0.75, 0.9], rtol=1e-6)
