"""Lessons in boxes: lists of objects and places, closer looks at an object, objects that phrases name.

Each draws a conversation and its task from a random generator and an ease, see ``question_lessons``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection_eval.detections import Detections
from detection_eval.geometry.clipping import visible_quads
from detection_eval.text.contract import detection_prompt
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.data.annotations import Annotated, Thing
from rscovlm.data.example import BoxText
from rscovlm.data.references import references
from rscovlm.data.synthetic import Photo, photograph, things_in
from rscovlm.models.families import FAMILIES
from rscovlm.nano.model import TOKEN_SIDE, VIEW_SIDE
from rscovlm.nano.question_lessons import CAPTION, world_with_site
from rscovlm.synth.captions import view_caption
from rscovlm.synth.catalogue import CLASS_NAMES, SITES
from rscovlm.synth.views import neighbourhood, single_site, visible_polygons
from rscovlm.tasks.ground import Grounding
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation

_SIZE = Size(VIEW_SIDE, VIEW_SIDE)
_DETECTION = CONTRACTS["nano"]
_NO_FILE = Path("view.png")

_FAMILY = FAMILIES["nano"]
CLASS_GSD_M = {name: gsd_m for name in CLASS_NAMES if (gsd_m := _FAMILY.gsd_of(name)) is not None}
"""Metres per pixel of the views in which each class is listed."""
SCALES = tuple(sorted(set(CLASS_GSD_M.values())))
_SCALE_SHARES = (0.4, 0.35, 0.25)
_APART = 1.25  # factor by which views differ from those scales
_ABOUT_AN_OBJECT = 0.75  # share of views with objects that are laid about one
_SEARCHED_M = 150.0
_CLOSER = 0.4  # share of lists that are of one object's surroundings
_FILLED = (0.25, 0.6)  # how much of such a view its bounds fill
_OFF = 0.3  # of their longer side: how far off the middle it may be
_MISTAKEN = 0.2  # share of those that show somewhere else
_LEAST_NAMED_PX = 5.0  # objects that are shorter are not asked for by a phrase


def places(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Where the places of a scene are, as one list of boxes: many answers about one overview."""
    world = world_with_site(rng, ease)
    names = tuple(kind.name for kind in SITES)
    if rng.random() < 0.5:
        seen = sorted({site.kind.name for site in world.sites})
        others = rng.choice(names, 1).tolist()
        names = tuple(sorted({*rng.choice(seen, min(len(seen), 3), replace=False).tolist(), *others}))
    photo = photograph(rng, world, world.whole, _SIZE)
    sites = [site for site in world.sites if site.kind.name in names]
    corners = View(world.whole, _SIZE).from_scene(np.reshape([site.corners for site in sites], (-1, 4, 2)))
    outlines, rows = visible_quads(corners, *_SIZE)
    labels = np.array([names.index(sites[row].kind.name) for row in rows], dtype=np.int64)
    _, prompt = detection_prompt(_DETECTION, names)
    boxes = Detections(outlines, labels, names)
    return Conversation().say("user", photo, prompt).say("assistant", _listed(boxes)), "places"


def _listed(boxes: Detections) -> BoxText:
    """Boxes as lines, in the order of the visual tokens that show their centres.

    A reader that has just written one so finds the next by going on through the image.
    """
    if not len(boxes):
        return BoxText(render_response(boxes, _DETECTION, VIEW_SIDE, VIEW_SIDE))
    x, y = boxes.polygons.mean(axis=1).T
    order = np.lexsort((x, x // TOKEN_SIDE, y // TOKEN_SIDE))
    lines = [render_response(boxes.select([row]), _DETECTION, VIEW_SIDE, VIEW_SIDE) for row in order]
    return BoxText("\n".join(lines))


def _view_with_objects(rng: np.random.Generator, gsd_m: float, names: Sequence[str] = CLASS_NAMES) -> Photo:
    """A view about one object, or anywhere at a place or in a scene without places.

    Args:
        rng: the source of randomness.
        gsd_m: metres per pixel.
        names: classes of the object.
    """
    if rng.random() < 0.75:
        gather = [
            kind.name for kind in SITES if {kind.objects.name, *(c.name for c in kind.others)} & {*names}
        ]
        named = str(rng.choice(gather)) if gather and rng.random() < 0.6 else None
        world, site = single_site(rng, named)
        center, reach = np.array(site.focus.center), max(site.focus.width, site.focus.height)
    else:
        world = neighbourhood(rng)
        center, reach = rng.uniform(0.05, 0.95, 2) * (world.width, world.height), 0.0
    side = VIEW_SIDE * gsd_m / world.gsd_m
    center = center + rng.uniform(-0.5, 0.5, 2) * max(side, reach)
    if rng.random() < _ABOUT_AN_OBJECT:
        around_it = max(reach, _SEARCHED_M / world.gsd_m)
        x, y = center
        searched = Window(x - around_it / 2, y - around_it / 2, around_it, around_it)
        objects = [item for item in world.objects_in(searched) if item.kind_of.name in names]
        if objects:
            chosen = objects[int(rng.integers(len(objects)))]
            center = chosen.polygon.mean(axis=0) + rng.uniform(-0.5, 0.5, 2) * side
    x, y = (float(along) for along in center)
    return photograph(rng, world, Window(x - side / 2, y - side / 2, side, side), _SIZE)


def _closer(rng: np.random.Generator) -> tuple[Photo, tuple[str, ...]]:
    """A closer look at what was found, and its class: one object large in view, at times none."""
    while True:
        wanted = CLASS_NAMES[int(rng.integers(len(CLASS_NAMES)))]
        photo = _view_with_objects(rng, 4 * CLASS_GSD_M[wanted], (wanted,))
        objects = [item for item in photo.world.objects_in(photo.window) if item.kind_of.name == wanted]
        if objects:
            break
    bounds = Window.around(objects[int(rng.integers(len(objects)))].polygon)
    extent = max(bounds.width, bounds.height)
    window = bounds.resized(*[extent / float(rng.uniform(*_FILLED))] * 2)
    reach = photo.window.width / 2 if rng.random() < _MISTAKEN else _OFF * extent
    x, y = (float(along) for along in rng.uniform(-reach, reach, 2))
    window = Window(window.x + x, window.y + y, window.width, window.height)
    return photograph(rng, photo.world, window, _SIZE), (wanted,)


def detect(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """The objects of some classes in a view, or of one class in a closer look."""
    if rng.random() < _CLOSER:
        photo, wanted = _closer(rng)
        return _list_objects(photo, wanted), "refine"
    scale = SCALES[int(rng.choice(len(SCALES), p=_SCALE_SHARES))]
    gsd_m = scale * float(np.exp(rng.uniform(-1, 1) * np.log(_APART)))
    if rng.random() < ease:
        gsd_m *= 0.75
    wanted = tuple(name for name in CLASS_NAMES if CLASS_GSD_M[name] == scale)
    photo = _view_with_objects(rng, gsd_m, wanted)
    if rng.random() < 0.25:
        objects = visible_polygons(photo.world, photo.window, photo.size)[1]
        seen = [item.kind_of.name for item in objects if item.kind_of.name in wanted][:1]
        picked = rng.choice(wanted, int(rng.integers(1, 3)), replace=False).tolist()
        wanted = tuple(sorted({*picked, *seen}))
    conversation = _list_objects(photo, wanted)
    if rng.random() < 0.15:
        caption = view_caption(photo.world, photo.window, photo.size)
        conversation = conversation.say("user", CAPTION).say("assistant", caption)
    return conversation, "detect"


def _list_objects(photo: Photo, wanted: tuple[str, ...]) -> Conversation:
    polygons, objects = visible_polygons(photo.world, photo.window, photo.size)
    kept = [row for row, item in enumerate(objects) if item.kind_of.name in wanted]
    labels = np.array([wanted.index(objects[row].kind_of.name) for row in kept], dtype=np.int64)
    _, prompt = detection_prompt(_DETECTION, wanted)
    boxes = Detections(polygons[kept].reshape(-1, 4, 2), labels, wanted)
    return Conversation().say("user", photo, prompt).say("assistant", _listed(boxes))


def ground(rng: np.random.Generator, ease: float) -> tuple[Conversation, str]:
    """Objects that phrases single out, up to two in one view."""
    task = Grounding(_DETECTION)
    photo, named = _phrases(rng, 2)
    conversation = Conversation()
    for turn, (phrase, thing) in enumerate(named):
        words = task.prompt(phrase).user
        conversation = conversation.say("user", *((photo, words) if turn == 0 else (words,)))
        # The class as label: a phrase said again would cost more than its box.
        box = Detections(thing.polygon[None], np.zeros(1, dtype=np.int64), (thing.name,))
        answer = render_response(box, _DETECTION, VIEW_SIDE, VIEW_SIDE)
        conversation = conversation.say("assistant", BoxText(answer))
    return conversation, "ground"


def grounded_view(rng: np.random.Generator) -> tuple[Photo, str, NDArray[np.float64]]:
    """A view, a phrase that singles out one object of it, and its (4, 2) corners in pixels of the view."""
    photo, ((phrase, thing),) = _phrases(rng, 1)
    return photo, phrase, thing.polygon


def _phrases(rng: np.random.Generator, most: int) -> tuple[Photo, list[tuple[str, Thing]]]:
    """A view, and up to ``most`` phrases with the object that each singles out; at least one."""
    while True:
        gsd_m = float(np.exp(rng.uniform(np.log(SCALES[0]), np.log(SCALES[-1]))))
        photo = _view_with_objects(rng, gsd_m)
        things = things_in(photo, least_px=_LEAST_NAMED_PX)
        named = references(Annotated("view", _NO_FILE, VIEW_SIDE, VIEW_SIDE, things))
        if named:
            break
    chosen = [list(named)[int(row)] for row in rng.permutation(len(named))[:most]]
    texts = [named[index][int(rng.integers(len(named[index])))].text for index in chosen]
    return photo, [
        (text.removeprefix("the "), things[index]) for text, index in zip(texts, chosen, strict=True)
    ]
