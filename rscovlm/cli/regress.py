"""``rscovlm regress``."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rscovlm.cli.destinations import goes_on
from rscovlm.cli.failures import Interrupted
from rscovlm.cli.opening import open_model
from rscovlm.cli.options import AsJson, Device, Model, SensorName
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import ModelError, UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.inputs import PatchInput, Target
    from rscovlm.models.sensors import Declared
    from rscovlm.tasks.regress import Layout, Run
    from tiling.scene import Scene
    from tiling.sensors import Contract
    from tiling.stack import Stack


def regress(
    scene: Annotated[str, typer.Argument(help="A multi-band scene: a file or URL that GDAL reads.")],
    target: Annotated[
        str | None,
        typer.Option(
            help="What to estimate: heads of the model, such as agb,canopy_height; all by default.",
            metavar="NAME,...",
        ),
    ] = None,
    model: Model = "nano",
    sar: Annotated[
        str | None,
        typer.Option(help="A radar scene of the same place, on any grid and in any CRS.", metavar="FILE"),
    ] = None,
    sensor: SensorName = None,
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
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Estimate numbers about a patch, or map them over a scene of any size, with their uncertainty."""
    from rscovlm.journal import journal_path

    picture = quicklook or (None if output is None else output.with_suffix(".png"))
    if output is None and (quicklook is not None or resume):
        raise UsageError("--quicklook and --resume go with a map; give --output FILE.tif")
    check_file(output, "--output", (".tif", ".tiff"))
    check_file(picture, "--quicklook", (".png",))
    outputs = {"--output": output, "--quicklook": picture}
    going_on = output is not None and goes_on([journal_path(output)], outputs.values(), resume=resume)
    check_outputs(outputs, [scene, sar, plots], overwrite=overwrite, resume=going_on)
    checkpoint, inputs = _model(model)
    estimated = _targets(checkpoint, inputs, target)
    with ExitStack() as held:
        stack = _open(scene, sar, _declared(sensor, inputs), _declared(sar_sensor, inputs), inputs)
        held.callback(stack.close)
        stack.require(inputs.bands)
        if sar is not None and not stack.layers[1][1].found.keys() & set(inputs.bands):
            raise UsageError(f"{model} sees no band of --sar {sar}: {', '.join(inputs.bands)}; leave it out")
        layout = _layout(stack.scene, checkpoint, inputs, stride, list(estimated))
        if output is None and len(layout.grid) + sum(layout.grid.size) > 3:
            rows, columns = layout.grid.size
            raise UsageError(
                f"{scene} makes {columns} x {rows} estimates; give --output FILE.tif for the map"
            )
        engine: Any = held.enter_context(open_model(checkpoint, device))
        run = _run(stack, inputs, engine, tuple(estimated), interval, layout, batch_size, plots)
        if output is None:
            _one(run, estimated, as_json)
        else:
            assert picture is not None
            _map(run, estimated, checkpoint, output, picture, resume, overwrite)
            if as_json:
                print(
                    json.dumps(
                        {"output": str(output), "quicklook": str(picture), "cells": list(layout.grid.size)}
                    )
                )


def _model(model: str) -> tuple[Checkpoint, PatchInput]:
    """The checkpoint and how it is shown patches.

    Raises:
        ModelError: where it has no number heads.
    """
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.inputs import read_inputs

    checkpoint = resolve(model)
    if checkpoint.runner != "transformers":
        raise ModelError(f"{model} is run elsewhere; number heads need a checkpoint in this process")
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


def _declared(text: str | None, inputs: PatchInput) -> list[Declared]:
    """The sensor that was stated, else those that the model learnt from."""
    from rscovlm.models.sensors import read_sensor

    return [read_sensor(name) for name in ([text] if text is not None else inputs.sensors)]


def _open(
    scene: str, sar: str | None, sensors: list[Declared], sar_sensors: list[Declared], inputs: PatchInput
) -> Stack:
    from tiling.stack import Stack

    layers = [_layer(scene, sensors, inputs, optical=True)]
    try:
        if sar is not None:
            layers.append(_layer(sar, sar_sensors, inputs, optical=False))
        return Stack(tuple(layers))
    except BaseException:
        for opened, _ in layers:
            opened.close()
        raise


def _layer(source: str, sensors: list[Declared], inputs: PatchInput, optical: bool) -> tuple[Scene, Contract]:
    """A file as the sensor that it is of; of several, the first with wavelengths, or the first without.

    Raises:
        UsageError: where no sensor is known.
    """
    from rscovlm.models.sensors import open_as
    from tiling.overrides import AS_STORED

    if not sensors:
        option = "--sensor" if optical else "--sar-sensor"
        raise UsageError(
            f"neither the model nor {option} says what took {source}; give {option} NAME@VERSION"
        )
    seen = [each for each in sensors if (each.sensor.bands[0].wavelength_nm is not None) is optical]
    opened, contract = open_as(source, (seen or sensors)[0], AS_STORED)
    for warning in opened.warnings:
        if "shown" not in warning:  # which bands are red, green and blue plays no part
            note(f"warning: {source}: {warning}")
    return opened, contract


def _layout(
    scene: Scene, checkpoint: Checkpoint, inputs: PatchInput, stride: str | None, targets: list[str]
) -> Layout:
    """Of a stitched map where all targets are maps of the same cells; else a cell a patch."""
    from rscovlm.tasks.regress import Layout, scale_of
    from rscovlm.tasks.regress_dense import DenseLayout, map_cells, step_of
    from tiling.grid import parse_length

    ratio = scale_of(inputs, scene.gsd_m)
    apart = None if stride is None else parse_length(stride, scene.gsd_m) / ratio
    across = map_cells(checkpoint.local, inputs, targets)
    extent = (scene.width, scene.height, inputs.patch_px)
    if across is not None:
        step = step_of(apart, inputs.patch_px, across)
        return DenseLayout.over(*extent, across, step, ratio, len(targets))
    side = inputs.patch_px if apart is None else round(apart)
    if side < 1:
        raise UsageError(f"--stride {stride} is less than a pixel; give one or more")
    return Layout.of(*extent, side, ratio, len(targets))


def _run(
    stack: Stack,
    inputs: PatchInput,
    engine: Any,
    targets: tuple[str, ...],
    interval: float,
    layout: Layout,
    batch_size: int,
    plots: Path | None,
) -> Run:
    """The run, after its heads have been fitted on plots where there are some.

    Raises:
        ModelError, UsageError: a head is missing, or states no quantiles so far out, or plots do not suit.
    """
    from rscovlm.engines.numbers import head_of
    from rscovlm.tasks.regress import Run
    from rscovlm.tasks.regress_dense import DenseLayout, DenseRun
    from rscovlm.tasks.regress_plots import fit_on_plots, read_plots

    kind = DenseRun if isinstance(layout, DenseLayout) else Run
    run = kind(stack, inputs, engine, targets, interval, layout, batch_size)
    if plots is not None:
        for target, (steps, held) in fit_on_plots(run, read_plots(plots), plots).items():
            note(
                f"{target}: intervals fitted on {steps.plots} plots of {plots}, {100 * held:.0f} % of which "
                "were inside of 90 % intervals before"
            )
    for target in targets:
        widest = head_of(engine.heads, target).widest
        if interval > widest + 1e-6:
            raise UsageError(
                f"--interval {interval:g} is wider than the quantiles that head {target} states, which hold "
                f"{widest:g}; give that or less"
            )
    return run


def _one(run: Run, estimated: Mapping[str, Target], as_json: bool) -> None:
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
    records = []
    for place, (name, target) in enumerate(estimated.items()):
        mean, low, high, deviation = numbers[OF_TARGET * place : OF_TARGET * (place + 1)]
        about = {"target": name, "unit": target.unit, "interval": run.interval, "coverage": coverage}
        records.append(about | {"mean": mean, "lower": low, "upper": high, "standard_deviation": deviation})
    if as_json:
        if run.inputs.knowledge is not None:
            known = {"prompt": "two-pass", "knowledge": run.known(patches)[0]}
            records = [record | known for record in records]
        print(json.dumps(records[0] if len(records) == 1 else records))
        return
    if run.inputs.knowledge is not None:
        print(f"{run.inputs.knowledge} {run.known(patches)[0]}")
    for each in records:
        print(
            f"{each['target']} {each['mean']:.4g} {each['unit']} "
            f"({100 * run.interval:g} % interval {each['lower']:.4g} to {each['upper']:.4g})"
        )


def _map(
    run: Run,
    estimated: Mapping[str, Target],
    checkpoint: Checkpoint,
    output: Path,
    picture: Path,
    resume: bool,
    overwrite: bool,
) -> None:
    from rscovlm.journal import Journal, journal_path
    from rscovlm.tasks.regress import COVERAGE, map_bands
    from tiling.maps import BlockStore, write_map
    from tiling.quicklook import write_quicklook

    scene, layout = run.stack.scene, run.layout
    bands = [
        band
        for name, target in estimated.items()
        for band in map_bands(name, target.unit, target.long_name, run.interval)
    ]
    path, held = journal_path(output), output.with_name(f"{output.name}.blocks")
    with Journal(path, _parameters(run, checkpoint), resume=resume, overwrite=overwrite) as journal:
        with BlockStore(held, layout.grid) as store:
            try:
                with Progress("estimating", "blocks") as progress:
                    before = run.fill(store, journal, progress)
            except KeyboardInterrupt:
                raise Interrupted(
                    f"{len(journal.done)} of {len(layout.grid)} blocks are done; go on with --resume"
                ) from None
            if before:
                note(f"{before} of {len(layout.grid)} blocks were done before")
            transform = None if scene.transform is None else layout.cells_to_map(scene.transform)
            write_map(
                output,
                store,
                [*bands, COVERAGE],
                transform=transform,
                crs=scene.crs,
                tags=_tags(run, checkpoint),
            )
        rows, columns = layout.grid.size
        shown = [band for name in estimated for band in (name, f"{name}_standard_deviation")]
        write_quicklook(picture, output, shown, Path(scene.source).name)
        held.unlink()
        journal.remove()
    told = ", ".join(f"{target.long_name} in {target.unit}" for target in estimated.values())
    print(f"{output}: {columns} x {rows} cells of {told}; {picture}", file=sys.stderr)


def _parameters(run: Run, checkpoint: Checkpoint) -> dict[str, Any]:
    """All that the values of a map depend on."""
    return {
        "model": checkpoint.identity,
        "inputs": run.inputs.model_dump(mode="json"),
        "scenes": [scene.identity for scene, _ in run.stack.layers],
        "bands": [
            {"version": contract.version, "unit": contract.sensor.unit, "found": dict(contract.found)}
            for _, contract in run.stack.layers
        ],
        "targets": list(run.targets),
        "interval": run.interval,
        "stride": run.layout.stride,
        "block": run.layout.grid.block,
        "batch": run.batch,
        "steps": {name: None if each is None else each.stated() for name, each in _steps(run).items()},
    }


def _steps(run: Run) -> dict[str, Any]:
    """Recalibration of the heads of a run."""
    from rscovlm.engines.numbers import head_of

    return {target: head_of(run.engine.heads, target).steps for target in run.targets}


def _tags(run: Run, checkpoint: Checkpoint) -> dict[str, str]:
    """What a map says of where it comes from; nothing that differs between two runs of the same."""
    from rscovlm.tasks.provenance import version

    return {
        "source": f"rscovlm {version()} regress, model {checkpoint.spec}",
        "scenes": ", ".join(Path(scene.source).name for scene, _ in run.stack.layers),
        "interval": f"{run.interval:g}",
        "patch_m": "unknown" if run.inputs.gsd_m is None else f"{run.inputs.patch_px * run.inputs.gsd_m:g}",
        "stride_px": str(run.layout.stride),
        "interval_plots": ", ".join(
            f"{name}: {'as the head states' if each is None else each.plots}"
            for name, each in _steps(run).items()
        ),
        "prompt": "one-pass" if run.inputs.knowledge is None else "two-pass",
    }
