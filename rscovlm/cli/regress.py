"""``rscovlm regress``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rscovlm.cli.destinations import goes_on
from rscovlm.cli.options import AsJson, AssumeCrs, AssumeGsd, Device, SensorName
from rscovlm.cli.outputs import Overwrite, Resume, check_file, check_outputs
from rscovlm.cli.regress_models import (
    check_dates,
    check_radar,
    choose,
    in_season,
    layout_of,
    run_of,
)
from rscovlm.cli.regress_regions import regions_of
from rscovlm.cli.regress_results import print_patch, seasonal, write_map_of
from rscovlm.errors import UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rscovlm.models.inputs import PatchInput
    from rscovlm.models.sensors import Declared
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
            print_patch(run, estimated, as_json, season)
        else:
            assert picture is not None
            said = {} if dates is None else {"dates": dates}
            write_map_of(run, models, output, picture, resume, overwrite, said | seasonal(season))
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
