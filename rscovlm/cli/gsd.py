"""``rscovlm gsd``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rscovlm.cli.info import ground_words
from rscovlm.cli.opening import tell_of_each
from rscovlm.cli.option_groups import SceneOptions, with_options
from rscovlm.cli.options import AsJson
from rscovlm.cli.scenes import Scenes, read_scenes

if TYPE_CHECKING:
    from tiling.scene import Scene


@with_options(reading=SceneOptions)
def gsd(
    files: Scenes,
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
    from tiling.gsd import DATASETS, resolve_gsd

    if dataset is not None and dataset.lower() not in DATASETS:
        raise UsageError(
            f"--dataset {dataset}: no data set of that name is known; choose {', '.join(DATASETS)}"
        )

    def facts(scene: Scene) -> dict[str, Any]:
        return {"file": scene.source, **resolve_gsd(scene, dataset=dataset).to_json()}

    def words(known: dict[str, Any]) -> str:
        return f"{known['file']}: {ground_words(known)}"

    tell_of_each(read_scenes(files).sources, reading, facts, None if as_json else words)
