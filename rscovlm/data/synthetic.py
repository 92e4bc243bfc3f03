"""Canonical samples of five tasks about synthetic scenes, as files that training reads like any others.

A folder holds ``classification.jsonl``, ``vqa.jsonl``, ``grounding.jsonl``, ``detection.jsonl`` and
``zoom.jsonl``, the small views of the first four under ``images/`` (PNG) and the scenes of the last under
``scenes/`` (GeoTIFF). Sample i of a task and seed is the same whatever the count is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from detection_eval.files import atomic_path, write_json
from detection_eval.geometry.quads import box_quads, canonical
from rscovlm.data.randomness import generator
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.store import write_samples
from rscovlm.data.zoom.annotations import Annotated, Thing
from rscovlm.data.zoom.references import references
from rscovlm.errors import UsageError
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.dataset import write_scene
from rscovlm.synth.questions import TOPICS, Question, all_questions, ask_about
from rscovlm.synth.render import render
from rscovlm.synth.views import (
    GSD_M,
    MIDDLE,
    around,
    loose_objects,
    next_window,
    single_site,
    visible_polygons,
)
from rscovlm.synth.world import SceneObject, World, plan_world
from tiling.view import Size, View, Window

TASKS = ("classification", "vqa", "grounding", "detection", "zoom")
VERSION = 1
"""Of what a seed means; files of another version are not mixed."""

DETECT_GSD_M = 1.2
_VIEW_SIDES = (192, 320)
_SCENE_SIDES, _SCENE_SHARES = (1536, 2048, 3072, 4096), (0.5, 0.4, 0.08, 0.02)
_QUESTIONS_OF_A_SCENE = 12
_TOGETHER = 32
_MANIFEST = "samples.json"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shot:
    """A view to be drawn and the sample about it.

    Attributes:
        world, window, size: what the view shows.
        sample: fields of the sample besides id, task, images and scale.
    """

    world: World
    window: Window
    size: Size
    sample: dict[str, Any]


def write_sample_set(
    folder: Path, count: int, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, int]:
    """Write samples of all tasks, equally many of each; the number of each is returned.

    Images that are there already are kept, so an interrupted run continues; a file of samples appears when it
    is complete.

    Args:
        folder: is made where it does not exist.
        count: samples in all.
        seed: decides everything.
        progress: called with (samples done, samples in all).

    Raises:
        UsageError: fewer samples than tasks, or the folder holds those of another seed or version.
        OSError: the folder cannot be written.
    """
    if count < len(TASKS):
        raise UsageError(f"{count} samples are too few; give at least one of each task, {len(TASKS)}")
    for part in ("images", "scenes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _check_manifest(folder, {"version": VERSION, "seed": seed})
    shares = {task: (count + len(TASKS) - 1 - place) // len(TASKS) for place, task in enumerate(TASKS)}
    done = 0
    for task, wanted in shares.items():
        samples = (
            _zoom_samples(folder, wanted, seed) if task == "zoom" else _views(folder, task, wanted, seed)
        )
        write_samples(folder / f"{task}.jsonl", _counted(samples, done, count, progress))
        done += wanted
    return shares


def _counted(
    samples: Iterator[Sample], before: int, total: int, progress: Progress | None
) -> Iterator[Sample]:
    for done, sample in enumerate(samples, start=before + 1):
        yield sample
        if progress:
            progress(done, total)


def _check_manifest(folder: Path, settings: dict[str, int]) -> None:
    path = folder / _MANIFEST
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != settings:
            raise UsageError(f"{folder} holds samples of {found}, not of {settings}; choose another folder")
        return
    write_json(path, settings)


# --- small views ----------------------------------------------------------------------------------


def _views(folder: Path, task: str, count: int, seed: int) -> Iterator[Sample]:
    """Samples of a task in order, their images drawn some at a time."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, count, _TOGETHER):
            indices = range(start, min(count, start + _TOGETHER))
            yield from pool.map(lambda index: _view(folder, task, index, seed), indices)


def _view(folder: Path, task: str, index: int, seed: int) -> Sample:
    shot = make_shot(task, index, seed)
    name = f"images/{task}_{seed}_{index:05d}.png"
    if not (folder / name).exists():
        with atomic_path(folder / name) as partial:
            _draw(shot, generator(seed, "synth light", task, index)).save(partial, format="PNG")
    height, width = shot.size
    return Sample(
        id=f"synth-{task}-{seed}-{index:05d}",
        task=task,  # type: ignore[arg-type]
        images=(ImageRef(name, size=(height, width)),),
        gsd_m=round(shot.world.gsd_m * shot.window.width / width, 4),
        source=f"synth/{task}",
        **shot.sample,
    )


def make_shot(task: str, index: int, seed: int) -> Shot:
    """The view of the index-th sample of a task: a pure function of its arguments.

    Raises:
        KeyError: a task without views of its own.
    """
    return _SHOTS[task](generator(seed, "synth sample", task, index))


def _draw(shot: Shot, rng: np.random.Generator) -> Image.Image:
    """The view, a little brighter or darker than another."""
    pixels = render(shot.world, shot.window, shot.size)
    gain, offset = rng.uniform(0.92, 1.08), rng.uniform(-8, 8)
    return Image.fromarray(np.clip(pixels * gain + offset, 0, 255).astype(np.uint8))


def _square(rng: np.random.Generator) -> Size:
    side = int(rng.integers(_VIEW_SIDES[0], _VIEW_SIDES[1] + 1))
    return Size(side, side)


def _classification(rng: np.random.Generator) -> Shot:
    side = int(rng.choice([1024, 2048, 4096]))
    world = plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)
    fields = {"answer": world.cover, "classes": LAND_COVERS}
    return Shot(world, Window(0, 0, side, side), _square(rng), fields)


def _vqa(rng: np.random.Generator) -> Shot:
    world, site = single_site(rng)
    topics = [topic for topic in TOPICS if site.objects or topic in ("count", "presence")]
    question = ask_about(rng, site, topics[int(rng.integers(len(topics)))])
    turns = (Turn("user", f"<image>{question.text}"), Turn("assistant", question.answer))
    fields = {"turns": turns, "attributes": {"category": question.topic}}
    return Shot(world, around(rng, site.window, farthest=2.1), _square(rng), fields)


def _detection(rng: np.random.Generator) -> Shot:
    world, window, size = _tile(rng)
    polygons, objects = visible_polygons(world, window, size)
    wanted = CLASS_NAMES
    if rng.random() < 0.4:
        picked = rng.choice(CLASS_NAMES, int(rng.integers(1, 4)), replace=False).tolist()
        seen = [objects[0].kind_of.name] if objects and rng.random() < 0.7 else []
        wanted = tuple(sorted({*picked, *seen}))
    boxes = [
        Box(polygon, item.kind_of.name)
        for polygon, item in zip(_canonical(polygons), objects)
        if item.kind_of.name in wanted
    ]
    return Shot(world, window, size, {"boxes": tuple(boxes), "classes": wanted})


def _grounding(rng: np.random.Generator) -> Shot:
    """A view with an object that one phrase singles out; others are passed over.

    An object of which the edge leaves less than half is not meant, but a phrase must not fit it either.
    """
    while True:
        world, window, size = _tile(rng)
        polygons, objects = visible_polygons(world, window, size)
        whole = [_thing(polygon, item) for polygon, item in zip(_canonical(polygons), objects)]
        view, seen = View(window, size), set(map(id, objects))
        cut = [
            _thing(view.from_scene(item.polygon), item, difficult=True)
            for item in world.objects_in(window)
            if id(item) not in seen
        ]
        things = (*whole, *cut)
        named = references(Annotated("view", Path("view.png"), size.width, size.height, things))
        if named:
            index = list(named)[int(rng.integers(len(named)))]
            phrase = named[index][int(rng.integers(len(named[index])))].text
            box = Box(things[index].polygon, things[index].name)
            return Shot(world, window, size, {"phrase": phrase.removeprefix("the "), "boxes": (box,)})


_SHOTS: dict[str, Callable[[np.random.Generator], Shot]] = {
    "classification": _classification,
    "vqa": _vqa,
    "grounding": _grounding,
    "detection": _detection,
}


def _tile(rng: np.random.Generator) -> tuple[World, Window, Size]:
    """A view at about DETECT_GSD_M of part of a site, scattered objects or bare ground, of any aspect."""
    height, width = (int(side) for side in rng.integers(_VIEW_SIDES[0], _VIEW_SIDES[1] + 1, 2))
    scale = DETECT_GSD_M / GSD_M * float(np.exp(rng.uniform(np.log(0.6), np.log(1.2))))
    across = max(height, width) * scale
    if rng.random() < 0.45:
        world, site = single_site(rng)
        x, y = np.array(site.window.center) + rng.uniform(-0.3, 0.3, 2) * across
    else:
        x = y = MIDDLE
        cover, patch = (str(c) for c in rng.choice(LAND_COVERS, 2))
        objects = loose_objects(rng, min(height, width) * scale, few=0.3)
        world = World(int(rng.integers(1 << 31)), 8000, 8000, GSD_M, cover, patch, (), tuple(objects))
    window = Window(
        float(x - width * scale / 2), float(y - height * scale / 2), width * scale, height * scale
    )
    return world, window, Size(height, width)


def _canonical(polygons: np.ndarray) -> np.ndarray:
    return canonical(polygons) if len(polygons) else polygons


def _thing(polygon: np.ndarray, item: SceneObject, difficult: bool = False) -> Thing:
    return Thing(item.kind_of.name, polygon, {"color": item.colour, "kind": item.kind}, difficult)


# --- zooming --------------------------------------------------------------------------------------


def _zoom_samples(folder: Path, count: int, seed: int) -> Iterator[Sample]:
    """Questions about scenes that are too large to be read at once, each with a chain of zooms."""
    index = scene = 0
    while index < count:
        world = plan_zoom_world(scene, seed)
        name = f"scenes/scene_{seed}_{scene:04d}.tif"
        scene += 1
        asked = _asked(world, seed)[: count - index]
        if asked and not (folder / name).exists():
            write_scene(world, folder / name)
        for question in asked:
            yield _zoom_sample(world, question, name, f"synth-zoom-{seed}-{index:05d}")
            index += 1


def plan_zoom_world(scene: int, seed: int) -> World:
    """The scene-th large scene of a seed."""
    rng = generator(seed, "synth scene", scene)
    side = int(rng.choice(_SCENE_SIDES, p=_SCENE_SHARES))
    return plan_world(int(rng.integers(1 << 31)), side, side, GSD_M)


def _asked(world: World, seed: int) -> list[Question]:
    """Questions about a scene that need a zoom, in random order."""
    whole = Window(0, 0, world.width, world.height)
    found = [q for q in all_questions(world, seed) if next_window(whole, q.evidence) is not None]
    order = generator(seed, "synth questions", world.seed).permutation(len(found))
    return [found[int(row)] for row in order[:_QUESTIONS_OF_A_SCENE]]


def zoom_chain_of(world: World, evidence: Window) -> list[Window]:
    """The windows that a careful observer asks for one after another, in scene pixels, inside the scene."""
    whole = view = Window(0, 0, world.width, world.height)
    chain: list[Window] = []
    while (target := next_window(view, evidence)) is not None:
        view = target.intersection(whole) or whole
        chain.append(view)
    return chain


def _zoom_sample(world: World, question: Question, image: str, name: str) -> Sample:
    chain = zoom_chain_of(world, question.evidence)
    turns = [Turn("user", f"<image>{question.text}")]
    for step in range(len(chain)):
        turns += [Turn("assistant", f"<zoom {step}>"), Turn("user", f"<crop {step}>")]
    turns.append(Turn("assistant", question.answer))
    quads = box_quads([window.bounds for window in chain])
    return Sample(
        id=name,
        task="zoom",
        images=(ImageRef(image, size=(world.height, world.width)),),
        turns=tuple(turns),
        boxes=tuple(Box(quad, horizontal=True) for quad in quads),
        gsd_m=world.gsd_m,
        source="synth/zoom",
        attributes={
            "category": question.topic,
            "evidence": [round(edge, 2) for edge in question.evidence.bounds],
        },
    )
