"""Canonical samples of five tasks about synthetic scenes, as files that training reads like any others.

A folder holds ``classification.jsonl``, ``vqa.jsonl``, ``grounding.jsonl``, ``detection.jsonl`` and
``zoom.jsonl``, the small views of the first four under ``images/`` (PNG) and the scenes of the last under
``scenes/`` (GeoTIFF). Sample i of a task, seed and scale is the same whatever the count is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from detection_eval.files import atomic_path, write_json
from detection_eval.geometry.quads import box_quads
from detection_eval.words import counted
from rscovlm.data.randomness import generator
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.store import write_samples
from rscovlm.data.synthetic import Scale, make_shot, zoom_chain
from rscovlm.errors import UsageError
from rscovlm.synth.dataset import write_scene
from rscovlm.synth.questions import Question, all_questions
from rscovlm.synth.views import GSD_M, next_window
from rscovlm.synth.world import World, plan_world
from tiling.view import Window

TASKS = ("classification", "vqa", "grounding", "detection", "zoom")
VERSION = 3
"""Version of what a seed means; files of another version are not mixed."""

_SCENE_SIDES, _SCENE_SHARES = (1536, 2048, 3072, 4096), (0.5, 0.4, 0.08, 0.02)
_QUESTIONS_OF_A_SCENE = 12
_TOGETHER = 32
_MANIFEST = "samples.json"

Progress = Callable[[int, int], None]


def write_sample_set(
    folder: Path, count: int, scale: Scale, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, int]:
    """Write samples of all tasks, equally many of each; the number of each is returned.

    Images that are there already are kept, so an interrupted run continues; a file of samples appears when it
    is complete.

    Args:
        folder: is made where it does not exist.
        count: samples in all.
        scale: view sizes and ground sampling distance of the model that will learn from them.
        seed: decides everything.
        progress: called with (samples done, samples in all).

    Raises:
        UsageError: fewer samples than tasks, or the folder holds those of another seed, scale or version.
        OSError: the folder cannot be written.
    """
    if count < len(TASKS):
        raise UsageError(
            f"{counted(count, 'sample is', 'samples are')} too few; "
            f"give at least one of each task, {len(TASKS)}"
        )
    for part in ("images", "scenes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # Through JSON, so that it compares with what is read back.
    _check_manifest(folder, json.loads(json.dumps({"version": VERSION, "seed": seed, **asdict(scale)})))
    shares = {task: (count + len(TASKS) - 1 - place) // len(TASKS) for place, task in enumerate(TASKS)}
    done = 0
    for task, wanted in shares.items():
        if task == "zoom":
            samples = _zoom_samples(folder, wanted, seed)
        else:
            samples = _views(folder, task, wanted, seed, scale)
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


def _check_manifest(folder: Path, settings: dict[str, Any]) -> None:
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


def _views(folder: Path, task: str, count: int, seed: int, scale: Scale) -> Iterator[Sample]:
    """Samples of a task in order, their images drawn some at a time."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, count, _TOGETHER):
            indices = range(start, min(count, start + _TOGETHER))
            yield from pool.map(lambda index: _view(folder, task, index, seed, scale), indices)


def _view(folder: Path, task: str, index: int, seed: int, scale: Scale) -> Sample:
    shot = make_shot(task, index, seed, scale)
    name = f"images/{task}_{seed}_{index:05d}.png"
    if not (folder / name).exists():
        with atomic_path(folder / name) as partial:
            Image.fromarray(shot.photo.read()).save(partial, format="PNG")
    height, width = shot.photo.size
    return Sample(
        id=f"synth-{task}-{seed}-{index:05d}",
        task=task,  # type: ignore[arg-type]
        images=(ImageRef(name, size=(height, width)),),
        gsd_m=round(shot.photo.gsd_m, 4),
        source=f"synth/{task}",
        **shot.fields,
    )


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


def _zoom_sample(world: World, question: Question, image: str, name: str) -> Sample:
    chain = list(zoom_chain(Window(0, 0, world.width, world.height), question.evidence))
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
