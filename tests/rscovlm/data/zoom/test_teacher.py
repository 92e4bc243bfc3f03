"""Asking a teacher: what it sees, what survives, and that nothing is paid twice."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rscovlm.data.zoom.rules import EvidenceRules
from rscovlm.data.zoom.teacher import Memory, TeacherRules, frame, targets, teach
from rscovlm.engines.http import HttpEngine
from rscovlm.journal import Journal
from rscovlm.models.families import FAMILIES
from tests.rscovlm.data.zoom.hand_made import SMALL, image, thing
from tests.rscovlm.engines.server import ModelServer
from tests.rscovlm.scripted import ScriptedEngine
from tiling.resolution import Resolution
from tiling.view import Size, View, Window
from zoom_chain.chat import Reply

ASKING = TeacherRules(objects=2, pairs=2, batch=4)
RED = (205, 42, 38)


@pytest.fixture
def scene(tmp_path):
    """A red ship on blue water, far from a gray tank."""
    pixels = np.full((1280, 1280, 3), (30, 70, 120), np.uint8)
    pixels[190:210, 180:220] = RED
    pixels[985:1015, 985:1015] = (128, 128, 128)
    Image.fromarray(pixels).save(tmp_path / "scene.png")
    ship = thing("ship", 200, 200, 40, 20, color="red")
    tank = thing("tank", 1000, 1000, 30, 30, color="gray")
    return image(ship, tank, path=tmp_path / "scene.png")


def phrase_of(conversation):
    return conversation.messages[-1].text.partition('exactly "')[2].partition('"')[0]


def teacher(reply, blind=None, overview="unknown", **arguments):
    """Writes ``reply(phrase)``; blind it answers red for a crop with red in it, else gray."""

    def script(conversation):
        text, images = conversation.messages[-1].text, conversation.messages[-1].images
        if len(images) == 2:
            return reply(phrase_of(conversation))
        if "answer: unknown" in text:
            return overview
        if blind is not None:
            return blind
        crop = images[0].pixels.astype(int)
        return "Red." if ((crop[..., 0] - crop[..., 2]) > 80).any() else "gray"

    return ScriptedEngine(script, **arguments)


def good(phrase):
    color = "red" if "ship" in phrase else "gray"
    return json.dumps([{"question": f"What color is {phrase}?", "answer": color}])


def run(scene, engine, store=None, **asking):
    rules = replace(ASKING, **asking)
    return teach([scene], engine, SMALL, EvidenceRules(), rules, seed=1, store=store or Memory())


def test_a_good_teacher_gives_items_with_box_category_and_how_they_were_verified(scene):
    result = run(scene, teacher(good))
    assert {(item.text.split()[4], item.answer) for item in result.items} == {
        ("ship", "red"),
        ("tank", "gray"),
    }
    for item in result.items:
        assert item.box.contains(item.evidence)
        assert (item.way, item.category, item.notes["verified"]) == ("teacher", "object color", "annotation")
    assert (result.asked, result.failed, result.rejected) == (4, 0, {})


def test_the_teacher_sees_the_overview_with_a_frame_the_crop_and_the_annotation(scene):
    engine = teacher(good)
    run(scene, engine)
    first = engine.batches[0][0].messages[-1]
    overview, crop = (part.pixels for part in first.images)
    assert (overview == (255, 0, 0)).all(axis=2).any()
    assert not (crop == (255, 0, 0)).all(axis=2).any()
    shown = "ship" if "class: ship" in first.text else "tank"
    assert f"- color: {'red' if shown == 'ship' else 'gray'}" in first.text
    blind = engine.batches[1][0].messages[-1]
    assert len(blind.images) == 1
    assert "color: " not in blind.text


def test_a_frame_lies_around_the_box_and_the_original_is_untouched():
    pixels = np.zeros((100, 100, 3), np.uint8)
    framed = frame(pixels, View(Window(0, 0, 1000, 1000), Size(100, 100)), Window(200, 300, 400, 200))
    assert framed[29, 40].tolist() == framed[40, 61].tolist() == [255, 0, 0]
    assert not framed[35, 40].any()
    assert not pixels.any()


def test_an_answer_that_the_crop_alone_does_not_give_is_dropped(scene):
    result = run(scene, teacher(good, blind="blue"))
    assert result.items == []
    assert result.rejected == {"other answer from the crop alone": 2}


def test_what_the_overview_alone_answers_is_dropped_where_that_is_wanted(scene):
    assert len(run(scene, teacher(good, overview="red")).items) == 2
    result = run(scene, teacher(good, overview="red"), overview=True)
    assert [item.answer for item in result.items] == ["gray"]
    assert result.rejected == {"answered from the overview alone": 1}


def test_wrong_leaking_and_malformed_replies_are_counted_by_reason(scene):
    def bad(phrase):
        wrong = {"question": f"What color is {phrase}?", "answer": "green"}
        leaking = {"question": f"What is {phrase} at [10, 20]?", "answer": "old"}
        return "here: " + json.dumps([wrong, leaking, {"question": 3}])

    result = run(scene, teacher(bad))
    assert result.items == []
    assert result.rejected == {
        "malformed": 2,
        "wrong by the annotation (object color)": 2,
        "tells of boxes or coordinates": 2,
    }
    assert run(scene, teacher(lambda phrase: "I would rather not.")).rejected == {"malformed": 2}


def test_a_question_asked_twice_counts_once(scene):
    result = run(scene, teacher(lambda phrase: json.dumps(json.loads(good(phrase)) * 2)))
    assert len(result.items) == 2
    assert result.rejected == {"asked twice": 2}


def test_a_failed_request_is_counted_not_kept_and_tried_again(scene):
    store = Memory()
    broken = teacher(lambda phrase: Reply("", "error", error="server is full"))
    result = run(scene, broken, store)
    assert (result.items, result.failed, result.error, store.done) == ([], 2, "server is full", {})
    assert len(run(scene, teacher(good), store).items) == 2


def test_after_a_kill_at_any_request_the_rest_is_asked_and_nothing_twice(scene, tmp_path):
    whole = run(scene, teacher(good), batch=1)
    for survive in range(whole.asked):
        path = tmp_path / f"{survive}.jsonl"
        engine, left = teacher(good), survive

        def dies(conversation, script=engine.script):
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return script(conversation)

        with Journal(path, {}) as journal, pytest.raises(KeyboardInterrupt):
            run(scene, ScriptedEngine(dies), journal, batch=1)
        with Journal(path, {}, resume=True) as journal:
            assert len(journal.done) == survive
            rest = run(scene, teacher(good), journal, batch=1)
        assert rest.asked == whole.asked - survive
        assert rest.items == whole.items


def test_targets_need_a_name_and_a_zoom(scene):
    big = replace(scene, things=(*scene.things, thing("pier", 600, 600, 900, 100)))
    found = targets(big, SMALL, EvidenceRules(), 5, seed=0)
    assert {target.thing for target in found} == {0, 1}
    assert targets(big, SMALL, EvidenceRules(), 1, seed=0) == found[:1]


def test_a_teacher_behind_a_real_server_on_loopback(scene):
    family = replace(FAMILIES["qwen3-vl"], resolution=Resolution(32, 4 * 32**2, 64 * 32**2))
    script = teacher(good).script
    with ModelServer() as server:
        server.answer = script
        with HttpEngine(server.url, None, family) as engine:
            result = run(scene, engine)
    assert {item.answer for item in result.items} == {"red", "gray"}
    assert len([body for body in server.requests if len(str(body)) > 500]) >= 4
