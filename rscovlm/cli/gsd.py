"""``rscovlm gsd``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.info import ground_words
from rscovlm.cli.option_groups import SceneOptions, with_options
from rscovlm.cli.options import AsJson


@with_options(reading=SceneOptions)
def gsd(
    files: Annotated[list[str], typer.Argument(help="Anything that GDAL reads.", metavar="FILE...")],
    dataset: Annotated[
        str | None,
        typer.Option(help="The files are of this data set: aid, rsvqa-hr, ucmerced, ...", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
) -> None:
    """Say how large a pixel is on the ground, how that is known, and how surely.

    Metres are geodesic ones: pixels in degrees, feet or Mercator metres are measured on the ellipsoid.
    Without a georeference, metadata, the sensor or the data set may tell; dots per inch never do.
    """
    from rscovlm.errors import UsageError
    from tiling.errors import SceneError
    from tiling.gsd import DATASETS, resolve_gsd

    if dataset is not None and dataset.lower() not in DATASETS:
        raise UsageError(
            f"--dataset {dataset}: no data set of that name is known; choose {', '.join(DATASETS)}"
        )
    found: list[dict[str, Any]] = []
    failed: list[SceneError] = []
    for source in files:
        try:
            with reading.open(source) as scene:
                found.append({"file": source, **resolve_gsd(scene, dataset=dataset).to_json()})
        except SceneError as error:
            if len(files) == 1:
                raise
            failed.append(error)
            print(f"rscovlm: {error}", file=sys.stderr)
            continue
        if not as_json:
            print(f"{source}: {ground_words(found[-1])}", flush=True)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1))
    if failed:
        raise Incomplete(f"{len(failed)} of {counted(len(files), 'file')} cannot be read: {failed[0]}")
