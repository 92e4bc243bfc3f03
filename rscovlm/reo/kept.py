"""Rows of a comparison on the disk as they come, so that one that was cut short goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from detection_eval.files import write_json
from rscovlm.errors import UsageError
from rscovlm.progress import note
from rscovlm.scoring.predictions import Predictions


class KeptRows:
    """Predictions by the name of their row.

    Args:
        folder: of the comparison; rows are files in its folder ``rows``.
        settings: that all rows depend on.

    Attributes:
        folder: as given.
        found: rows that stand in a table, in the order in which they were asked for.

    Raises:
        UsageError: where the folder holds rows of other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, int]) -> None:
        self.folder = folder
        self.found: dict[str, Predictions] = {}
        self._began = time.monotonic()
        stated = folder / "rows" / "settings.json"
        if stated.is_file() and (before := json.loads(stated.read_text(encoding="utf-8"))) != settings:
            told = ", ".join(f"{name} {before.get(name)}" for name in settings)
            raise UsageError(f"{folder} holds rows of {told}; give the same, or another folder")
        stated.parent.mkdir(parents=True, exist_ok=True)
        write_json(stated, dict(settings))

    def row(self, name: str, make: Callable[[], Predictions], shown: bool = True) -> Predictions:
        """A row as it is kept; one that is not there yet is made.

        Args:
            name: of the row.
            make: gives it.
            shown: whether it stands in the table.
        """
        path = self.folder / "rows" / f"{name.replace(' ', '_')}.npz"
        if not path.is_file():
            _write(path, make())
            note(f"{name} after {time.monotonic() - self._began:.0f} s")
        with np.load(path) as file:
            found = Predictions(**dict(file))
        if shown:
            self.found[name] = found
        return found


def _write(path: Path, made: Predictions) -> None:
    """Whole or not at all."""
    known = {each: getattr(made, each) for each in made.__dataclass_fields__}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **{each: values for each, values in known.items() if values is not None})
    part.replace(path)
