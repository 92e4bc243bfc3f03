"""The chain: what is read, what a model is told, and how each chain ends."""

import itertools

import numpy as np
import pytest
import rasterio

from tests.places import unplaced
from tiling.overrides import Overrides
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.budget import Budget
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO, QWEN3_VL, RSCOVLM
from zoom_chain.looks import CropRule
from zoom_chain.patterns import turn_pattern
from zoom_chain.policies import OFF, SINGLE

AS_ASKED = CropRule(margin=0)


def nano_call(x1, y1, x2, y2):
    """A call in thousandths of the latest image."""
    return NANO.render_call((x1, y1, x2, y2), 1000, 1000)


def qwen_call(x1, y1, x2, y2, **more):
    import json

    arguments = {"bbox_2d": [x1, y1, x2, y2], "label": "it", **more}
    return f"<tool_call>\n{json.dumps({'name': 'image_zoom_in_tool', 'arguments': arguments})}\n</tool_call>"


@pytest.fixture
def chain_of(scripted, small):
    """A chain over a scripted model, with margins off so that windows are those asked for."""

    def build(*script, dialect=NANO, budget=None, crops=AS_ASKED, resolution=small, **more):
        return ZoomChain(scripted(question=script), dialect, resolution, budget, crops=crops, **more)

    return build


def last_turn(chain):
    """The last message of the last conversation that the model was given."""
    return chain.model.batches[-1][-1].messages[-1]


def test_an_answer_from_the_overview_ends_the_chain(chain_of, scene):
    chain = chain_of(Reply("Blue.", prompt_tokens=50, prefilled_tokens=50, completion_tokens=2))
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "answered")
    (view,), (turn,) = answer.trace.views, answer.trace.turns
    # 2048 x 1024 px within 32 tokens of 32 x 32 px: 256 x 128 px.
    assert view.view == View(Window(0, 0, 2048, 1024), Size(128, 256))
    assert (view.visual_tokens, view.magnification, view.gain) == (32, 1, 1)
    assert view.gsd_m == pytest.approx(4.0, rel=1e-3)
    assert (turn.prompt_tokens, turn.prefilled_tokens, turn.completion_tokens) == (50, 50, 2)


def test_a_crop_is_read_from_the_source_at_full_resolution(chain_of, scene):
    """RSCoVLM's inference crops the image that was already shrunk, so that its zoom shows no new pixel."""
    chain = chain_of(nano_call(500, 500, 562, 562), "Blue.")
    answer = chain.ask(scene, "question?")
    overview, crop = (
        message.images[0].pixels for message in chain.model.batches[1][0].messages if message.images
    )
    assert np.all(np.abs(overview[..., 2].astype(int) - 125) <= 1)  # the checkerboard is averaged away
    assert crop[..., 2].min() < 60
    assert crop[..., 2].max() > 190
    record = answer.trace.views[1]
    # 62 thousandths of 2048 and of 1024 px.
    assert record.view.window.bounds == pytest.approx((1024, 512, 1024 + 126.976, 512 + 63.488))
    assert record.magnification > 8
    assert record.gain == pytest.approx(8)
    assert record.gsd_m == pytest.approx(0.5, rel=0.02)


def test_pixels_of_a_crop_are_those_of_its_window(chain_of, scene):
    chain = chain_of(nano_call(250, 250, 500, 500), nano_call(500, 500, 1000, 1000), "Blue.")
    chain.ask(scene, "question?")
    # x from 512 + 256 to 1024 of 2048 px, coded as 0-256: 96 to 128; y from 256 + 128 to 512: 96 to 128.
    pixels = last_turn(chain).images[0].pixels
    assert pixels[..., 0].min() == pytest.approx(96, abs=1)
    assert pixels[..., 0].max() == pytest.approx(128, abs=1)
    assert pixels[..., 1].min() == pytest.approx(96, abs=1)
    assert pixels[..., 1].max() == pytest.approx(128, abs=1)


def test_the_latest_image_or_the_original_is_the_frame_as_the_dialect_says(chain_of, scene):
    nano = chain_of(nano_call(0, 0, 500, 500), nano_call(500, 500, 1000, 1000), "Blue.").ask(
        scene, "question"
    )
    assert nano.trace.views[2].view.window == Window(512, 256, 512, 256)
    script = [qwen_call(0, 0, 500, 500), qwen_call(500, 500, 1000, 1000), "Blue."]
    qwen = chain_of(*script, dialect=QWEN3_VL).ask(scene, "question")
    assert qwen.trace.views[2].view.window == Window(1024, 512, 1024, 512)


def test_an_image_index_overrides_the_frame(chain_of, scene):
    script = [qwen_call(0, 0, 500, 500), qwen_call(500, 500, 1000, 1000, img_idx=1), "Blue."]
    answer = chain_of(*script, dialect=QWEN3_VL).ask(scene, "question")
    assert answer.trace.views[2].view.window == Window(512, 256, 512, 256)
    assert answer.trace.turns[1].request.frame == 1


@pytest.mark.parametrize("index", [1, 4])
def test_an_image_index_that_does_not_exist_is_refused(chain_of, scene, index):
    chain = chain_of(qwen_call(0, 0, 500, 500, img_idx=index), "Blue.", dialect=QWEN3_VL)
    answer = chain.ask(scene, "question")
    assert f"no image {index}; images 0 to 0 exist" in last_turn(chain).text
    assert answer.stop_reason == "answered"


def test_pixels_of_the_resized_image_are_the_frame_of_rscovlm(chain_of, scene):
    # The overview is 256 x 128 px of 2048 x 1024: one of its pixels is 8 scene pixels.
    answer = chain_of(RSCOVLM.render_call((32, 16, 96, 48), 256, 128), "Blue.", dialect=RSCOVLM).ask(
        scene, "question"
    )
    assert answer.trace.views[1].view.window == Window(256, 128, 512, 256)
    assert answer.trace.turns[0].request.window == Window(256, 128, 512, 256)


@pytest.mark.parametrize(
    ("dialect", "unit_px"),
    # One pixel of the 256 x 128 px overview is 8 scene pixels; a thousandth is 2.048 by 1.024.
    [(RSCOVLM, (8, 8)), (QWEN3_VL, (2.048, 1.024))],
)
def test_a_margin_covers_at_least_one_unit_of_the_written_coordinates(chain_of, scene, dialect, unit_px):
    call = dialect.render_call((32, 32, 64, 64), 256, 128)
    crops = CropRule(margin=1e-9, min_side_px=1)
    trace = chain_of(call, "Blue.", dialect=dialect, crops=crops).ask(scene, "question?").trace
    asked, read = trace.turns[0].request.window.bounds, trace.views[1].view.window.bounds
    assert np.subtract(asked, read) == pytest.approx((*unit_px, *(-unit for unit in unit_px)))


def test_each_question_of_a_batch_has_its_own_images(scripted, small, scene, tmp_path):
    """RSCoVLM's image cursor stands still at samples without a call; later ones get another's crop."""
    with (
        unplaced(),
        rasterio.open(
            tmp_path / "red.tif", "w", driver="GTiff", width=800, height=800, count=3, dtype="uint8"
        ) as f,
    ):
        f.write(np.stack([np.full((800, 800), value, np.uint8) for value in (200, 0, 0)]))
    model = scripted(
        first=["Nothing to zoom."],
        second=[nano_call(0, 0, 250, 250), "Green."],
        third=[nano_call(0, 0, 250, 250), nano_call(0, 0, 500, 500), "Red."],
    )
    chain = ZoomChain(model, NANO, small, crops=AS_ASKED)
    with Scene(tmp_path / "red.tif") as red:
        answers = chain.ask_all([(scene, "first"), (scene, "second"), (red, "third")])
    assert [answer.text for answer in answers] == ["Nothing to zoom.", "Green.", "Red."]
    assert [len(batch) for batch in model.batches] == [3, 2, 1]
    second, third = (conversation.messages[-1].images[0].pixels for conversation in model.batches[1])
    assert second[..., 0].max() < 70  # the left quarter of the coded scene
    assert np.all(third == (200, 0, 0))
    assert [len(answer.trace.views) for answer in answers] == [1, 2, 3]


def test_a_batch_answers_as_single_questions_do(chain_of, scripted, small, scene):
    scripts = {
        "one": [nano_call(0, 0, 250, 250), "A."],
        "two": ["B."],
        "three": [nano_call(9, 9, 9, 9), "C."],
    }
    together = ZoomChain(scripted(**scripts), NANO, small).ask_all([(scene, word) for word in scripts])
    for word, answer in zip(scripts, together, strict=True):
        alone = ZoomChain(scripted(**scripts), NANO, small).ask(scene, word)
        assert (alone.text, alone.stop_reason, alone.trace.views) == (
            answer.text,
            answer.stop_reason,
            answer.trace.views,
        )


def test_a_model_that_never_stops_zooming_is_stopped(chain_of, scene):
    """RSCoVLM's inference recurses for as long as the model calls the tool."""
    corners = itertools.product((0, 300, 600), (0, 300, 600))
    calls = [qwen_call(x, y, x + 200, y + 200) for x, y in corners]
    chain = chain_of(*calls, dialect=QWEN3_VL, budget=Budget(max_zooms=3))
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("", "no_answer")
    assert answer.trace.turns[-2].refusal == "the tool was withdrawn: zoom budget"
    # Three crops, the request that meets the end of the budget, and the last chance to answer.
    assert len(answer.trace.views) == 1 + 3
    assert len(answer.trace.turns) == 3 + 1 + 1
    assert last_turn(chain).text == QWEN3_VL.final_text


def test_at_the_end_of_the_budget_the_model_is_asked_once_more_for_its_answer(chain_of, scene):
    call = qwen_call(0, 0, 300, 300)
    chain = chain_of(
        call, qwen_call(500, 500, 800, 800), "Blue.", dialect=QWEN3_VL, budget=Budget(max_zooms=1)
    )
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "zoom_budget")
    assert last_turn(chain).text == QWEN3_VL.final_text
    assert [turn.final for turn in answer.trace.turns] == [False, False, True]


def test_a_call_after_withdrawal_leaves_the_words_around_it(chain_of, scene):
    script = ["Perhaps blue.\n" + qwen_call(0, 0, 300, 300)] * 2
    answer = chain_of(*script, dialect=QWEN3_VL, budget=Budget(max_zooms=0)).ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("Perhaps blue.", "zoom_budget")


@pytest.mark.parametrize("reply", ["", "  \n", "<think>It is blue.</think>", "<think>Perhaps"])
def test_a_reply_without_words_is_no_answer(chain_of, scene, reply):
    answer = chain_of(reply).ask(scene, "question?")
    assert (answer.text.strip(), answer.stop_reason) == ("", "no_answer")


def test_policy_off_offers_no_tool_and_follows_no_call(chain_of, scene):
    chain = chain_of(nano_call(0, 0, 250, 250), policy=OFF)
    answer = chain.ask(scene, "question?")
    assert [message.role for message in chain.model.batches[0][0].messages] == ["user"]
    assert (answer.text, answer.stop_reason) == ("", "no_answer")


def test_policy_single_shows_one_crop_whatever_the_budget(chain_of, scene):
    calls = nano_call(0, 0, 250, 250), nano_call(0, 0, 250, 250)
    answer = chain_of(*calls, "Blue.", policy=SINGLE, budget=Budget(max_zooms=9)).ask(scene, "question?")
    assert (len(answer.trace.views), answer.stop_reason, answer.text) == (2, "zoom_budget", "Blue.")


def test_policy_single_does_not_override_a_budget_without_zooms(chain_of, scene):
    answer = chain_of(nano_call(0, 0, 250, 250), "Blue.", policy=SINGLE, budget=Budget(max_zooms=0)).ask(
        scene, "question?"
    )
    assert (len(answer.trace.views), answer.stop_reason, answer.text) == (1, "zoom_budget", "Blue.")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            nano_call(100, 100, 100, 300),
            'no area; give "bbox_2d": [x1, y1, x2, y2] with x and y from 0 to 1000',
        ),
        (
            NANO.render_call((0, 0, 9, 9), 9, 9)
            .replace("[0,", "[2000,")
            .replace("1000, 1000]", "3000, 1000]"),
            "outside",
        ),
        ('<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2', "cut off"),
        (nano_call(0, 0, 9, 9).replace("bbox_2d", "region"), "box is missing"),
    ],
)
def test_an_invalid_request_is_explained_and_never_answered_with_the_whole_image(chain_of, scene, call, told):
    """RSCoVLM's inference returns the full image as "the zoomed-in image" after any error."""
    chain = chain_of(call, "Blue.")
    answer = chain.ask(scene, "question?")
    turn = last_turn(chain)
    assert turn.role == "user"
    assert turn.images == ()
    assert told in turn.text
    assert told in answer.trace.turns[0].refusal
    assert len(answer.trace.views) == 1
    assert (answer.text, answer.stop_reason) == ("Blue.", "answered")


def test_after_an_invalid_request_the_model_may_try_again(chain_of, scene):
    answer = chain_of(nano_call(5, 5, 5, 5), nano_call(0, 0, 250, 250), "Blue.").ask(scene, "question?")
    assert (len(answer.trace.views), answer.text) == (2, "Blue.")
    assert [turn.shown for turn in answer.trace.turns] == [(), (1,), ()]


def test_refusals_are_bounded(chain_of, scene):
    chain = chain_of(*[nano_call(5, 5, 5, 5)] * 3, "Blue.", budget=Budget(max_refusals=2))
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("Blue.", "invalid_request")
    assert last_turn(chain).text == NANO.final_text


@pytest.mark.parametrize(
    ("calls", "number"),
    [
        ([(0, 0, 1000, 1000)], 0),
        ([(0, 0, 300, 300), (1, 1, 301, 301)], 1),
        ([(0, 0, 300, 300), (500, 500, 900, 900), (0, 0, 299, 300)], 1),
    ],
)
def test_a_repeated_zoom_is_refused_with_the_image_that_shows_it(chain_of, scene, calls, number):
    chain = chain_of(*[qwen_call(*box) for box in calls], "Blue.", dialect=QWEN3_VL)
    answer = chain.ask(scene, "question?")
    assert f"image {number} already shows this part" in last_turn(chain).text
    assert len(answer.trace.views) == len(calls)
    assert answer.text == "Blue."


def test_a_zoom_that_shows_no_more_detail_is_refused(chain_of, scene):
    """The first crop, of 102 x 51 px, is all that the source has; within it there is no more to see."""
    chain = chain_of(nano_call(500, 500, 550, 550), nano_call(0, 0, 500, 500), "Blue.")
    answer = chain.ask(scene, "question?")
    assert "no more detail" in last_turn(chain).text
    assert len(answer.trace.views) == 2


def test_crops_without_more_detail_are_shown_where_the_rule_allows_and_recorded_as_such(chain_of, scene):
    calls = nano_call(500, 500, 550, 550), nano_call(0, 0, 500, 500)
    answer = chain_of(*calls, "Blue.", crops=CropRule(margin=0, min_gain=0)).ask(scene, "question?")
    assert answer.trace.views[2].gain == pytest.approx(1, abs=0.05)
    assert answer.trace.views[2].magnification > answer.trace.views[1].magnification


def test_bounds_of_the_crop_rule_are_inclusive(chain_of, scene):
    # Half of the scene overlaps all of it by 0.5 exactly, which is a repetition.
    half = chain_of(qwen_call(0, 0, 500, 1000), "Blue.", dialect=QWEN3_VL, crops=CropRule(0, repeat_iou=0.5))
    assert "already shows this part" in half.ask(scene, "question?").trace.turns[0].refusal
    # 128 x 64 of 2048 x 1024 px at their own size are 8 times as fine as all at 256 x 128 px: enough.
    least = chain_of(qwen_call(0, 0, 62.5, 62.5), "Blue.", dialect=QWEN3_VL, crops=CropRule(0, min_gain=8))
    answer = least.ask(scene, "question?")
    assert answer.trace.views[1].view == View(Window(0, 0, 128, 64), Size(64, 128))


def test_a_crop_is_never_enlarged_beyond_the_largest_size_of_the_model(chain_of, scene):
    # A model of at most 32 tokens, and a rule of at least 64: 128 x 64 scene px are shown at 256 x 128 px.
    crops = CropRule(margin=0, min_visual_tokens=64)
    chain = chain_of(qwen_call(0, 0, 62.5, 62.5), "Blue.", dialect=QWEN3_VL, crops=crops)
    assert chain.ask(scene, "question?").trace.views[1].view == View(Window(0, 0, 128, 64), Size(128, 256))


def test_a_part_without_data_is_not_shown_as_a_crop(chain_of, tmp_path):
    pixels = np.full((3, 1024, 1024), 90, np.uint8)
    pixels[:, :, 512:] = 0
    profile = {"driver": "GTiff", "width": 1024, "height": 1024, "count": 3, "dtype": "uint8", "nodata": 0}
    with unplaced(), rasterio.open(tmp_path / "half.tif", "w", **profile) as f:
        f.write(pixels)
    chain = chain_of(nano_call(600, 0, 900, 300), "Blue.")
    with Scene(tmp_path / "half.tif") as half:
        answer = chain.ask(half, "question?")
    assert "no image data" in last_turn(chain).text
    assert len(answer.trace.views) == 1
    assert answer.trace.views[0].map_bounds is None


def test_an_overview_without_a_valid_pixel_is_shown_where_the_scene_has_some(chain_of, tmp_path):
    # One valid pixel in 1024 x 1024: far less than half of any pixel of the overview.
    pixels = np.zeros((3, 1024, 1024), np.uint8)
    pixels[:, 700, 300] = 90
    profile = {"driver": "GTiff", "width": 1024, "height": 1024, "count": 3, "dtype": "uint8", "nodata": 0}
    with unplaced(), rasterio.open(tmp_path / "dust.tif", "w", **profile) as f:
        f.write(pixels)
    chain = chain_of(nano_call(250, 650, 350, 750), "A dot.")
    with Scene(tmp_path / "dust.tif") as dust:
        answer = chain.ask(dust, "question?")
    assert (answer.text, answer.stop_reason, len(answer.trace.views)) == ("A dot.", "answered", 2)
    assert not chain.model.batches[0][0].messages[-1].images[0].pixels.any()
    assert last_turn(chain).images[0].pixels.max() == 90


def test_the_overview_takes_at_most_half_of_the_pixels_and_crops_fit_the_rest(chain_of, scene):
    # 24 tokens: 12 for the overview at most (4 x 2 fit the aspect), 16 left, then less than the least size.
    calls = nano_call(0, 0, 300, 300), nano_call(0, 0, 500, 500), nano_call(0, 0, 500, 500)
    answer = chain_of(*calls, "Blue.", budget=Budget(max_visual_tokens=24)).ask(scene, "question?")
    tokens = [view.visual_tokens for view in answer.trace.views]
    assert tokens[0] <= 12
    assert answer.trace.visual_tokens <= 24
    assert (answer.text, answer.stop_reason) == ("Blue.", "pixel_budget")


def test_a_part_too_large_for_the_rest_of_the_budget_is_not_called_bare_of_detail(chain_of, scene):
    # 20 tokens: 8 for the overview, 8 for a crop of 81 % of it; in the 4 left, most of that would be coarser.
    calls = nano_call(0, 0, 900, 900), nano_call(0, 0, 800, 800), nano_call(0, 0, 100, 100)
    chain = chain_of(*calls, "Blue.", budget=Budget(max_visual_tokens=20))
    answer = chain.ask(scene, "question?")
    assert "too little of the budget is left" in answer.trace.turns[1].refusal
    assert [turn.shown for turn in answer.trace.turns] == [(1,), (), (2,), ()]
    assert answer.trace.visual_tokens <= 20


def test_without_the_tool_the_overview_may_take_the_whole_budget(chain_of, scene):
    answer = chain_of("Blue.", policy=OFF, budget=Budget(max_visual_tokens=32)).ask(scene, "question?")
    assert answer.trace.visual_tokens == 32


def test_when_time_is_up_the_next_zoom_is_not_carried_out(chain_of, scene):
    ticks = itertools.count(step=2.0)
    chain = chain_of(
        *[nano_call(0, 0, 500, 500)] * 9, budget=Budget(max_seconds=9), clock=lambda: next(ticks)
    )
    answer = chain.ask(scene, "question?")
    assert answer.stop_reason == "no_answer"
    assert answer.trace.turns[-2].refusal == "the tool was withdrawn: time budget"
    assert 1 <= len(answer.trace.views) < 4


def test_the_time_is_up_when_it_is_used_up(chain_of, scene):
    chain = chain_of(nano_call(0, 0, 500, 500), "Blue.", budget=Budget(max_seconds=0), clock=lambda: 5.0)
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason, len(answer.trace.views)) == ("Blue.", "time_budget", 1)


def test_the_time_of_a_question_ends_with_its_own_answer(scripted, small, scene):
    ticks = itertools.count()
    model = scripted(short=["Blue."], long=[nano_call(0, 0, 250, 250), nano_call(0, 0, 500, 500), "Green."])
    chain = ZoomChain(model, NANO, small, clock=lambda: next(ticks))
    short, long = chain.ask_all([(scene, "short"), (scene, "long")])
    assert short.trace.seconds < long.trace.seconds


def test_an_answer_that_is_cut_off_after_the_tool_was_withdrawn_is_called_cut_off(chain_of, scene):
    cut = Reply("The ship is", stop_reason="length")
    chain = chain_of(nano_call(0, 0, 250, 250), cut, budget=Budget(max_zooms=0))
    answer = chain.ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("The ship is", "cut_off")


def test_a_reply_cut_off_by_the_token_limit_is_recorded(chain_of, scene):
    answer = chain_of(Reply("The ship is", stop_reason="length")).ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("The ship is", "cut_off")


def test_thoughts_are_no_part_of_the_answer(chain_of, scene):
    assert chain_of("<think>A ship?</think>\n\nBlue.").ask(scene, "question?").text == "Blue."


def test_the_model_sees_its_own_words_unchanged(chain_of, scene):
    """Byte-identical turns are what lets an engine keep its cache of the turns before."""
    said = "Let me see. " + nano_call(0, 0, 250, 250) + " And then? \n"
    chain = chain_of(said, "Blue.")
    chain.ask(scene, "question?")
    first, second = (batch[0].messages for batch in chain.model.batches)
    assert second[: len(first)] == first
    assert second[len(first)].text == said


def test_a_failed_request_ends_only_its_own_chain(scripted, small, scene):
    model = scripted(
        good=[nano_call(0, 0, 250, 250), "Blue."],
        bad=[nano_call(0, 0, 250, 250), Reply("", stop_reason="error", error="server said 500")],
    )
    bad, good = ZoomChain(model, NANO, small).ask_all([(scene, "bad"), (scene, "good")])
    assert (bad.text, bad.stop_reason, bad.trace.error) == ("", "error", "server said 500")
    assert len(bad.trace.views) == 2
    assert (good.text, good.stop_reason) == ("Blue.", "answered")


def test_a_failure_without_a_message_is_a_failure_too(chain_of, scene):
    answer = chain_of(Reply("The ship is bl", stop_reason="error")).ask(scene, "question?")
    assert (answer.text, answer.stop_reason) == ("", "error")
    assert answer.trace.error == "the model failed without saying why"


def test_a_scene_that_cannot_be_shown_ends_only_its_own_chain(scripted, small, scene, tmp_path):
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 3, "dtype": "uint8", "nodata": 0}
    with unplaced(), rasterio.open(tmp_path / "void.tif", "w", **profile) as f:
        f.write(np.zeros((3, 64, 64), np.uint8))
    with Scene(tmp_path / "void.tif") as void:
        empty, good = ZoomChain(scripted(good=["Blue."]), NANO, small).ask_all(
            [(void, "void"), (scene, "good")]
        )
    assert (empty.stop_reason, empty.trace.views) == ("error", ())
    assert "no valid pixels" in empty.trace.error
    assert good.text == "Blue."


def test_a_model_that_loses_replies_is_an_error_of_the_engine(small, scene):
    class Forgetful:
        def chat(self, conversations, options):
            return []

    with pytest.raises(ValueError, match="0 replies to 1 conversations"):
        ZoomChain(Forgetful(), NANO, small).ask(scene, "question?")


def test_no_questions_have_no_answers(scripted, small):
    assert ZoomChain(scripted(), NANO, small).ask_all([]) == []


@pytest.fixture
def dot(tmp_path):
    """A scene of three pixels, of which an overview shows all there is."""
    profile = {"driver": "GTiff", "width": 3, "height": 1, "count": 3, "dtype": "uint8"}
    with unplaced(), rasterio.open(tmp_path / "dot.tif", "w", **profile) as f:
        f.write(np.full((3, 1, 3), 50, np.uint8))
    with Scene(tmp_path / "dot.tif") as opened:
        yield opened


def test_where_the_overview_shows_all_detail_no_tool_is_offered(chain_of, dot):
    chain = chain_of("Grey.")
    answer = chain.ask(dot, "question?")
    assert [message.role for message in chain.model.batches[0][0].messages] == ["user"]
    assert (answer.text, answer.trace.settings["tool_offered"]) == ("Grey.", False)


def test_where_crops_without_more_detail_are_allowed_the_tool_is_offered(chain_of, dot):
    chain = chain_of(nano_call(0, 0, 500, 1000), "Grey.", crops=CropRule(margin=0, min_side_px=1, min_gain=0))
    answer = chain.ask(dot, "question?")
    assert answer.trace.views[1].view.window == Window(0, 0, 1.5, 1)
    assert (answer.text, answer.trace.settings["tool_offered"]) == ("Grey.", True)


@pytest.mark.parametrize(("least", "tokens"), [(0, 4), (16, 16), (10_000, 64)])
def test_a_crop_is_enlarged_to_the_least_visual_tokens_within_the_models_bounds(chain_of, dot, least, tokens):
    resolution = Resolution(factor=16, min_pixels=4 * 256, max_pixels=64 * 256)
    rule = CropRule(margin=0, min_side_px=1, min_gain=0, min_visual_tokens=least)
    answer = chain_of(nano_call(0, 0, 333, 1000), "Grey.", crops=rule, resolution=resolution).ask(
        dot, "question?"
    )
    overview, crop = answer.trace.views
    assert overview.view.size.height * overview.view.size.width < 16 * 256
    assert resolution.tokens(crop.view.size) == tokens


def test_an_enlarged_crop_never_exceeds_the_largest_area(chain_of, scene):
    """Sides are rounded up to reach a least area: 204.8 x 102.4 px would take 36 tokens of the 32 allowed."""
    resolution = Resolution(factor=16, min_pixels=4 * 256, max_pixels=32 * 256)
    rule = CropRule(margin=0, min_side_px=1, min_gain=0, min_visual_tokens=256)
    for box in ((0, 0, 100, 100), (0, 0, 333, 100), (500, 0, 1000, 777)):
        chain = chain_of(nano_call(*box), "Grey.", crops=rule, resolution=resolution)
        crop = chain.ask(scene, "question?").trace.views[1]
        assert resolution.tokens(crop.view.size) <= 32


def test_a_world_of_36000_px_is_zoomed_into(chain_of, rasters):
    resolution = Resolution(factor=28, min_pixels=4 * 784, max_pixels=512 * 784)
    with Scene(rasters / "rio-tiler" / "cog_world.tif") as world:
        answer = chain_of(nano_call(450, 150, 500, 200), "Blue.", resolution=resolution).ask(
            world, "question?"
        )
    overview, crop = answer.trace.views
    assert overview.lonlat_bounds == pytest.approx((-180, -90, 180, 90), abs=0.1)
    assert crop.lonlat_bounds == pytest.approx((-18, 54, 0, 63), abs=0.1)
    assert crop.gain > 10


def test_each_view_carries_the_scale_at_which_it_is_shown_and_the_trace_says_how_it_is_known(chain_of, scene):
    chain = chain_of(nano_call(500, 500, 562, 562), "Blue.")
    trace = chain.ask(scene, "question?").trace
    shown = [message.images[0].gsd_m for message in chain.model.batches[1][0].messages if message.images]
    assert shown == [view.gsd_m for view in trace.views]
    assert shown == [pytest.approx(4.0, rel=1e-3), pytest.approx(0.5, rel=0.02)]
    assert (trace.scene["gsd"]["source"], trace.scene["gsd"]["m"]) == ("transform", trace.scene["gsd_m"])


def test_what_is_stated_goes_before_what_the_file_says(chain_of, scene_path):
    with Scene(scene_path, overrides=Overrides(gsd_m=2.0)) as stated:
        trace = chain_of("Blue.").ask(stated, "question?").trace
    # 8 scene px in one of the overview.
    assert (trace.scene["gsd"]["source"], trace.views[0].gsd_m) == ("stated", 16.0)


@pytest.mark.parametrize("structured", [True, False])
def test_structured_turns_are_held_to_a_whole_call_until_the_tool_is_withdrawn(scene, small, structured):
    asked = []

    class Held:
        def chat(self, conversations, options):
            asked.append(options.pattern)
            return [Reply(QWEN3_VL.render_call((10, 10, 60, 60), 100, 100)) for _ in conversations]

    chain = ZoomChain(Held(), QWEN3_VL, small, Budget(max_zooms=1), structured=structured)
    trace = chain.ask(scene, "what?").trace
    calling, words = (turn_pattern(QWEN3_VL, calls=calls) for calls in (True, False))
    assert asked == ([calling, calling, words] if structured else [None] * 3)
    assert trace.settings.get("structured", False) is structured
