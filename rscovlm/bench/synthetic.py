"""Synthetic counterparts of every kind of task: items about scenes whose truth is known to the pixel.

Small views, each with one thing to say about it (class, boxes, phrase, caption, choice), and large scenes
with questions whose evidence an overview cannot show. The model that ships answers them all on a CPU.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from detection_eval.files import write_text
from detection_eval.words import counted
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.records import item_to_json
from rscovlm.data.randomness import generator
from rscovlm.data.synthetic import Photo, Scale, make_shot, photograph, question_about_one_site
from rscovlm.models.families import family_named
from rscovlm.scoring.answers import choice_letter
from rscovlm.synth.catalogue import COLOURS, LAND_COVERS, OBJECT_CLASSES
from rscovlm.synth.dataset import write_scene
from rscovlm.synth.questions import Question, all_questions
from rscovlm.synth.views import around
from rscovlm.synth.world import World, plan_world

ITEMS, IMAGES = "items.jsonl", "images"
SEED = 1 << 41
"""Added to the seed of scenes: training of ``nano`` has seeds below 2^31, its score card 2^40."""

_OPTIONS = 4
_KINDS = {kind for each in OBJECT_CLASSES for kind in each.kinds}
_PLURALS = {each.name: each.plural for each in OBJECT_CLASSES}


def write_benchmark(
    folder: Path,
    *,
    each: int = 20,
    scenes: int = 2,
    size: int = 2048,
    seed: int = 0,
    family: str = "nano",
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write images and ``items.jsonl`` of the benchmark ``synth``.

    Args:
        folder: to write; images that are there already are kept.
        each: items of each kind of task about small views.
        scenes: large scenes with questions.
        size: side of these in pixels.
        seed: of everything.
        family: whose view sizes the small views have.
        progress: called with (images written, images in all).

    Returns:
        The number of items.

    Raises:
        OSError: where the folder cannot be written.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    scale = Scale.of(family_named(family))
    items: list[Item] = []
    total, done = each * len(_VIEWS) + scenes, 0
    for kind, make in _VIEWS.items():
        for index in range(each):
            place = f"{IMAGES}/{kind}_{index:04d}.png"
            photo, item = make(kind, index, seed + SEED, scale, place)
            if not (folder / place).exists():
                Image.fromarray(photo.read()).save(folder / place)
            items.append(item)
            done += 1
            if progress:
                progress(done, total)
    for index in range(scenes):
        world = plan_world((seed + SEED + index) % (1 << 62), size, size)
        place = f"{IMAGES}/scene_{index:04d}.tif"
        if not (folder / place).exists():
            write_scene(world, folder / place)
        items += _about_scene(world, place)
        done += 1
        if progress:
            progress(done, total)
    write_text(folder / ITEMS, "".join(json.dumps(item_to_json(item)) + "\n" for item in items))
    return len(items)


def write_zoom_benchmark(
    folder: Path,
    sizes: Sequence[int],
    *,
    scenes: int = 2,
    questions: int = 24,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write large scenes with questions about their sites and about all of their objects.

    Args:
        folder: to write; scenes that are there already are kept.
        sizes: sides of the scenes in pixels.
        scenes: of each size.
        questions: about sites, most of a scene, spread over topics; two more are about the whole scene.
        seed: of everything.
        progress: called with (scenes written, scenes in all).

    Returns:
        The number of items.

    Raises:
        OSError: where the folder cannot be written.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    items: list[Item] = []
    for number, (size, index) in enumerate((size, index) for size in sizes for index in range(scenes)):
        world = plan_world((seed + SEED + number) % (1 << 62), size, size)
        place = f"{IMAGES}/{size}_{index:02d}.tif"
        if not (folder / place).exists():
            write_scene(world, folder / place)
        found = [*_spread(list(_about_scene(world, place)), questions), *_about_all(world, place, number)]
        items += [replace(item, groups={**item.groups, "size": f"{size:,} px"}) for item in found]
        if progress:
            progress(number + 1, len(sizes) * scenes)
    write_text(folder / ITEMS, "".join(json.dumps(item_to_json(item)) + "\n" for item in items))
    return len(items)


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """The first items of each category in turn, in their order."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int]] = []
    for place, item in enumerate(items):
        turns.append((seen[item.groups["category"]], place))
        seen[item.groups["category"]] += 1
    return [items[place] for place in sorted(place for _, place in sorted(turns)[:most])]


def _about_all(world: World, place: str, number: int) -> Iterator[Item]:
    """How many there are of a class in the whole scene, and whether there are any of another."""
    counts = Counter(found.kind_of.name for found in world.objects)
    counted, asked = (OBJECT_CLASSES[(2 * number + step) % len(OBJECT_CLASSES)] for step in (0, 1))
    stem = Path(place).stem
    groups = _groups("count, all", "scene")
    yield Item(
        f"{stem}/all/count",
        (place,),
        "count",
        f"How many {counted.plural} are there?",
        Truth((str(counts[counted.name]),)),
        groups=groups,
    )
    groups = _groups("presence, all", "scene")
    yield Item(
        f"{stem}/all/presence",
        (place,),
        "open",
        f"Are there any {asked.plural}?",
        Truth(("yes" if counts[asked.name] else "no",)),
        groups=groups,
    )


def _groups(category: str, size: str) -> dict[str, str]:
    return {"category": category, "size": size}


def _scene_class(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    shot = make_shot("classification", index, seed, scale)
    truth = Truth((str(shot.fields["answer"]),))
    return shot.photo, Item(
        f"{kind}/{index}", (place,), "classify", "", truth, LAND_COVERS, _groups("scene class", "view")
    )


def _choice(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    """A question about a view whose evidence can be read, with options of the answer's own kind."""
    rng = generator(seed, "synth benchmark", kind, index)
    while True:
        world, asked = question_about_one_site(rng)
        window = around(rng, asked.evidence, farthest=2.1)
        if others := _alternatives(asked):
            break
    wrong = rng.choice(others, min(_OPTIONS - 1, len(others)), replace=False).tolist()
    options = tuple(rng.permutation([asked.answer, *wrong]).tolist())
    letter = choice_letter(options.index(asked.answer))
    item = Item(
        f"{kind}/{index}",
        (place,),
        "choice",
        asked.text,
        Truth((letter,)),
        options,
        _groups(f"choice, {asked.topic}", "view"),
    )
    return photograph(rng, world, window, scale.square(rng)), item


def _alternatives(asked: Question) -> list[str]:
    """Wrong answers of the same kind as the right one."""
    if asked.answer in COLOURS:
        every: Sequence[str] = tuple(COLOURS)
    elif asked.answer in _KINDS:
        every = sorted(_KINDS)
    elif asked.answer.isdigit():
        every = [str(number) for number in range(8)]
    else:
        every = ("yes", "no")
    return [other for other in every if other != asked.answer]


def _width(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    """A length that the sizes of objects tell, within a quarter."""
    shot = make_shot("detection", index, seed + 1, scale)
    metres = shot.photo.gsd_m * shot.photo.size.width
    item = Item(
        f"{kind}/{index}",
        (place,),
        "number",
        "How many metres wide is the area in the image?",
        Truth((f"{metres:.0f}",)),
        groups=_groups("width", "view"),
        extra={"tolerance": 0.25},
    )
    return shot.photo, item


def _phrase(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    shot = make_shot("grounding", index, seed, scale)
    (box,) = shot.fields["boxes"]
    truth = Truth(polygons=np.asarray(box.polygon, dtype=np.float64).reshape(1, 4, 2), labels=(box.label,))
    phrase = str(shot.fields["phrase"])
    return shot.photo, Item(
        f"{kind}/{index}", (place,), "ground", phrase, truth, groups=_groups("grounding", "view")
    )


def _objects(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    shot = make_shot("detection", index, seed, scale)
    boxes = shot.fields["boxes"]
    polygons = np.array([box.polygon for box in boxes], dtype=np.float64).reshape(-1, 4, 2)
    truth = Truth(polygons=polygons, labels=tuple(box.label for box in boxes))
    return shot.photo, Item(
        f"{kind}/{index}",
        (place,),
        "detect",
        "",
        truth,
        tuple(shot.fields["classes"]),
        _groups("detection", "view"),
    )


def _caption(kind: str, index: int, seed: int, scale: Scale, place: str) -> tuple[Photo, Item]:
    """A view with the names and numbers of all that it shows, in two wordings."""
    shot = make_shot("detection", index, seed + 2, scale)
    counts = Counter(box.label for box in shot.fields["boxes"])
    named = (
        " and ".join(
            counted(number, name, _PLURALS.get(name, name)) for name, number in sorted(counts.items())
        )
        or "no objects"
    )
    cover = shot.photo.world.cover
    truth = Truth((f"The image shows {cover} with {named}.", f"{named} on {cover}."))
    return shot.photo, Item(
        f"{kind}/{index}", (place,), "caption", "", truth, groups=_groups("caption", "view")
    )


_VIEWS: dict[str, Callable[[str, int, int, Scale, str], tuple[Photo, Item]]] = {
    "class": _scene_class,
    "choice": _choice,
    "number": _width,
    "ground": _phrase,
    "detect": _objects,
    "caption": _caption,
}
"""Makers of an item about a small view, by the first part of its key."""


def _about_scene(world: World, place: str) -> Iterator[Item]:
    """Questions about a large scene, with the windows of their evidence."""
    for number, asked in enumerate(all_questions(world)):
        counted = asked.answer.isdigit()
        extra: dict[str, Any] = {"topic": asked.topic}
        yield Item(
            f"{Path(place).stem}/{number}",
            (place,),
            "count" if counted else "open",
            asked.text,
            Truth((asked.answer,)),
            groups=_groups(asked.topic, "scene"),
            evidence=tuple(round(float(edge), 2) for edge in asked.evidence.bounds),  # type: ignore[arg-type]
            extra=extra,
        )
