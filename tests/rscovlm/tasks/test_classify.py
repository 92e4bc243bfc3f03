"""Classifying scenes from Python."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest

from rscovlm.tasks.classify import TOGETHER, Classification, SceneClass, classify_scenes
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tests.rscovlm.tasks.replies import right
from tiling.scene import Scene
from zoom_chain.chat import Reply

COVERS = ("water", "forest", "urban")


@pytest.fixture
def scenes(tmp_path):
    """Scenes of one grey each: 0, 1, 2 ..."""
    with ExitStack() as stack:

        def make(count):
            return [
                stack.enter_context(
                    Scene(
                        write_raster(
                            tmp_path / f"{grey}.tif", pixels=np.full((3, 64, 64), grey, dtype=np.uint8)
                        )
                    )
                )
                for grey in range(count)
            ]

        yield make


def grey_of(conversation) -> int:
    return int(conversation.messages[0].images[0].pixels[0, 0, 0])


def test_each_scene_gets_its_own_class_in_order_across_batches(scenes):
    count = TOGETHER + 3
    engine = ScriptedEngine(lambda conversation: COVERS[grey_of(conversation) % 3])
    seen = []
    found = classify_scenes(scenes(count), engine, COVERS, progress=lambda *step: seen.append(step))
    assert [result.label for result in found] == [COVERS[grey % 3] for grey in range(count)]
    assert [len(batch) for batch in engine.batches] == [TOGETHER, 3]
    assert seen == [(TOGETHER, count), (count, count)]


def test_the_prompt_offers_the_classes_in_their_order(scenes):
    engine = ScriptedEngine(lambda conversation: "water")
    classify_scenes(scenes(1), engine, COVERS)
    [[conversation]] = engine.batches
    assert conversation.messages[0].text == Classification(COVERS).prompt().user


def test_a_scene_without_data_fails_alone(scenes, tmp_path):
    empty = write_raster(tmp_path / "empty.tif", pixels=np.zeros((3, 64, 64), dtype=np.uint8), nodata=0)
    engine = ScriptedEngine(lambda conversation: "forest")
    with Scene(empty) as nothing:
        first, second = classify_scenes([nothing, *scenes(1)], engine, COVERS)
    assert first.label is None
    assert "no valid pixels" in first.error
    assert second.label == "forest"


def test_a_failed_request_is_no_class_but_an_error(scenes):
    engine = ScriptedEngine(lambda conversation: Reply("water", "error", error="server gone"))
    [result] = classify_scenes(scenes(1), engine, COVERS)
    assert result == SceneClass(result.source, None, "water", "server gone")


def test_no_classes_are_refused(scenes):
    with pytest.raises(ValueError, match="no classes"):
        classify_scenes(scenes(1), ScriptedEngine(lambda conversation: ""), ())


def test_a_scene_class_is_right_if_the_reply_names_it_and_no_other():
    task = Classification(("water", "bare land"))
    assert (
        task.prompt().user == "Classify the image into one of: water, bare land. Answer with the class name."
    )
    assert right(task, "It is bare-land.", "bare land")
    assert not right(task, "water or bare land", "water")
    assert not right(task, "grass", "grass"), "a class that was not offered is never right"
    with pytest.raises(ValueError, match="no classes"):
        Classification(())
