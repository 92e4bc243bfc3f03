"""Detection over tiles: each object once, whatever the tiles, batches, failures and interruptions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from detection_eval.detections import Detections
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import box_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.journal import Journal
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection_run import plan_detection
from rscovlm.tasks.passes import plan_passes
from rscovlm.tasks.tiles import plan_tiles
from tests.rscovlm.painted import FAMILY, SIDE, TRUTH, find_squares, paint
from tests.rscovlm.scripted import ScriptedEngine, write_raster
from tiling.errors import SceneUnreadable
from tiling.scene import Scene
from zoom_chain.chat import Reply

STEP = 128 / 1000
"""Scene px between two coordinates that the model can write about a tile at full resolution."""


@pytest.fixture
def scene(tmp_path):
    with Scene(paint(tmp_path / "squares.tif")) as opened:
        yield opened


def ordered(polygons: np.ndarray) -> np.ndarray:
    """Boxes by their rounded top-left corners."""
    keys = polygons.min(axis=1).round()
    return polygons[np.lexsort(keys.T)]


def same(first, second) -> bool:
    return first.detections == second.detections and first.failures == second.failures


def test_every_object_is_found_once_at_its_place(scene):
    found = detect_scene(scene, ScriptedEngine(find_squares)).detections
    assert len(found) == len(TRUTH)
    assert np.abs(ordered(found.polygons) - ordered(TRUTH)).max() <= STEP
    assert set(found.names) == {"ship"}
    assert found.scores is None


@pytest.mark.parametrize(("tile", "overlap"), [(128, 24), (128, 64), (96, 48)])
def test_every_object_is_found_once_for_any_overlap_larger_than_it(scene, tile, overlap):
    plan = plan_tiles(scene, FAMILY, tile=tile, overlap=overlap)
    found = detect_scene(scene, ScriptedEngine(find_squares), plan_detection(scene, FAMILY, plans=[plan]))
    assert len(found.detections) == len(TRUTH)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_batch_size_changes_nothing_but_the_batches(scene, size):
    engine = ScriptedEngine(find_squares)
    run = plan_detection(scene, FAMILY, batch_size=size)
    found = detect_scene(scene, engine, run)
    assert same(found, detect_scene(scene, ScriptedEngine(find_squares)))
    tiles = len(run.looks)
    assert [len(batch) for batch in engine.batches] == [min(size, tiles - i) for i in range(0, tiles, size)]


def test_progress_counts_tiles(scene):
    seen = []
    run = plan_detection(scene, FAMILY, batch_size=10)
    detect_scene(scene, ScriptedEngine(find_squares), run, progress=lambda *step: seen.append(step))
    tiles = len(run.looks)
    assert seen == [(0, tiles), (10, tiles), (20, tiles), (tiles, tiles)]


def on_tile(number: int, special: Reply):
    """Find squares, but on the tile that comes as ``number`` reply otherwise."""
    calls = iter(range(10_000))
    return lambda conversation: special if next(calls) == number else find_squares(conversation)


@pytest.mark.parametrize(
    ("special", "reason"),
    [
        (Reply("", "error", error="server gone"), "server gone"),
        (Reply("", "error"), "without saying why"),
        (Reply(" \n"), "replied nothing"),
        (Reply("1 1 2", "length"), "cut off"),
        (Reply("I see some ships at 3:30."), "cannot be read"),
        (Reply("I cannot help with that request."), "declined"),
        (
            Reply('[{"label": "ship", "bbox_2d": [1, 2, 3, 4]}, {"label": "ship", "bbox_2d": [1'),
            "after 1 box",
        ),
    ],
)
def test_a_tile_without_a_usable_reply_is_listed_while_the_others_go_on(scene, special, reason):
    found = detect_scene(scene, ScriptedEngine(on_tile(0, special)))
    [failed] = found.failures
    assert failed.tile.index == 0
    assert reason in failed.reason
    assert found.unexamined_px == failed.tile.core.area
    # What lies in another tile's core is found all the same.
    _, _, right, bottom = failed.tile.core.bounds
    elsewhere = (TRUTH[:, 0] >= (right, bottom)).any(axis=1)
    assert len(found.detections) >= elsewhere.sum()


def test_a_tile_that_cannot_be_read_is_listed_while_the_others_go_on(scene, monkeypatch):
    usual = scene.read

    def corrupt(view):
        if view.window.x == view.window.y == 0:
            raise SceneUnreadable("block 0 is corrupt")
        return usual(view)

    monkeypatch.setattr(scene, "read", corrupt)
    engine = ScriptedEngine(find_squares)
    found = detect_scene(scene, engine)
    [failed] = found.failures
    assert (failed.tile.index, failed.reason) == (0, "block 0 is corrupt")
    assert sum(map(len, engine.batches)) == len(found.plans[0].tiles) - 1


def test_what_can_be_read_of_a_reply_that_was_cut_off_is_kept(scene):
    def cut(conversation):
        return Reply(find_squares(conversation), "length")

    found = detect_scene(scene, ScriptedEngine(cut))
    assert len(found.detections) == len(TRUTH)
    assert len(found.failures) == len(found.plans[0].tiles)
    assert found.unexamined_px == SIDE * SIDE


def test_a_scene_with_nothing_to_find_is_a_complete_result(scene):
    found = detect_scene(scene, ScriptedEngine(lambda conversation: CONTRACTS["nano"].empty))
    assert len(found.detections) == 0
    assert found.failures == ()


def drawn(*corners: tuple[float, float, float, float]) -> str:
    """A reply about a tile of 128 x 128 px with a ship at each of some boxes."""
    quads = box_quads(np.array(corners, dtype=float))
    ships = Detections(quads, np.zeros(len(quads), np.int64), ("ship",))
    return render_response(ships, CONTRACTS[FAMILY.detection], 128, 128)


@pytest.fixture
def half_empty(tmp_path):
    """128 x 128 px, a single tile, of which the half right of x = 64 is nodata."""
    pixels = np.full((3, 128, 128), 90, dtype=np.uint8)
    pixels[:, :, 64:] = 0
    with Scene(write_raster(tmp_path / "half.tif", pixels=pixels, gsd_m=None, nodata=0)) as opened:
        yield opened


def test_boxes_on_nodata_are_dropped_and_counted(half_empty):
    # Boxes of 20 px: all, 9, 3, 1 and none of their columns are valid; from a tenth on, 2 columns, they stay.
    lefts = (10, 55, 61, 63, 90)
    reply = drawn(*((x, 25 * i, x + 20, 25 * i + 20) for i, x in enumerate(lefts)))
    found = detect_scene(half_empty, ScriptedEngine(lambda conversation: reply))
    assert sorted(found.detections.polygons[..., 0].min(axis=1).round().tolist()) == [10, 55, 61]
    assert found.on_nothing == 2
    assert len(found.merged.tile) == 3


def test_without_nodata_black_is_a_colour(tmp_path):
    with Scene(write_raster(tmp_path / "black.tif", pixels=np.zeros((3, 128, 128), np.uint8))) as scene:
        found = detect_scene(scene, ScriptedEngine(lambda conversation: drawn((90, 50, 110, 70))))
    assert (len(found.detections), found.on_nothing) == (1, 0)


def test_an_oblique_box_is_not_dropped_for_the_corners_of_its_bounds(half_empty, monkeypatch):
    # A tenth of the bounds is valid, and that is as much as the whole of the narrow box.
    narrow = np.array([[[10.0, 14], [14, 10], [114, 110], [110, 114]]])
    reply = render_response(
        Detections(narrow, np.zeros(1, np.int64), ("ship",)), CONTRACTS[FAMILY.detection], 128, 128
    )
    monkeypatch.setattr(half_empty, "valid_fraction", lambda window: 0.05)
    found = detect_scene(half_empty, ScriptedEngine(lambda conversation: reply))
    assert (len(found.detections), found.on_nothing) == (1, 0)


def test_a_box_stays_where_the_file_does_not_tell_what_is_valid(half_empty, monkeypatch):
    def unreadable(window):
        raise SceneUnreadable("the file is cut off")

    monkeypatch.setattr(half_empty, "valid_fraction", unreadable)
    found = detect_scene(half_empty, ScriptedEngine(lambda conversation: drawn((90, 50, 110, 70))))
    assert (len(found.detections), found.on_nothing) == (1, 0)


class Stopped(Exception):
    """Stands for an interruption."""


@pytest.mark.parametrize("after", [0, 4, 11, 24])
def test_an_interrupted_run_continues_with_nothing_lost_or_asked_twice(scene, tmp_path, after):
    whole = detect_scene(scene, ScriptedEngine(find_squares), plan_detection(scene, FAMILY, batch_size=4))
    calls = iter(range(10_000))

    def stopping(conversation):
        if next(calls) == after:
            raise Stopped
        return find_squares(conversation)

    run = plan_detection(scene, FAMILY, batch_size=4)
    facts = run.facts(scene, "model")
    path = tmp_path / "journal"
    with Journal(path, facts) as journal, pytest.raises(Stopped):
        detect_scene(scene, ScriptedEngine(stopping), run, journal=journal)
    engine = ScriptedEngine(find_squares)
    with Journal(path, facts, resume=True) as journal:
        assert len(journal.done) == after // 4 * 4
        assert same(detect_scene(scene, engine, run, journal=journal), whole)
    assert sum(map(len, engine.batches)) == len(run.looks) - after // 4 * 4
    with Journal(path, facts, resume=True) as journal:
        # All is there: the model is not asked at all.
        assert same(detect_scene(scene, ScriptedEngine(lambda _: 1 / 0), run, journal=journal), whole)


def test_a_resumed_run_records_no_reply_twice(scene, tmp_path):
    """Batches are asked whole, in the words of an uninterrupted run, also where some replies are known."""
    run = plan_detection(scene, FAMILY, batch_size=4)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    with Journal(path, facts) as journal:
        detect_scene(
            scene, ScriptedEngine(on_tile(5, Reply("", "error", error="gone"))), run, journal=journal
        )
    before = path.read_text().splitlines()
    engine = ScriptedEngine(find_squares)
    with Journal(path, facts, resume=True) as journal:
        detect_scene(scene, engine, run, journal=journal)
    assert [len(batch) for batch in engine.batches] == [4], "the batch of the tile that failed"
    assert len(path.read_text().splitlines()) == len(before) + 1
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]]
    assert len(keys) == len(set(keys)) == len(run.looks)


@pytest.mark.parametrize(
    "special", [Reply("", "error", error="server gone"), Reply("1 2", "error"), Reply("")]
)
def test_a_resumed_run_asks_again_where_there_was_no_usable_reply(scene, tmp_path, special):
    run = plan_detection(scene, FAMILY)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    failing = ScriptedEngine(on_tile(7, special))
    with Journal(path, facts) as journal:
        assert len(detect_scene(scene, failing, run, journal=journal).failures) == 1
    with Journal(path, facts, resume=True) as journal:
        found = detect_scene(scene, ScriptedEngine(find_squares), run, journal=journal)
    assert found.failures == ()
    assert len(found.detections) == len(TRUTH)
    with Journal(path, facts, resume=True) as journal:
        # What came second is what was kept: the model is not asked a third time.
        assert same(detect_scene(scene, ScriptedEngine(lambda _: 1 / 0), run, journal=journal), found)


def test_a_resumed_run_asks_in_the_batches_of_an_uninterrupted_one_and_keeps_its_first_replies(
    scene, tmp_path
):
    run = plan_detection(scene, FAMILY, batch_size=4)
    path, facts = tmp_path / "journal", run.facts(scene, "model")
    whole = ScriptedEngine(find_squares)
    expected = detect_scene(scene, whole, run)
    with Journal(path, facts) as journal:
        failing = on_tile(6, Reply("", "error", error="server gone"))
        detect_scene(scene, ScriptedEngine(failing), run, journal=journal)

    # Tile 6 is in the second batch of four, whose other tiles find nothing when they are asked again.
    numbers = iter(range(4))
    again = ScriptedEngine(lambda shown: find_squares(shown) if next(numbers) == 2 else "There are none.")
    with Journal(path, facts, resume=True) as journal:
        assert same(detect_scene(scene, again, run, journal=journal), expected)
    assert [[pixels(shown) for shown in batch] for batch in again.batches] == [
        [pixels(shown) for shown in whole.batches[1]]
    ]


def pixels(conversation) -> bytes:
    return conversation.messages[-1].images[0].pixels.tobytes()


def test_the_words_of_the_contract_reach_the_model(scene):
    contract = CONTRACTS["rscovlm-quad"]
    engine = ScriptedEngine(lambda _: contract.empty)
    detect_scene(scene, engine, plan_detection(scene, FAMILY, ["ship"], contract=contract))
    system, user = engine.batches[0][0].messages
    assert (system.role, system.text) == ("system", contract.system)
    assert (user.role, user.text) == ("user", "find the ship")


# Several passes

FINE, COARSE = 0.6, 1.2
"""Metres per pixel: the scene below is of the first, so that a view is pixel for pixel, and half of it."""

BLOCKS = box_quads(np.array([(32, 32, 40, 40), (200, 48, 208, 56), (64, 66, 244, 246), (360, 320, 440, 400)]))
"""Two of 8 px and two far larger than the 32 px that tiles of the fine pass share."""


@pytest.fixture
def blocks(tmp_path):
    """A scene of 448 x 448 px whose squares begin and end on even pixels: their values survive halving."""
    pixels = np.zeros((3, SIDE, SIDE), dtype=np.uint8)
    for number, quad in enumerate(BLOCKS.astype(int)):
        (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
        pixels[:, y0:y1, x0:x1] = 10 + number
    with Scene(write_raster(tmp_path / "blocks.tif", pixels=pixels, gsd_m=FINE)) as opened:
        yield opened


def outer(polygons):
    """Left, top, right and bottom, by rounded left and top."""
    bounds = np.concatenate([polygons.min(axis=1), polygons.max(axis=1)], axis=1)
    return bounds[np.lexsort(bounds.round()[:, :2].T)]


def two_passes(scene, family=FAMILY, **settings):
    plans = plan_passes(scene, family, family.classes, gsd_m=(FINE, COARSE))
    return plan_detection(scene, family, plans=plans, **settings)


def test_each_object_is_found_once_in_the_pass_that_sees_it_well(blocks):
    run = two_passes(blocks)
    found = detect_scene(blocks, ScriptedEngine(find_squares), run)
    assert np.abs(outer(found.detections.polygons) - outer(BLOCKS)).max() <= 2 * STEP
    # 80 px are 40 of the coarse view, above 16, and 8 px are 4.
    sides = np.ptp(found.detections.polygons, axis=1).max(axis=1)
    np.testing.assert_array_equal(found.merged.scale, np.where(sides > 20, run.plans[1].scale, 1.0))
    # The small ones in both passes, and the large ones put together from their parts in many fine tiles.
    assert found.across == (4, 0, 0)
    assert len(found.plans) == 2


def test_an_object_that_one_pass_alone_sees_is_found(blocks):
    run = two_passes(blocks)
    for blind in (0, 1):
        tiles = [len(plan.tiles) for plan in run.plans]
        numbers = iter(range(sum(tiles)))
        inside = range(0, tiles[0]) if blind == 0 else range(tiles[0], sum(tiles))
        engine = ScriptedEngine(
            lambda shown, inside=inside, numbers=numbers: (
                "There are none." if next(numbers) in inside else find_squares(shown)
            )
        )
        found = detect_scene(blocks, engine, run).detections
        for block in BLOCKS:
            assert pair_iou(found.polygons, np.broadcast_to(block, found.polygons.shape)).max() > 0.8


def test_progress_counts_the_tiles_of_all_passes(blocks):
    run, seen = two_passes(blocks, batch_size=100), []
    detect_scene(blocks, ScriptedEngine(find_squares), run, progress=lambda *step: seen.append(step))
    fine, coarse = (len(plan.tiles) for plan in run.plans)
    assert seen == [(0, fine + coarse), (fine, fine + coarse), (fine + coarse, fine + coarse)]


@pytest.mark.parametrize("after", [7, 26])
def test_a_run_of_several_passes_goes_on_with_nothing_lost_or_asked_twice(blocks, tmp_path, after):
    run = two_passes(blocks, batch_size=4)
    whole = detect_scene(blocks, ScriptedEngine(find_squares), run)
    calls = iter(range(10_000))

    def stopping(conversation):
        if next(calls) == after:
            raise Stopped
        return find_squares(conversation)

    path, facts = tmp_path / "journal", run.facts(blocks, "model")
    with Journal(path, facts) as journal, pytest.raises(Stopped):
        detect_scene(blocks, ScriptedEngine(stopping), run, journal=journal)
    engine = ScriptedEngine(find_squares)
    with Journal(path, facts, resume=True) as journal:
        known = len(journal.done)
        assert 0 < known <= after
        assert same(detect_scene(blocks, engine, run, journal=journal), whole)
        assert len(journal.done) == len(run.looks)
    assert sum(map(len, engine.batches)) == len(run.looks) - known


def test_the_facts_of_a_run_name_the_scale_of_each_pass(blocks):
    two = two_passes(blocks).facts(blocks, "model")
    one = plan_detection(blocks, FAMILY, plans=plan_passes(blocks, FAMILY, FAMILY.classes, gsd_m=(FINE,)))
    assert two["scale"] == [1.0, pytest.approx(2.0, rel=1e-3)]
    assert two["tile"] == [128, 256]
    facts = one.facts(blocks, "model")
    assert (facts["scale"], facts["tile"]) == (1.0, 128)


def test_a_failed_tile_of_one_pass_is_listed_with_its_pass(blocks):
    run = two_passes(blocks)
    fine = len(run.plans[0].tiles)
    found = detect_scene(blocks, ScriptedEngine(on_tile(fine, Reply("", "error", error="gone"))), run)
    [failed] = found.failures
    assert (failed.plan, failed.tile.index) == (1, 0)
    assert found.unexamined == (0, failed.tile.core.area)
    assert found.unexamined_px == failed.tile.core.area


BY_CLASS = replace(FAMILY, class_gsd_m={"plane": COARSE}, detect_gsd_m=FINE, classes=("plane", "ship"))


def test_a_family_is_asked_for_each_class_in_its_own_pass_only(blocks):
    contract = CONTRACTS["nano"]
    engine = ScriptedEngine(lambda _: contract.empty, family=BY_CLASS)
    found = detect_scene(blocks, engine)
    fine, coarse = (len(plan.tiles) for plan in found.plans)
    asked = [conversation.messages[-1].text for batch in engine.batches for conversation in batch]
    assert asked == ["find the ship."] * fine + ["find the plane."] * coarse
    run = plan_detection(blocks, BY_CLASS)
    assert list(run.requests.values()) == [{(128, 128)}, {(128, 128)}]
    assert run.facts(blocks, "model")["classes"] == [("ship",), ("plane",)]


def test_a_class_that_has_a_scale_belongs_to_the_pass_that_is_nearest_to_it(blocks):
    family = replace(FAMILY, class_gsd_m={"ship": 5.0}, detect_gsd_m=None)
    run = two_passes(blocks, family)
    assert run.class_scales == {"ship": run.plans[1].scale}
    found = detect_scene(blocks, ScriptedEngine(find_squares), run)
    # The small ones, too, are now those of the coarse pass.
    assert set(found.merged.scale) == {run.plans[1].scale}
    assert two_passes(blocks).class_scales == {}


def test_passes_that_cannot_be_told_apart_are_refused(blocks):
    [plan] = plan_passes(blocks, FAMILY, FAMILY.classes)
    for plans in ([], [plan, plan], [replace(plan, scale=2.0)] * 2):
        with pytest.raises(ValueError, match="one pass, or several with a scale each"):
            plan_detection(blocks, FAMILY, plans=plans)
