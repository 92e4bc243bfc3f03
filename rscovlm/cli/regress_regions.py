"""``--region`` of ``rscovlm regress``: a name for all of a scene, or a map of regions."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rscovlm.errors import UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack

    from rscovlm.cli.regress_models import Chosen
    from rscovlm.models.regions import Regions
    from rscovlm.tasks.regress import Run
    from rscovlm.tasks.regress_regions import RegionLookup
    from tiling.scene import Scene

_FILE = re.compile(r"(?i).*(/|\\|\.(tiff?|vrt|img|png|asc|geojson|json|gpkg|shp|fgb|zip|parquet)$)")
"""What is meant as a file rather than as the name of a region."""


def regions_of(
    stated: str | None, names: Path | None, models: Sequence[Chosen], scene: Scene, held: ExitStack
) -> RegionLookup:
    """The regions that ``--region`` states; says which statistics count where one is not known.

    Args:
        stated: a region, or a file of regions with the column of their names after a colon.
        names: table of ``--region-names``.
        models: that are asked.
        scene: to be mapped.
        held: closes the file.

    Raises:
        UsageError, SceneError, FileNotFoundError: for regions where no model learnt any, or a file that is
            no map of regions of the scene's place.
    """
    from rscovlm.tasks.regress_regions import OneRegion

    learnt = {each.checkpoint.spec: each.inputs.regions for each in models}
    if stated is not None and not any(learnt.values()):
        raise UsageError(f"{', '.join(learnt)} did not learn targets by region; leave --region {stated} out")
    of_models = [each for each in learnt.values() if each is not None]
    known = {name for each in of_models for name in each.names}
    file = None if stated is None or stated in known else _file_of(stated)
    if names is not None and file is None:
        raise UsageError("--region-names goes with a file of regions; give --region FILE, or leave it out")
    if file is not None:
        return _mapped(*file, names, of_models, scene, held)
    for spec, regions in learnt.items():
        if regions is not None and stated not in regions.names:
            told = "no --region is stated" if stated is None else f"region {stated!r} is not known"
            note(f"{spec}: {told}, so the mean and deviation of all training plots count; {_own(regions)}")
    return OneRegion(stated)


def _own(regions: Regions) -> str:
    from rscovlm.models.regions import MOST_NAMED

    names = regions.names
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"its regions ({regions.by}) are {', '.join(names[:MOST_NAMED])}{more}"


def _file_of(stated: str) -> tuple[str, str | None] | None:
    """The file and the column that are meant; None where a name is."""
    source, colon, column = stated.rpartition(":")
    if Path(stated).exists():
        return stated, None
    if colon and column and Path(source).exists():
        return source, column
    if colon and _FILE.match(source) and "/" not in column:
        return source, column
    return (stated, None) if _FILE.match(stated) else None


def _mapped(
    source: str,
    column: str | None,
    names: Path | None,
    learnt: Sequence[Regions],
    scene: Scene,
    held: ExitStack,
) -> RegionLookup:
    """A map of regions."""
    from rscovlm.data.plot_regions import names_of_codes
    from tiling.class_names import read_names
    from tiling.thematic import open_thematic

    known = {name for each in learnt for name in each.names}
    renamed = {code: name for each in learnt for code, name in names_of_codes(each.by).items()}
    renamed = renamed if names is None else read_names(names)
    found = open_thematic(source, scene, known, column, renamed)
    held.callback(found.close)
    return found


def known_regions(run: Run) -> frozenset[str]:
    """Regions that all models of a run that restore units by region know."""
    own = [frozenset(each.regions.names) for each in run.shown if each.regions is not None]
    return frozenset.intersection(*own) if own else frozenset()


def standing_of(run: Run, tally: Mapping[str, int]) -> dict[str, str]:
    """By which statistics a run restores units, for tags and JSON; nothing where regions play no part.

    Args:
        tally: patches by region.
    """
    from rscovlm.tasks.regress_regions import OneRegion, in_words

    if not run.by_region:
        return {}
    said = {"region": in_words(tally, known_regions(run)) if tally else "no estimate"}
    return said if isinstance(run.regions, OneRegion) else said | {"region_map": _short(run.regions)}


def _short(regions: RegionLookup) -> str:
    return Path(str(getattr(regions, "source", ""))).name


def tell_strangers(run: Run, tally: Mapping[str, int]) -> None:
    """Say how many patches of a map of regions took the statistics of all training plots."""
    from rscovlm.tasks.regress_regions import OneRegion

    if isinstance(run.regions, OneRegion):
        return
    for inputs in run.shown:
        if inputs.regions is not None and (told := inputs.regions.told(Counter(tally).elements(), "patch")):
            note(f"{told}; {_own(inputs.regions)}")
            return
