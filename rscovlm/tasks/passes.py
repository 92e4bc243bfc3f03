"""The passes of a detection run over a scene: at one ground sampling distance, or at several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rscovlm.errors import UsageError
from rscovlm.tasks.tiles import ScaleGap, TilePlan, plan_tiles

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from tiling.areas import SceneArea
    from tiling.scene import Scene
    from tiling.view import Window

Progress = Callable[[int, int], None]
Wanted = tuple[float | None, tuple[str, ...] | None]
"""The ground sampling distance of a pass, and its classes where it does not look for all of the run."""

FINER = 1.01
"""How many times finer than the scene something is before it is told."""


def plan_passes(
    scene: Scene,
    family: ModelFamily,
    classes: Sequence[str],
    *,
    gsd_m: Sequence[float] | None = None,
    tile: int | str | None = None,
    overlap: int | str | None = None,
    region: Window | None = None,
    area: SceneArea | None = None,
    progress: Progress | None = None,
    check: Callable[[ScaleGap], None] | None = None,
) -> tuple[TilePlan, ...]:
    """The passes of a run over a scene, the finest first.

    One pass with tiles that suit the model, unless ground sampling distances are given, or the family states
    several for its classes, each of which is then looked for in its own pass only. The side of a tile, where
    it is given, states the scale of a single pass. What would be finer than the scene is shown pixel for
    pixel; passes that would show the very same are one.

    Args:
        scene: to look at.
        family: of the model.
        classes: that are looked for.
        gsd_m: metres per pixel of the views of each pass.
        tile, overlap, region, area: of each pass, as for :func:`plan_tiles`.
        progress: called with (tiles looked at, tiles of the passes planned so far).
        check: of each pass, as for :func:`plan_tiles`.

    Raises:
        GridError, OutsideScene: as :func:`plan_tiles`.
    """
    if gsd_m is not None:
        wanted: list[Wanted] = [(each, None) for each in sorted(set(gsd_m))]
    elif tile is None:
        wanted = _by_class(scene, family, classes)
    else:
        wanted = [(None, None)]
    plans: list[TilePlan] = []
    examined = 0
    for gsd, names in wanted:
        plan = plan_tiles(
            scene,
            family,
            tile=tile,
            overlap=overlap,
            region=region,
            area=area,
            gsd_m=gsd,
            classes=names,
            progress=_after(examined, progress),
            check=check,
        )
        examined += len(plan.tiles) + len(plan.skipped)
        if all((plan.views, plan.classes) != (other.views, other.classes) for other in plans):
            plans.append(plan)
    return tuple(plans)


def _after(done_before: int, progress: Progress | None) -> Progress | None:
    """Progress that counts on from earlier passes."""
    if progress is None:
        return None
    return lambda done, total: progress(done_before + done, done_before + total)


def _by_class(scene: Scene, family: ModelFamily, classes: Sequence[str]) -> list[Wanted]:
    """The ground sampling distance of each pass and the classes that a family looks for in it."""
    own = scene.gsd_m
    if family.class_gsd_m is None or own is None:
        return [(None, None)]
    scales = {name: max(family.gsd_of(name) or own, own) for name in classes}
    if len(set(scales.values())) == 1:
        return [(scales[classes[0]], None)]
    return [
        (gsd, tuple(name for name in classes if scales[name] == gsd)) for gsd in sorted(set(scales.values()))
    ]


def scale_notes(scene: Scene, family: ModelFamily, gsd_m: Sequence[float] | None) -> list[str]:
    """Lines that say where a scene is not shown at the ground sampling distances that were asked for."""
    own = scene.gsd_m
    if own is None:
        if family.class_gsd_m is None or gsd_m is not None:
            return []
        unknown = f"the ground sampling distance of {scene.source} is not known, so that all classes are "
        return [unknown + "looked for in one pass; --assume-gsd states it"]
    return [
        f"{each:g} m per pixel is finer than the scene's {own:.3g}: seen pixel for pixel"
        for each in gsd_m or ()
        if each < own / FINER
    ]


def read_gsd(text: str) -> tuple[float, ...]:
    """Ground sampling distances in metres per pixel, separated by commas: ``1.2`` or ``0.4,1.2``.

    Raises:
        UsageError: for what is not a list of positive numbers.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(math.isfinite(each) and each > 0 for each in found):
        raise UsageError(
            f"--gsd {text!r} is no ground sampling distance; give metres per pixel, such as 0.6 or 0.4,1.2"
        )
    return found
