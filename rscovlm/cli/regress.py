"""``rscovlm regress``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.destinations import goes_on
from rscovlm.cli.failures import Interrupted
from rscovlm.cli.options import AsJson, AssumeCrs, AssumeGsd, Device, SensorName
from rscovlm.cli.outputs import Overwrite, Resume, check_file, check_outputs
from rscovlm.cli.regress_models import (
    Chosen,
    check_dates,
    check_radar,
    choose,
    in_season,
    layout_of,
    run_of,
)
from rscovlm.cli.regress_regions import regions_of, standing_of, tell_strangers
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rscovlm.models.inputs import PatchInput, Target
    from rscovlm.models.sensors import Declared
    from rscovlm.tasks.regress import Run
    from tiling.overrides import Overrides
    from tiling.scene import Scene
    from tiling.sensors import Contract
    from tiling.stack import Stack


class FuseName(StrEnum):
    """How numbers of several models become one."""

    mean = "mean"
    inverse_variance = "inverse_variance"


def regress(
    scenes: Annotated[
        list[str],
        typer.Argument(
            help="A multi-band scene: a file or URL that GDAL reads; for a model that learnt several dates "
            "of a place, one of each, the earliest first.",
            metavar="SCENE...",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            help="What to estimate: heads of the model, such as agb,canopy_height; all by default.",
            metavar="NAME,...",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="nano by default, or a checkpoint folder with number heads; several times, for an ensemble.",
            metavar="MODEL",
        ),
    ] = None,
    fuse: Annotated[
        FuseName,
        typer.Option(
            help="How numbers of several models become one: their mean, or weighed by inverse variance."
        ),
    ] = FuseName.mean,
    sar: Annotated[
        str | None,
        typer.Option(help="A radar scene of the same place, on any grid and in any CRS.", metavar="FILE"),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            help="When the scenes were taken: for the map's tags, and for models that learnt to be told the "
            "season; else files say it where they can.",
            metavar="YYYY-MM-DD,...",
        ),
    ] = None,
    sensor: SensorName = None,
    assume_crs: AssumeCrs = None,
    assume_gsd: AssumeGsd = None,
    sar_sensor: Annotated[
        str | None, typer.Option(help="As --sensor, of --sar.", metavar="NAME[@VERSION]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the map there: .tif (cloud-optimised).", metavar="FILE")
    ] = None,
    quicklook: Annotated[
        Path | None,
        typer.Option(help="Picture of the map: .png; beside the map by default.", metavar="FILE"),
    ] = None,
    interval: Annotated[
        float, typer.Option(help="Share of the distribution between lower and upper.", min=0.01, max=0.999)
    ] = 0.9,
    stride: Annotated[
        str | None,
        typer.Option(
            help="From one patch to the next: 25 (px) or 250m. A number a patch makes cells as large, by "
            "default as a patch; patches of dense heads overlap by half.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="For a model that learnt targets by region: the region of all of the scene, or a map of "
            "regions, a raster of classes or a file of polygons, after a colon the column with their names; "
            "by default the statistics of all training plots count.",
            metavar="NAME|FILE[:COLUMN]",
        ),
    ] = None,
    region_names: Annotated[
        Path | None,
        typer.Option(
            help="Which region each code or name of a map of regions stands for: CSV of value, name.",
            metavar="FILE.csv",
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            help="Plots in the scene that intervals are fitted on: CSV of lon, lat (or x, y) and a column "
            "named as each target.",
            metavar="FILE.csv",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="Patches that the model sees at once.", metavar="N", min=1)
    ] = 64,
    device: Device = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Estimate numbers about a patch, or map them over a scene of any size, with their uncertainty."""
    from rscovlm.journal import journal_path
    from tiling.overrides import Overrides

    picture = quicklook or (None if output is None else output.with_suffix(".png"))
    if output is None and (quicklook is not None or resume):
        raise UsageError("--quicklook and --resume go with a map; give --output FILE.tif")
    check_file(output, "--output", (".tif", ".tiff"))
    check_file(picture, "--quicklook", (".png",))
    outputs = {"--output": output, "--quicklook": picture}
    going_on = output is not None and goes_on([journal_path(output)], outputs.values(), resume=resume)
    check_outputs(outputs, [*scenes, sar, plots], overwrite=overwrite, resume=going_on)
    models = choose(model or ["nano"], target)
    check_dates(models, scenes, dates)
    inputs, estimated = models[0].inputs, models[0].targets
    with ExitStack() as held:
        bands = list(dict.fromkeys(band for each in models for band in each.inputs.bands))
        stated = Overrides(crs=assume_crs, gsd_m=assume_gsd)
        sensors = _declared(sensor, inputs), _declared(sar_sensor, inputs)
        stack = _open(scenes, sar, *sensors, bands, stated)
        held.callback(stack.close)
        check_radar(stack, models, sar)
        stack.require(bands)
        layout = layout_of(stack.scene, models[0], stride)
        if output is None and len(layout.grid) + sum(layout.grid.size) > 3:
            rows, columns = layout.grid.size
            raise UsageError(
                f"{scenes[0]} makes {columns} x {rows} estimates; give --output FILE.tif for the map"
            )
        regions = regions_of(region, region_names, models, stack.scene, held)
        optical = [scene for scene, _ in stack.layers[: len(scenes)]]
        models, season = in_season(models, optical, dates)
        run = run_of(stack, models, fuse.value, interval, layout, batch_size, plots, device, held, regions)
        if output is None:
            _one(run, estimated, as_json, season)
        else:
            assert picture is not None
            said = {} if dates is None else {"dates": dates}
            _map(run, models, output, picture, resume, overwrite, said | _seasonal(season))
            if as_json:
                print(
                    json.dumps(
                        {"output": str(output), "quicklook": str(picture), "cells": list(layout.grid.size)}
                    )
                )


def _declared(text: str | None, inputs: PatchInput) -> list[Declared]:
    """The sensor that was stated, else those that the model learnt from."""
    from rscovlm.models.sensors import read_sensor

    if text is not None:
        return [read_sensor(text)]
    return [read_sensor(name)._replace(stated=False) for name in inputs.sensors]


def _open(
    scenes: Sequence[str],
    sar: str | None,
    sensors: list[Declared],
    sar_sensors: list[Declared],
    bands: list[str],
    stated: Overrides,
) -> Stack:
    """A scene of each date, of which something may be stated, and radar."""
    from tiling.dates import parted
    from tiling.overrides import AS_STORED
    from tiling.stack import Stack, on_one_grid

    layers: list[tuple[Scene, Contract]] = []
    try:
        for date, scene in enumerate(scenes, start=1):
            own = [base for base, of in map(parted, bands) if of == date]
            opened, contract = _layer(scene, sensors, own, stated, optical=True)
            layers.append((opened, contract.at(date)))
        if sar is not None:
            layers.append(_layer(sar, sar_sensors, bands, AS_STORED, optical=False))
            if not (layers[-1][0].georeferenced and layers[0][0].georeferenced):
                note(f"warning: without a place of both, {sar} is taken to lie pixel by pixel on {scenes[0]}")
        stack = Stack(tuple(layers))
        for opened, _ in layers[1 : len(scenes)]:
            if not on_one_grid(stack.scene, opened):
                note(f"{opened.source} lies on another grid than {scenes[0]} and is resampled to it")
        return stack
    except BaseException:
        for opened, _ in layers:
            opened.close()
        raise


def _layer(
    source: str, sensors: list[Declared], bands: list[str], stated: Overrides, optical: bool
) -> tuple[Scene, Contract]:
    """A file as the sensor that it is of; of several, the first with wavelengths, or the first without.

    Raises:
        UsageError: where no sensor is known.
    """
    from rscovlm.models.sensors import open_as

    if not sensors:
        option = "--sensor" if optical else "--sar-sensor"
        raise UsageError(
            f"neither the model nor {option} says what took {source}; give {option} NAME@VERSION"
        )
    seen = [each for each in sensors if (each.sensor.bands[0].wavelength_nm is not None) is optical]
    opened, contract = open_as(source, (seen or sensors)[0], stated, bands)
    for warning in opened.warnings:
        if "shown" not in warning:  # which bands are red, green and blue plays no part
            note(f"warning: {source}: {warning}")
    return opened, contract


def _seasonal(season: str) -> dict[str, str]:
    """What a result says of the season that a model was told."""
    return {"season": season} if season else {}


def _one(run: Run, estimated: Mapping[str, Target], as_json: bool, season: str) -> None:
    """Print the estimates of a single patch.

    Raises:
        UsageError: where too little of it is valid.
    """
    from rscovlm.tasks.regress import OF_TARGET

    patches = run.read(0)
    *numbers, coverage = run.values(0, patches)[:, 0, 0].tolist()
    if numbers[0] != numbers[0]:
        raise UsageError(
            f"{run.stack.scene.source}: {coverage:.0%} of the patch is valid, or its middle is not; "
            "at least half of it and its middle have to be"
        )
    standing = standing_of(run, Counter(each.region for each in patches))
    records = []
    for place, (name, target) in enumerate(estimated.items()):
        mean, low, high, deviation = numbers[OF_TARGET * place : OF_TARGET * (place + 1)]
        about = {"target": name, "unit": target.unit, "interval": run.interval, "coverage": coverage}
        about |= standing | _seasonal(season)
        records.append(about | {"mean": mean, "lower": low, "upper": high, "standard_deviation": deviation})
    if as_json:
        if run.knowledge is not None:
            known = {"prompt": "two-pass", "knowledge": run.known(patches)[0]}
            records = [record | known for record in records]
        print(json.dumps(records[0] if len(records) == 1 else records))
        return
    if run.knowledge is not None:
        print(f"{run.knowledge} {run.known(patches)[0]}")
    if standing:
        print(f"region {standing['region']}")
    for each in records:
        print(
            f"{each['target']} {each['mean']:.4g} {each['unit']} "
            f"({100 * run.interval:g} % interval {each['lower']:.4g} to {each['upper']:.4g})"
        )


def _map(
    run: Run,
    models: Sequence[Chosen],
    output: Path,
    picture: Path,
    resume: bool,
    overwrite: bool,
    said: dict[str, str],
) -> None:
    import numpy as np

    from rscovlm.journal import Journal, journal_path
    from rscovlm.tasks.regress import COVERAGE, LEAST_VALID, map_bands
    from rscovlm.tasks.regress_regions import tally_of
    from tiling.maps import BlockStore, write_map
    from tiling.quicklook import write_quicklook

    scene, layout, estimated = run.stack.scene, run.layout, models[0].targets
    bands = [
        band
        for name, target in estimated.items()
        for band in map_bands(name, target.unit, target.long_name, run.interval)
    ]
    path, held = journal_path(output), output.with_name(f"{output.name}.blocks")
    with Journal(path, _parameters(run, models), resume=resume, overwrite=overwrite) as journal:
        with BlockStore(held, layout.grid) as store:
            try:
                with Progress("estimating", "block") as progress:
                    before = run.fill(store, journal, progress)
            except KeyboardInterrupt:
                done = sum(key.isdigit() for key in journal.done)
                raise Interrupted(
                    f"{done} of {counted(len(layout.grid), 'block')} are done; go on with --resume"
                ) from None
            if before:
                note(f"{before} of {counted(len(layout.grid), 'block')} were done before")
            tally = tally_of(journal.done, len(layout.grid))
            known = sum(int(np.isfinite(values[0]).sum()) for _, values in store.strips())
            transform = None if scene.transform is None else layout.cells_to_map(scene.transform)
            if transform is None and scene.georeferenced:
                note(f"warning: {scene.source} is placed by {scene.located_by}; its map has no place")
            write_map(
                output,
                store,
                [*bands, COVERAGE],
                transform=transform,
                crs=scene.crs,
                tags=_tags(run, models, tally, said),
            )
        rows, columns = layout.grid.size
        shown = [band for name in estimated for band in (name, f"{name}_standard_deviation")]
        write_quicklook(picture, output, shown, Path(scene.source).name)
        held.unlink()
        journal.remove()
    tell_strangers(run, tally)
    told = ", ".join(f"{target.long_name} in {target.unit}" for target in estimated.values())
    without = rows * columns - known
    if without:
        told += f", {without} of them without an estimate"
    print(f"{output}: {columns} x {rows} cells of {told}; {picture}", file=sys.stderr)
    if not known:
        note(f"warning: no cell has an estimate: of no patch are {LEAST_VALID:.0%} and its middle valid")


def _parameters(run: Run, models: Sequence[Chosen]) -> dict[str, Any]:
    """All that the values of a map depend on."""
    first, *others = [
        {"model": each.checkpoint.identity, "inputs": each.inputs.model_dump(mode="json")} for each in models
    ]
    return {
        **first,
        **({"other models": others, "fuse": _fused(run)} if others else {}),
        "scenes": [scene.identity for scene, _ in run.stack.layers],
        "bands": [
            {"version": contract.version, "unit": contract.sensor.unit, "found": dict(contract.found)}
            for _, contract in run.stack.layers
        ],
        "targets": list(run.targets),
        "interval": run.interval,
        "region": run.regions.identity,
        "stride": run.layout.stride,
        "block": run.layout.grid.block,
        "batch": run.batch,
        "steps": {name: None if each is None else each.stated() for name, each in _steps(run).items()},
    }


def _steps(run: Run) -> dict[str, Any]:
    """Recalibration of the heads of a run."""
    from rscovlm.engines.numbers import head_of

    return {target: head_of(run.heads, target).steps for target in run.targets}


def _fused(run: Run) -> str:
    """How the numbers of several models become one; empty for one model."""
    return getattr(run, "fuse", "")


def _tags(
    run: Run, models: Sequence[Chosen], tally: Mapping[str, int], said: Mapping[str, str]
) -> dict[str, str]:
    """What a map says of where it comes from; nothing that differs between two runs of the same.

    Args:
        tally: patches by region.
        said: of dates and seasons.
    """
    from rscovlm.tasks.provenance import version

    told = f"model {models[0].checkpoint.spec}"
    if len(models) > 1:
        told = f"{_fused(run)} of models {', '.join(each.checkpoint.spec for each in models)}"
    return {
        "source": f"rscovlm {version()} regress, {told}",
        "scenes": ", ".join(Path(scene.source).name for scene, _ in run.stack.layers),
        "interval": f"{run.interval:g}",
        "patch_m": "unknown" if run.inputs.gsd_m is None else f"{run.inputs.patch_px * run.inputs.gsd_m:g}",
        "stride_px": str(run.layout.stride),
        "interval_plots": ", ".join(
            f"{name}: {'as the head states' if each is None else each.plots}"
            for name, each in _steps(run).items()
        ),
        "prompt": "one-pass" if run.knowledge is None else "two-pass",
        **standing_of(run, tally),
        **said,
    }
