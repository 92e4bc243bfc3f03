"""Closer looks at each found object: its place becomes exact, and what is not there goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import bounds, box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.journal import Journal
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.closer_looks import MOST_ENLARGED, plan_closer_looks
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection_run import plan_detection
from tests.rscovlm.painted import FAMILY, PLACES, SIDE, SQUARE, TRUTH, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine
from tiling.resolution import Resolution
from tiling.scene import Scene
from zoom_chain.chat import Conversation, Reply

CLOSE = replace(FAMILY, closer_looks=1, resolution=Resolution(16, 16 * 16, SIDE * SIDE))
"""Sees the whole scene at once."""
NOTHING = CONTRACTS[FAMILY.detection].empty


@pytest.fixture
def scene(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as opened:
        yield opened


def written(boxes, width=128, height=128) -> str:
    polygons = box_quads(np.asarray(boxes, dtype=float).reshape(-1, 4))
    found = Detections(polygons, np.zeros(len(polygons), dtype=np.int64), ("ship",))
    return render_response(found, CONTRACTS[FAMILY.detection], width, height)


def close_up(grey) -> np.ndarray | None:
    """The box of the square that is large in the middle of a view; None where nothing is large in it."""
    height, width = grey.shape
    level = float(grey[height // 2, width // 2])
    if level == 0:
        return None
    shown = grey > level / 2
    row, column = shown[height // 2], shown[:, width // 2]
    left, right = (np.flatnonzero(~row[: width // 2])[-1:] + 1, np.flatnonzero(~row[width // 2 :])[:1])
    top, bottom = (
        np.flatnonzero(~column[: height // 2])[-1:] + 1,
        np.flatnonzero(~column[height // 2 :])[:1],
    )
    box = np.concatenate([left, top, right + width // 2, bottom + height // 2])
    return box if len(box) == 4 and box[2] - box[0] > 1.5 * SQUARE else None


class ShortSighted:
    """Sees that there are squares but draws them too far to the right, unless they are large in view."""

    def __init__(self, off_px: int = 6, twice: bool = False, invented: bool = False, close=None) -> None:
        self.off_px, self.twice, self.invented, self.close = off_px, twice, invented, close
        self.seen = 0

    def __call__(self, conversation: Conversation) -> str | Reply:
        grey = conversation.messages[-1].images[0].pixels[..., 0]
        self.seen += 1
        if grey.shape != (SIDE, SIDE):
            large = close_up(grey)
            return self.close or (NOTHING if large is None else written(large, *grey.shape[::-1]))
        shifted = np.zeros_like(grey)
        shifted[:, self.off_px :] = grey[:, : -self.off_px]
        text = find_squares(Conversation().say("user", replace(conversation.images[0], pixels=_rgb(shifted))))
        more = [text.splitlines()[0]] if self.twice else []
        more += [written([[2, 2, 14, 14]], SIDE, SIDE)] if self.invented else []
        return "\n".join([text, *more])


def _rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def nearest(found: Detections) -> np.ndarray:
    """The IoU of each true square with the box whose centre is nearest."""
    centres = found.polygons.mean(axis=1)
    away = np.linalg.norm(centres[None] - TRUTH.mean(axis=1)[:, None], axis=2)
    return pair_iou(TRUTH, found.polygons[away.argmin(axis=1)])


def run(scene, **settings):
    return plan_detection(scene, CLOSE, **settings)


def looked(scene, script, planned, **settings):
    return detect_scene(scene, ScriptedEngine(script, CLOSE), planned, **settings)


def test_boxes_become_exact(scene):
    one = looked(scene, ShortSighted(), run(scene, closer_looks=0))
    two = looked(scene, ShortSighted(), run(scene))
    assert one.again is None
    assert nearest(one.detections).max() < 0.7
    assert len(two.detections) == len(TRUTH)
    assert nearest(two.detections).min() > 0.85


def test_further_looks_change_nothing_where_the_first_one_was_exact(scene):
    one, three = (looked(scene, ShortSighted(twice=True), run(scene, closer_looks=n)) for n in (1, 3))
    assert nearest(three.detections).min() > 0.85
    assert len(three.detections) == len(one.detections) == len(TRUTH)
    assert (three.again.unconfirmed, three.again.coinciding) == (0, 1), "what became of boxes at each look"


def test_what_is_not_seen_again_is_dropped_and_counted(scene):
    found = looked(scene, ShortSighted(invented=True), run(scene))
    assert len(found.detections) == len(TRUTH)
    assert found.again.unconfirmed == 1
    assert found.again.failures == ()


def test_two_boxes_that_turn_out_to_be_one_object_are_one(scene):
    found = looked(scene, ShortSighted(twice=True), run(scene))
    assert len(found.detections) == len(TRUTH)
    assert found.again.coinciding == 1


def test_a_box_stays_as_it_was_where_the_reply_says_nothing(scene):
    first = looked(scene, ShortSighted(), run(scene, closer_looks=0))
    found = looked(scene, ShortSighted(close=Reply("It is a boat.")), run(scene))
    assert found.detections == first.detections
    assert (found.again.unread, found.again.failures) == (len(TRUTH), ())


def test_a_box_that_could_not_be_looked_at_again_stays_and_is_named(scene):
    reply, reason = Reply("", "error", error="server gone"), "server gone"
    first = looked(scene, ShortSighted(), run(scene, closer_looks=0))
    found = looked(scene, ShortSighted(close=reply), run(scene))
    assert found.detections == first.detections
    assert len(found.again.failures) == len(TRUTH)
    assert all(line.startswith("closer look at ") and reason in line for line in found.again.failures)


def test_a_resumed_run_asks_nothing_twice(scene, tmp_path):
    planned = run(scene, batch_size=4)
    facts, path = planned.facts(scene, "model"), tmp_path / "journal"
    script = ShortSighted()
    whole = looked(scene, script, planned)
    asked = script.seen
    stop_after = len(planned.looks) + 9

    def stopping(conversation):
        if short.seen >= stop_after:
            raise KeyboardInterrupt
        return short(conversation)

    short = ShortSighted()
    with Journal(path, facts) as journal, pytest.raises(KeyboardInterrupt):
        looked(scene, stopping, planned, journal=journal)
    rest = ShortSighted()
    with Journal(path, facts, resume=True) as journal:
        again = looked(scene, rest, planned, journal=journal)
    assert again.detections == whole.detections
    assert rest.seen == asked - len(planned.looks) - 8, "all but the batches that were finished"


def test_closer_looks_are_part_of_what_a_journal_is_of(scene):
    facts = [run(scene, closer_looks=looks).facts(scene, "model") for looks in (0, 1, 2)]
    assert facts[0] != facts[1] != facts[2]
    assert "closer looks" not in facts[0]


@pytest.mark.parametrize("fill", [0.25, 0.4, 1.0])
def test_bounds_fill_their_part_of_a_view_that_lies_inside_the_scene(scene, fill):
    found = Detections(TRUTH, np.zeros(len(TRUTH), dtype=np.int64), ("ship",))
    closer = plan_closer_looks(scene, found, FAMILY.resolution, fill)
    assert len({look.key for look in closer.looks}) == len(TRUTH)
    for look, box in zip(closer.looks, bounds(TRUTH)):
        window = look.view.window
        assert window.intersection(scene.window) == window
        assert (box[2] - box[0]) / window.width == pytest.approx(fill)
        assert window.x <= box[0] < box[2] <= window.x + window.width


def test_views_are_enlarged_within_reason(scene):
    found = Detections(TRUTH[:1], np.zeros(1, dtype=np.int64), ("ship",))
    large = Resolution(16, 16 * 16, 4096 * 4096)
    [look] = plan_closer_looks(scene, found, large, 0.5).looks
    assert look.view.size == (MOST_ENLARGED * 2 * SQUARE, MOST_ENLARGED * 2 * SQUARE)


def test_an_object_larger_than_its_share_is_seen_with_the_whole_scene(scene):
    found = Detections(box_quads(np.array([[0, 0, SIDE, SIDE]])), np.zeros(1, dtype=np.int64), ("ship",))
    [look] = plan_closer_looks(scene, found, FAMILY.resolution, 0.4).looks
    assert look.view.window == scene.window


def test_squares_stand_apart_enough_to_be_alone_in_the_second_view():
    assert min(np.diff(np.unique(PLACES[:, 0])).min(), np.diff(np.unique(PLACES[:, 1])).min()) > 2.5 * SQUARE


def test_nano_looks_closer_and_other_families_do_not():
    assert FAMILIES["nano"].closer_looks == 2
    assert all(family.closer_looks == 0 for name, family in FAMILIES.items() if name != "nano")


@pytest.mark.parametrize("box", [(40, 40, 40, 60), (40, 40, 40, 40), (0, 0, 0, 0), (SIDE, SIDE, SIDE, SIDE)])
def test_a_line_or_a_point_is_looked_at_too(scene, box):
    found = Detections(box_quads(np.array([box])), np.zeros(1, dtype=np.int64), ("ship",))
    [look] = plan_closer_looks(scene, found, FAMILY.resolution).looks
    inside = look.view.window.intersection(scene.window)
    assert inside.area == pytest.approx(look.view.window.area)
    assert look.view.window.width >= 5
