"""Models of ``rscovlm regress``: which heads are asked, and the run of one model or of several."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from detection_eval.words import counted
from rscovlm.cli.opening import open_model
from rscovlm.errors import ModelError, UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.heads.ensemble import Fuse
    from rscovlm.models.inputs import PatchInput, Target
    from rscovlm.tasks.regress import Run
    from rscovlm.tasks.regress_layout import Layout
    from rscovlm.tasks.regress_plots import KnownPlots
    from rscovlm.tasks.regress_regions import RegionLookup
    from tiling.scene import Scene
    from tiling.stack import Stack


SAME_STRIDE = 0.01
"""Relative difference of a whole number of pixels to the stride asked for that goes without a word."""
FEW_INSIDE = 0.5
"""Share of plots inside of 90 % intervals below which their numbers may be other ones than the model's."""


class Chosen(NamedTuple):
    """A model that is asked.

    Attributes:
        checkpoint: of it.
        inputs: how it is shown patches.
        targets: what is estimated, by the name of the head.
    """

    checkpoint: Checkpoint
    inputs: PatchInput
    targets: dict[str, Target]


def choose(models: Sequence[str], target: str | None) -> tuple[Chosen, ...]:
    """The models and their heads; of several, the heads that give what those of the first give.

    Args:
        models: as ``--model`` takes them.
        target: heads by name or by what they give; None for all of the first model.

    Raises:
        UsageError, ModelError: a model has no such head, stands twice, or sees patches of another size.
    """
    first = _chosen(models[0], target)
    found = [first]
    for model in models[1:]:
        found.append(_like(first, model))
    names = [str(each.checkpoint.local.resolve()) for each in found]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"--model {models[place]} stands twice; an ensemble is of different models")
    return tuple(found)


def _chosen(model: str, target: str | None) -> Chosen:
    checkpoint, inputs = _model(model)
    return Chosen(checkpoint, inputs, _targets(checkpoint, inputs, target))


def _like(first: Chosen, model: str) -> Chosen:
    """Another model, whose heads give the same numbers about patches of the same ground."""
    from rscovlm.models.inputs import number_heads
    from rscovlm.tasks.regress_dense import map_cells

    checkpoint, inputs = _model(model)
    own, gives = number_heads(checkpoint.local), number_heads(first.checkpoint.local)
    asked = [name if own.get(name) == gives[name] else gives[name] for name in first.targets]
    found = Chosen(checkpoint, inputs, _targets(checkpoint, inputs, ",".join(asked)))
    about = f"--model {first.checkpoint.spec} and --model {model}"
    for what in ("patch_px", "gsd_m", "sensors"):
        one, other = getattr(first.inputs, what), getattr(inputs, what)
        if one != other:
            raise UsageError(f"{about} cannot be asked together: {what} of theirs are {one} and {other}")
    for name, one, other in zip(asked, first.targets.values(), found.targets.values(), strict=True):
        if one.unit != other.unit:
            raise UsageError(f"{about} cannot be asked together: {name} is in {one.unit} and in {other.unit}")
    for each in (first, found):
        if map_cells(each.checkpoint.local, each.inputs, list(each.targets)) is not None:
            raise UsageError(
                f"{each.checkpoint.spec} has maps of {', '.join(each.targets)}; ensembles are of heads that "
                "give a number a patch, so give that --model alone"
            )
    return found


def _model(model: str) -> tuple[Checkpoint, PatchInput]:
    """The checkpoint and how it is shown patches.

    Raises:
        ModelError: where it has no number heads.
    """
    from rscovlm.models.checkpoints import resolve_here
    from rscovlm.models.inputs import read_inputs

    checkpoint = resolve_here(model, "number heads need")
    inputs = read_inputs(checkpoint.local)
    if inputs is None:
        raise ModelError(
            f"{model} has no number heads: no inputs in its rscovlm.json; give a checkpoint that was trained "
            "with some, see docs/regression.md"
        )
    return checkpoint, inputs


def _targets(checkpoint: Checkpoint, inputs: PatchInput, asked: str | None) -> dict[str, Target]:
    """The heads that are asked for, by name or by what they give, and what each estimates.

    Raises:
        UsageError: where there is no such head, or a number is given by several.
    """
    from rscovlm.models.inputs import Target, number_heads

    heads = number_heads(checkpoint.local)
    names = list(heads) if asked is None else [name.strip() for name in asked.split(",")]
    found: dict[str, Target] = {}
    for name in names:
        meant = [name] if name in heads else [head for head, gives in heads.items() if gives == name]
        if len(meant) != 1:
            listed = ", ".join(heads) or "none"
            what = "several heads" if meant else "no head"
            raise UsageError(f"{checkpoint.spec} has {what} for {name!r}; --target takes: {listed}")
        gives = heads[meant[0]]
        found[meant[0]] = inputs.targets.get(gives) or Target(unit="1", long_name=gives)
    if not found:
        raise UsageError(f"{checkpoint.spec} has no number heads")
    return found


def check_dates(models: Sequence[Chosen], scenes: Sequence[str], stated: str | None) -> None:
    """Make sure that there is a scene of each date that models learnt, in order.

    Args:
        models: that are asked.
        scenes: one of each date.
        stated: when they were taken, as ``--dates`` says it.

    Raises:
        UsageError: too few or too many scenes, or dates that are not theirs.
    """
    from datetime import date

    needed = max(each.inputs.dates for each in models)
    told = " and ".join(each.checkpoint.spec for each in models)
    if len(scenes) > needed == 1:
        raise UsageError(
            f"{told} learnt places at one date, and {len(scenes)} scenes are given; give one, or a model "
            "that learnt several dates"
        )
    if len(scenes) != needed:
        raise UsageError(
            f"{told} learnt {counted(needed, 'date')} of a place, and {counted(len(scenes), 'scene')} "
            f"{'is' if len(scenes) == 1 else 'are'} given; give one of each date, the earliest first"
        )
    if stated is None:
        return
    try:
        found = [date.fromisoformat(each.strip()) for each in stated.split(",")]
    except ValueError as error:
        raise UsageError(f"--dates {stated}: {error}; write 2021-04-12,2021-07-01") from None
    if len(found) != len(scenes) or found != sorted(found):
        raise UsageError(
            f"--dates {stated} has to state {counted(len(scenes), 'date')}, one of each scene, "
            "the earliest first"
        )


def in_season(
    models: Sequence[Chosen], scenes: Sequence[Scene], stated: str | None
) -> tuple[tuple[Chosen, ...], str]:
    """The models with the season of the scenes in their words, where they learnt it; and that season.

    Args:
        models: that are asked.
        scenes: one of each date.
        stated: ``--dates``, which go before what files say of themselves.

    Returns:
        the season is empty where no model is told any.
    """
    from datetime import date

    from rscovlm.data.seasons import seasons_of
    from tiling.dates import acquired

    if not any(each.inputs.seasonal for each in models):
        return tuple(models), ""
    first = scenes[0]
    taken = [acquired(scene.tags) for scene in scenes]
    if stated is not None:
        taken = [date.fromisoformat(each.strip()) for each in stated.split(",")]
    middle = [first.window.width / 2, first.window.height / 2]
    lat = float(first.to_lonlat([middle])[0, 1]) if first.georeferenced else float("nan")
    season = seasons_of(taken, lat)
    if not season:
        lacks = "where it lies" if None not in taken else "when it was taken; --dates states it"
        note(f"{first.source} does not say {lacks}; the model is told no season")
    return tuple(each._replace(inputs=each.inputs.in_season(season)) for each in models), season


def check_radar(stack: Stack, models: Sequence[Chosen], sar: str | None) -> None:
    """Ask for radar where models see it, and refuse it where they see none of its bands.

    Args:
        stack: of scenes; the last one is ``sar`` where there is one.
        models: that are asked.
        sar: as ``--sar`` names it.

    Raises:
        UsageError: radar is missing, or of no use.
    """
    from tiling.dates import UNDATED

    bands = list(dict.fromkeys(band for each in models for band in each.inputs.bands))
    told = " and ".join(each.checkpoint.spec for each in models)
    sees = "sees" if len(models) == 1 else "see"
    if sar is not None and not stack.layers[-1][1].found.keys() & set(bands):
        raise UsageError(f"{told} {sees} no band of --sar {sar}: {', '.join(bands)}; leave it out")
    held = {name for _, contract in stack.layers for name in contract.found}
    missing = [band for band in bands if band not in held]
    if sar is None and missing and UNDATED.issuperset(missing):
        raise UsageError(
            f"{stack.scene.source}: no band {', '.join(missing)}, which {told} {sees}; give radar of the "
            "same place by --sar FILE"
        )


def layout_of(scene: Scene, chosen: Chosen, stride: str | None) -> Layout:
    """Of a stitched map where all targets are maps of the same cells; else a cell a patch."""
    from rscovlm.tasks.regress_dense import DenseLayout, map_cells, step_of
    from rscovlm.tasks.regress_layout import Layout, scale_of
    from tiling.grid import length_px

    inputs, targets = chosen.inputs, list(chosen.targets)
    ratio = scale_of(inputs, scene)
    apart = None if stride is None else length_px(stride, scene.gsd_m) / ratio.mean
    across = map_cells(chosen.checkpoint.local, inputs, targets)
    extent = (scene.width, scene.height, inputs.patch_px)
    if across is not None:
        step = step_of(apart, inputs.patch_px, across)
        return DenseLayout.over(*extent, across, step, ratio, len(targets))
    side = inputs.patch_px if apart is None else round(apart)
    if side < 1:
        raise UsageError(f"--stride {stride} is less than a pixel; give one or more")
    if apart is not None and abs(side - apart) > SAME_STRIDE * apart:
        note(f"--stride {stride} is {apart:.4g} px as the model sees them; cells are {side} px")
    return Layout.of(*extent, side, ratio, len(targets))


def run_of(
    stack: Stack,
    models: Sequence[Chosen],
    fuse: Fuse,
    interval: float,
    layout: Layout,
    batch_size: int,
    plots: Path | None,
    device: str | None,
    held: ExitStack,
    regions: RegionLookup,
) -> Run:
    """The run of models, which are loaded, after its heads have been fitted on plots where there are some.

    Args:
        held: closes the engines.
        regions: in which patches lie.

    Raises:
        ModelError, UsageError: a head is missing, or states no quantiles so far out, or plots do not suit.
    """
    from rscovlm.engines.numbers import head_of
    from rscovlm.tasks.regress import Run
    from rscovlm.tasks.regress_dense import DenseLayout, DenseRun
    from rscovlm.tasks.regress_ensemble import EnsembleRun
    from rscovlm.tasks.regress_plots import read_plots

    known = None if plots is None else read_plots(plots)
    kind = DenseRun if isinstance(layout, DenseLayout) else Run
    runs: dict[str, Run] = {}
    for checkpoint, inputs, targets in models:
        engine: Any = held.enter_context(open_model(checkpoint, device))
        heads = tuple(targets)
        runs[checkpoint.spec] = kind(stack, inputs, engine, heads, interval, layout, batch_size, regions)
    run = next(iter(runs.values()))
    if len(runs) > 1:
        run = EnsembleRun(
            stack, run.inputs, run.engine, run.targets, interval, layout, batch_size, regions, runs, fuse
        )
    if plots is not None and known is not None:
        _fit(run, known, plots)
    for target in run.targets:
        widest = head_of(run.heads, target).widest
        if interval > widest + 1e-6:
            raise UsageError(
                f"--interval {interval:g} is wider than the quantiles that head {target} states, which hold "
                f"{widest:g}; give that or less"
            )
    return run


def _fit(run: Run, known: KnownPlots, plots: Path) -> None:
    """Fit the intervals of a run on plots in the scene, and say how it went."""
    from rscovlm.tasks.regress_plots import fit_on_plots

    for target, fitted in fit_on_plots(run, known, plots).items():
        note(
            f"{target}: intervals fitted on {counted(fitted.steps.plots, 'plot')} of {plots}, "
            f"{fitted.inside:.0%} of which were inside of 90 % intervals before"
        )
        if fitted.inside < FEW_INSIDE:
            own, said = ("{:.4g} to {:.4g}".format(*ends) for ends in (fitted.truths, fitted.means))
            note(
                f"warning: {target} of these plots is {own}, of the model {said}; if their unit is another "
                "or some have no number, mend them: the intervals now lead there"
            )
