"""Routes: which of several adapters, each baked at one ground sampling distance (GSD), answers a request.

The nearest one in logarithms does, however far away; an image of unknown GSD is taken for the neutral one.

| file in the folder of ``rscovlm export --gsd`` | holds |
|---|---|
| ``gsd-0.3/``, ``gsd-1/``, ... | a plain LoRA adapter of peft's each |
| ``routes.json`` | their names, GSDs and where each takes over from the one before |
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from detection_eval.files import write_json
from rscovlm.errors import ModelError
from tiling.gsd import Range

ROUTES = "routes.json"
BEYOND = 2.0
"""How far beyond the finest and coarsest adapter they are compared with the gates, as a ratio."""
SCHEMA = "rscovlm.scale-routes/1"


@dataclass(frozen=True)
class Route:
    """An adapter, and the images that it is for.

    Attributes:
        name: of its folder, and of the adapter on a server.
        gsd_m: metres per pixel at which it was baked.
        from_m: it is for images of this GSD and coarser ones; 0 for the finest.
    """

    name: str
    gsd_m: float
    from_m: float


@dataclass(frozen=True)
class Routes:
    """Adapters from fine to coarse; each takes over in the middle, on the scale of logarithms.

    Attributes:
        adapters: at least one.
        neutral_m: GSD for which images of unknown GSD are taken.
    """

    adapters: tuple[Route, ...]
    neutral_m: float

    @classmethod
    def of(cls, gsds_m: Sequence[float], neutral_m: float) -> Routes:
        """Routes of adapters that are baked at some GSDs.

        Raises:
            ModelError: for none, or values that are no lengths.
        """
        values = sorted(set(gsds_m))
        if not values or not (values[0] > 0 and math.isfinite(values[-1])):
            raise ModelError(f"--gsd {list(gsds_m)}: give metres per pixel above 0, such as 0.3,1,10")
        starts = [0.0, *(math.sqrt(a * b) for a, b in pairwise(values))]
        routes = (Route(f"gsd-{each:g}", each, start) for each, start in zip(values, starts, strict=True))
        return cls(tuple(routes), neutral_m)

    def route(self, gsd_m: float | None) -> Route:
        """The adapter for an image."""
        metres = self.neutral_m if gsd_m is None else gsd_m
        return [each for each in self.adapters if each.from_m <= metres][-1]

    @property
    def compared(self) -> Range:
        """Metres per pixel over which the adapters were compared with the gates that they stand for."""
        return Range(self.adapters[0].gsd_m / BEYOND, self.adapters[-1].gsd_m * BEYOND)

    def warning(self, gsd_m: float | None) -> str | None:
        """What has to be said of an image that lies beyond what was compared; None of any other."""
        low, high = self.compared
        if gsd_m is None or low <= gsd_m <= high:
            return None
        return (
            f"{gsd_m:.3g} m per pixel lies outside the {low:g} to {high:g} m over which the adapters were "
            f"compared with the gates; the nearest one, {self.route(gsd_m).name}, answers"
        )

    def write(self, folder: Path) -> None:
        """Write ``routes.json``."""
        adapters = [vars(each) for each in self.adapters]
        write_json(
            folder / ROUTES, {"schema": SCHEMA, "neutral_m": self.neutral_m, "adapters": adapters}, indent=2
        )

    @classmethod
    def read(cls, file: Path) -> Routes:
        """The routes that ``write`` wrote.

        Raises:
            ModelError: it is no such file.
        """
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if data.get("schema") != SCHEMA:
                raise ModelError(f"{file} has schema {data.get('schema')!r}; routes have {SCHEMA!r}")
            found = cls(tuple(Route(**each) for each in data["adapters"]), float(data["neutral_m"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{file} holds no routes: {error}") from error
        if not found.adapters:
            raise ModelError(f"{file} names no adapter")
        return found
