"""Asking: every kind of item becomes a row, and one that fails stops no other."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.bench.runs.answering import ask_items
from tests.rscovlm.bench.runs.asked import job_about, one_of_each, write_files
from tests.rscovlm.scripted import ScriptedEngine
from zoom_chain.chat import Reply
from zoom_chain.dialect import NANO


@pytest.fixture
def items(tmp_path):
    write_files(tmp_path)
    return one_of_each(tmp_path)


def rows_of(engine, job, size=4):
    items = job.questions.items
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    return {row.item.key: row for batch in ask_items(engine, job.asking, batches) for row in batch}


def says(text):
    return ScriptedEngine(lambda conversation: Reply(text, prompt_tokens=70, completion_tokens=3))


def test_every_item_is_asked_once_in_the_words_of_its_task(tmp_path, items):
    engine = says("fine")
    rows = rows_of(engine, job_about(tmp_path, items, mode="off"))
    assert list(rows) == [item.key for item in items]
    asked = [c.messages[-1].text for batch in engine.batches for c in batch]
    assert sorted(asked) == sorted(row.user for row in rows.values())
    assert rows["choice"].user == "Which?\nA. x\nB. y\nAnswer with the option's letter."
    assert rows["detect"].contract == rows["ground"].contract == "nano"
    assert rows["open"].contract == ""


def test_a_row_holds_what_was_seen_and_spent(tmp_path, items):
    row = rows_of(says("fine"), job_about(tmp_path, items, mode="off"))["open"]
    assert (row.text, row.stop_reason, row.error) == ("fine", "stop", None)
    assert (row.prompt_tokens, row.visual_tokens, row.reply_tokens) == (
        70,
        64,
        3,
    )  # 128 x 128 px, 16 px cells
    assert row.views == (row.view,)
    assert (row.view.window.width, row.view.size) == (1024, (128, 128))


def test_a_list_of_boxes_has_more_room_than_a_class(tmp_path, items):
    engine = says("fine")
    rows_of(engine, job_about(tmp_path, items, mode="off"), size=len(items))
    room = {
        batch[0].messages[-1].text[:4]: o.max_new_tokens for batch, o in zip(engine.batches, engine.options)
    }
    assert room["find"] > room["Clas"]


def test_only_questions_in_words_about_one_large_image_are_looked_at_closer(tmp_path, items):
    def script(conversation):
        return NANO.render_call((10, 10, 60, 60), 128, 128) if len(conversation.messages) == 2 else "red"

    rows = rows_of(ScriptedEngine(script), job_about(tmp_path, items, mode="chain"))
    looked = {key for key, row in rows.items() if len(row.views) > 1}
    assert looked == {"open", "count"}
    assert rows["open"].text == "red"
    assert rows["open"].stop_reason == "answered"
    assert rows["open"].visual_tokens == sum(64 for _ in rows["open"].views)
    assert rows["open"].system == NANO.system_prompt
    assert all(view["thumbnail"] == "" for view in rows["open"].trace["views"])
    assert rows["class"].trace is None


@pytest.mark.parametrize("blind", ["text", "gray", "shuffle"])
def test_blind_runs_show_none_grey_or_another_image(tmp_path, items, blind):
    engine = says("fine")
    job = job_about(tmp_path, items, mode="off", blind=blind)
    rows = rows_of(engine, job, size=1)
    shown = [[image.read() for image in batch[0].images] for batch in engine.batches]
    if blind == "text":
        assert all(not images for images in shown)
        assert {row.visual_tokens for row in rows.values()} == {0}
        assert rows["open"].view.size == (128, 128)  # where a box would have been
    else:
        assert all(len(images) == 1 for images in shown)
    if blind == "gray":
        assert all((image == 128).all() for (image,) in shown)
    if blind == "shuffle":
        seen = dict(zip(rows, (image for (image,) in shown)))
        own = rows_of(says("fine"), job_about(tmp_path, items, mode="off"))
        assert seen["choice"].mean() != pytest.approx(100, abs=1)  # its own picture is of this value
        assert set(own) == set(seen)


def test_the_oracle_shows_what_has_to_be_seen(tmp_path, items):
    asked = [replace(items[1], evidence=(100.0, 100.0, 300.0, 300.0))]
    row = rows_of(says("red"), job_about(tmp_path, asked, mode="oracle"))["open"]
    assert row.view.window.bounds == pytest.approx((90, 90, 310, 310))


def test_an_image_that_cannot_be_read_fails_alone(tmp_path, items):
    broken = replace(items[0], images=(str(tmp_path / "gone.png"),))
    rows = rows_of(says("fine"), job_about(tmp_path, [broken, *items[1:]]))
    assert "gone.png" in rows["class"].error
    assert [key for key, row in rows.items() if row.error] == ["class"]


def test_an_item_that_cannot_be_put_into_words_fails_alone(tmp_path, items):
    rows = rows_of(says("fine"), job_about(tmp_path, [replace(items[0], options=()), *items[1:]]))
    assert {key: row.error for key, row in rows.items() if row.error} == {
        "class": "there are no classes to choose from; give at least one"
    }


def test_a_request_that_fails_is_a_row_with_its_reason(tmp_path, items):
    def script(conversation):
        broken = "Which?" in conversation.messages[-1].text
        return Reply("", "error", error="too long") if broken else "fine"

    rows = rows_of(ScriptedEngine(script), job_about(tmp_path, items))
    assert {key: row.error for key, row in rows.items() if row.error} == {"choice": "too long"}


def test_an_answer_behind_which_a_request_failed_is_a_row_that_is_asked_again(tmp_path, items):
    """A count without some of the tiles is no count."""
    said = iter([Reply("", "error", error="busy")])
    counted = [replace(each, subject="How many planes are there?") for each in items if each.key == "count"]
    engine = ScriptedEngine(lambda _: next(said, "There are none."))
    row = rows_of(engine, job_about(tmp_path, counted, mode="sweep"))["count"]
    assert (row.text, row.stop_reason, row.error) == ("0", "partial", "1 tile was not examined: busy")


def test_what_concerns_every_request_ends_the_run_and_closes_the_files(tmp_path, items):
    def script(conversation):
        raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError, match="the server is gone"):
        rows_of(ScriptedEngine(script), job_about(tmp_path, items))


def test_several_images_are_shown_in_order(tmp_path, items):
    both = replace(items[0], images=(str(tmp_path / "0.png"), str(tmp_path / "1.png")))
    engine = says("sea")
    row = rows_of(engine, job_about(tmp_path, [both]))["class"]
    means = [float(np.mean(image.read())) for image in engine.batches[0][0].images]
    assert means == pytest.approx([60, 100], abs=1)
    assert row.visual_tokens == 2 * 16  # 64 x 64 px each
