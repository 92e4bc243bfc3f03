"""Lessons as a source of a mix."""

from collections import Counter

import numpy as np

from rscovlm.data.encoding import Encoder
from rscovlm.nano.lessons import make_lesson
from rscovlm.nano.source import NAMES, Lessons
from rscovlm.synth.catalogue import CLASS_NAMES, OBJECT_CLASSES
from tests.rscovlm.nano.material import SPEC


def test_exactly_the_assistant_turns_and_their_ends_are_learnt(tokenizer, lessons):
    for index in range(20):
        coded = lessons.encode(index, 0)
        messages = make_lesson(4, index).conversation.messages
        turns = [m.text + "<|im_end|>" for m in messages if m.role == "assistant"]
        assert tokenizer.decode(coded.ids[coded.learnt]) == "".join(turns)


def test_coordinates_are_marked_and_counts_are_not(lessons):
    coded = [(lessons.encode(index, 0), make_lesson(4, index)) for index in range(150)]
    marked = Counter()
    listing = {"detect", "refine", "places", "ground"}
    for example, sample in coded:
        count = int(example.tokens["coordinate"].sum())
        marked[example.task] += count
        if example.task in listing:
            assert count % 8 == 0
        calls = sum("bbox_2d" in message.text for message in sample.conversation.messages)
        assert example.task in listing or count == 4 * calls, "the 2 of bbox_2d is no coordinate"
    assert {task for task, count in marked.items() if count} == {"chain", "first look", *listing}
    assert {"close", "survey"} < set(marked)


def test_the_first_lessons_are_easy_and_every_visit_to_one_is_the_same(tokenizer):
    encoder = Encoder(tokenizer, SPEC)
    eased, plain = (Lessons("lessons", encoder, 4, 1000, easy) for easy in (40, 0))
    early = [eased.encode(i, 0).ids.tolist() != plain.encode(i, 0).ids.tolist() for i in range(20)]
    late = [eased.encode(i, 0).ids.tolist() != plain.encode(i, 0).ids.tolist() for i in range(40, 50)]
    assert any(early)
    assert not any(late)
    assert eased.encode(3, 0).ids.tolist() == eased.encode(3, 1).ids.tolist()


def test_cells_come_as_the_first_tokens_of_their_names(tokenizer, lessons):
    coded, lesson = lessons.encode(3, 0), make_lesson(4, 3)
    words = np.array([cells.words for cells in lesson.cells])
    assert coded.images["cell_ids"].shape == words.shape == (len(coded.pictures), 64)
    for word in np.unique(words):
        [token] = np.unique(coded.images["cell_ids"][words == word])
        assert token == tokenizer.encode(f" {word}", add_special_tokens=False)[0]
    np.testing.assert_array_equal(coded.images["shares"], [cells.shares for cells in lesson.cells])


def test_a_source_is_as_long_as_said_and_drawn_in_order(lessons):
    assert len(lessons) == 1000
    assert lessons.in_order
    assert lessons.encode(7, 2).key == ("lessons", 7, 2)


PLURALS = {own.plural: own.name for own in OBJECT_CLASSES}
PLURAL_OF = {own.name: own.plural for own in OBJECT_CLASSES}


def test_names_that_the_image_before_shows_are_marked_at_their_last_token(tokenizer, lessons):
    marked = 0
    for index in range(60):
        coded = lessons.encode(index, 0)
        named, images = coded.tokens["named"], coded.images["cell_ids"]
        picture = np.cumsum(coded.ids == lessons.encoder.image_id) // images.shape[1] - 1
        for end in np.flatnonzero(named):
            said = tokenizer.decode(coded.ids[: end + 1])
            if said.endswith("assistant\n"):
                continue
            name = max((word for word in (*NAMES, *PLURALS) if said.endswith(word)), key=len)
            name = PLURALS.get(name, name)
            assert named[end] == tokenizer.encode(f" {name}", add_special_tokens=False)[0]
            assert named[end] in images[picture[end]]
            marked += 1
    assert marked > 60


def test_an_answer_in_words_begins_by_looking_at_the_class_that_was_asked_about(tokenizer, lessons):
    marked = Counter()
    for index in range(150):
        coded, lesson = lessons.encode(index, 0), make_lesson(4, index)
        if coded.task not in ("close", "chain"):
            continue
        starts = np.flatnonzero(np.diff(coded.learnt.astype(int), prepend=0) == 1) - 1
        turns = lesson.conversation.messages
        answered = [row for row, turn in enumerate(turns) if turn.role == "assistant"]
        pictures = np.cumsum(coded.ids == lessons.encoder.image_id) // 64 - 1
        for start, row in zip(starts, answered, strict=True):
            words = " ".join(turn.text for turn in turns[:row])
            last = max(CLASS_NAMES, key=lambda name: max(words.rfind(name), words.rfind(PLURAL_OF[name])))
            looked, shown = coded.tokens["named"][start], coded.images["cell_ids"][pictures[start]]
            cell = tokenizer.encode(f" {last}", add_special_tokens=False)[0]
            if "bbox_2d" in turns[row].text:
                assert looked == 0
            elif last not in ("small vehicle", "large vehicle"):  # whose plurals share a word
                assert looked == (cell if cell in shown else 0)
                marked[bool(looked)] += 1
    assert min(marked[True], marked[False]) > 5


def test_traits_come_as_the_tokens_that_answers_about_them_begin_with(tokenizer, lessons):
    kinds = {kind for own in OBJECT_CLASSES for kind in own.kinds}
    told = set()
    for index in range(20):
        traits = lessons.encode(index, 0).images["traits"].reshape(-1, 2)
        words = [own for cells in make_lesson(4, index).cells for own in cells.traits]
        for tokens, own in zip(traits, words, strict=True):
            first = [tokenizer.encode(word, add_special_tokens=False)[0] if word else 0 for word in own]
            assert tokens.tolist() == first
            told.add(own[0])
    assert len(told & kinds) > 5
    assert told <= kinds | {""}


def test_what_states_a_box_is_aimed_at_the_token_that_shows_its_centre(tokenizer, lessons):
    tasks = Counter()
    for index in range(100):
        coded = lessons.encode(index, 0)
        aimed, coordinate = coded.tokens["aimed"], coded.tokens["coordinate"]
        assert ((aimed[:-1] > 0) <= coded.learnt[1:]).all(), "the next token is part of an answer"
        for place in np.flatnonzero(coordinate):
            assert aimed[place - 1] > 0, "whatever comes before a number states its box"
        if coded.task not in ("detect", "ground", "places"):
            continue
        answers = [m.text for m in make_lesson(4, index).conversation.messages if m.role == "assistant"]
        lines = [line.rpartition(" ")[2].split(",") for text in answers for line in text.splitlines()]
        written = [numbers for numbers in lines if len(numbers) == 8]
        if not written:
            continue
        x, y = np.array(written, dtype=float).reshape(-1, 4, 2).mean(axis=1).T // 125
        ends = np.flatnonzero(coordinate)[7::8] - 1
        np.testing.assert_array_equal(aimed[ends], 1 + np.minimum(y, 7) * 8 + np.minimum(x, 7))
        tasks[coded.task] += len(ends)
        if coded.task == "detect":
            assert (np.diff(aimed[ends]) >= 0).all(), "in reading order of what shows them"
    assert min(tasks[name] for name in ("detect", "ground", "places")) > 0
