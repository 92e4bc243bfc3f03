"""What is kept of conversations: each shared beginning once, whole images, and the latest used longest."""

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from rscovlm.engines.prefixes import Prefixes
from rscovlm.models.prompting import Prompt
from zoom_chain.chat import ImagePart


def asked(*ids):
    return Prompt(np.array(ids, dtype=np.int64), (), (), ())


def state_of(ids):
    """What a model would hold of each token: it depends on all tokens before it."""
    return np.array([hash(tuple(ids[: place + 1])) % 2**40 for place in range(len(ids))], dtype=np.float64)


def keep(memory, *ids, reply=0):
    state = torch.from_numpy(state_of(ids))[None, :, None]
    memory.keep(
        np.array(ids, dtype=np.int64), lambda start, end: [(state[:, start:end], -state[:, start:end])], reply
    )


def release(memory, *ids, shared=0):
    memory.release(np.array(ids, dtype=np.int64), shared)


def kept_of(memory, *ids):
    """How much of a prompt is held, after a look at whether it is what belongs to its tokens."""
    found = memory.beginning(asked(*ids))
    for which, sign in enumerate((1, -1)):
        target = torch.zeros(1, found.length, 1, dtype=torch.float64)
        found.copy_to(0, which, target)
        np.testing.assert_array_equal(target.flatten(), sign * state_of(ids)[: found.length])
    return found.length


words = st.lists(st.integers(0, 2), min_size=1, max_size=8)


@given(st.lists(words, max_size=8), words)
def test_the_longest_beginning_is_found_and_each_shared_one_is_held_once(conversations, prompt):
    memory = Prefixes(1000)
    for ids in conversations:
        keep(memory, *ids)
    beginnings = {tuple(ids[:end]) for ids in conversations for end in range(1, len(ids) + 1)}
    assert memory.tokens == len(beginnings)
    longest = max((end for end in range(len(prompt)) if tuple(prompt[:end]) in beginnings), default=0)
    assert kept_of(memory, *prompt) == longest


@given(st.integers(0, 12), st.lists(words, max_size=12))
def test_no_more_is_held_than_the_bound(most, conversations):
    memory = Prefixes(most)
    for ids in conversations:
        memory.next_batch()
        keep(memory, *ids)
        assert memory.tokens <= most
        assert memory.tokens == sum(len(node.keys) for node in memory._root.walk())
        if len(ids) <= most:
            assert kept_of(memory, *ids, 9) == len(ids), "the latest is there"


def test_the_last_token_of_a_prompt_is_never_taken_since_its_output_comes_next():
    memory = Prefixes(100)
    keep(memory, 1, 2, 3)
    assert kept_of(memory, 1, 2, 3) == 2
    assert kept_of(memory, 1, 2, 3, 4) == 3
    assert kept_of(memory, 8, 1, 2) == 0


def test_what_was_used_last_is_forgotten_last():
    memory = Prefixes(9)
    for ids in ([1, 2, 3], [4, 5, 6], [7, 8, 9]):
        memory.next_batch()
        keep(memory, *ids)
    memory.next_batch()
    assert kept_of(memory, 1, 2, 3, 0) == 3
    keep(memory, 10, 11, 12)
    held = {first: kept_of(memory, first, first + 1, first + 2, 0) for first in (1, 4, 7, 10)}
    assert held == {1: 3, 4: 0, 7: 3, 10: 3}, "4 was used least recently"


def test_ends_are_forgotten_before_what_others_share():
    memory = Prefixes(6)
    for end in ([3, 4], [5, 6]):
        memory.next_batch()
        keep(memory, 1, 2, *end)
    memory.next_batch()
    keep(memory, 1, 2, 7, 8)
    assert [kept_of(memory, 1, 2, end, 0) for end in (3, 5, 7)] == [2, 3, 3]


def test_a_row_does_not_push_out_another_of_its_batch():
    memory = Prefixes(5)
    memory.next_batch()
    keep(memory, 1, 2, 3)
    keep(memory, 4, 5, 6)
    assert (kept_of(memory, 1, 2, 3, 0), kept_of(memory, 4, 5, 6, 0)) == (3, 0)
    memory.next_batch()
    keep(memory, 4, 5, 6)
    assert (kept_of(memory, 1, 2, 3, 0), kept_of(memory, 4, 5, 6, 0)) == (0, 3)


def test_an_image_is_shared_whole_or_not_at_all():
    """What a conversation ends with may be the beginning of an image: a prompt that was cut."""

    def prompt(seed, *ids):
        pixels = np.full((2, 2, 3), seed, np.uint8)
        return Prompt(np.array(ids), (ImagePart(pixels),), ((1, 4),), ((1, 3),))

    memory = Prefixes(100)
    one = prompt(1, 7, 0, 0, 0, 8, 9)
    memory.keep(one.keys, lambda start, end: [])
    assert memory.beginning(prompt(1, 7, 0, 0, 0, 8, 5)).length == 5
    assert memory.beginning(prompt(2, 7, 0, 0, 0, 8, 9)).length == 1, "another image of the same size"
    cut = Prefixes(100)
    cut.keep(one.keys[:3], lambda start, end: [])
    assert cut.beginning(one).length == 1


def test_nothing_is_held_after_it_was_cleared():
    memory = Prefixes(10)
    keep(memory, 1, 2, 3)
    memory.clear()
    assert (memory.tokens, kept_of(memory, 1, 2, 3)) == (0, 0)


@given(st.lists(words, max_size=8), words, words, st.integers(0, 8))
def test_what_is_released_is_what_no_other_conversation_has(others, prompt, reply, shared):
    assume(all(ids[: len(prompt)] != prompt for ids in others))
    alone, memory = Prefixes(1000), Prefixes(1000)
    for ids in others:
        keep(alone, *ids)
        keep(memory, *ids)
    before = alone.tokens
    keep(memory, *prompt, *reply, reply=len(reply))
    release(memory, *prompt, shared=shared)
    for ids in others:
        if prompt[: len(ids)] != ids:  # it is no beginning of what is released
            assert kept_of(memory, *ids, 9) == len(ids)
    assert kept_of(memory, *prompt, 9) >= min(shared, len(prompt))
    assert memory.tokens <= before + min(shared, len(prompt))
    assert memory.tokens == sum(len(node.keys) for node in memory._root.walk())


def test_a_conversation_of_several_turns_is_released_whole_though_a_reply_was_taken_up_in_other_tokens():
    memory = Prefixes(100)
    keep(memory, 1, 2, 5, 5, 6, reply=3)
    keep(memory, 1, 2, 5, 7, 3, 8, reply=1)  # the reply 5 5 6 goes on as 5 7
    keep(memory, 1, 4, 8, reply=1)
    release(memory, 1, 2, 5, 7, 3)
    assert memory.tokens == 3
    assert kept_of(memory, 1, 4, 9) == 2
    release(memory, 1, 4)
    assert memory.tokens == 0


def test_what_was_never_held_is_released_without_a_word():
    memory = Prefixes(100)
    keep(memory, 1, 2, 3)
    release(memory, 1, 2, 4)
    release(memory, 7)
    assert memory.tokens == 3
