"""Results of ``rscovlm regress``: the numbers of a patch, or a map with its picture and tags."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.failures import Interrupted
from rscovlm.cli.regress_regions import standing_of, tell_strangers
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rscovlm.cli.regress_models import Chosen
    from rscovlm.models.inputs import Target
    from rscovlm.tasks.regress import Run


def seasonal(season: str) -> dict[str, str]:
    """What a result says of the season that a model was told."""
    return {"season": season} if season else {}


def print_patch(run: Run, estimated: Mapping[str, Target], as_json: bool, season: str) -> None:
    """Print the estimates of a single patch.

    Raises:
        UsageError: where too little of it is valid.
    """
    from rscovlm.tasks.regress_layout import OF_TARGET

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
        about |= standing | seasonal(season)
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


def write_map_of(
    run: Run,
    models: Sequence[Chosen],
    output: Path,
    picture: Path,
    resume: bool,
    overwrite: bool,
    said: dict[str, str],
) -> None:
    """Fill and write a map and its picture, or go on with them.

    Args:
        run: what it is made from.
        models: that are asked.
        output: GeoTIFF of the map.
        picture: PNG of it.
        resume: go on with an unfinished map.
        overwrite: replace what is there.
        said: further tags.

    Raises:
        Interrupted: with how to go on.
    """
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
