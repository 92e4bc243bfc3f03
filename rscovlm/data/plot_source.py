"""Plots of AGBD or AGBD-Lite as a source of a mix: their views, a question, and the numbers for heads.

In a mix::

    sources:
      - {name: plots, generator: agbd,
         options: {files: [data_subset-2019-v4_0-20.h5], views: [natural, swir, sar], answers: [cover]}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.data.agbd import ACTIVITY_CODES, AgbdFile, Footprint
from rscovlm.data.example import FIELD, BoxText, Encoded, Example, Key
from rscovlm.data.number_tables import further_numbers
from rscovlm.data.plot_questions import HINTS, QUESTIONS, SAID_OF_ANY, hint_of
from rscovlm.data.plot_views import (
    NATIVE,
    RASTER,
    PlotPicture,
    check_views,
    open_plots,
    read_scaling,
    scaling_of,
)
from rscovlm.data.randomness import generator
from rscovlm.data.splits import Split, check_split, split_in_name, splitter
from rscovlm.errors import DataError
from rscovlm.models.inputs import Scaling
from rscovlm.synth.forest import LAND_COVERS, PIXEL_M, SIDE
from tiling.composites import FITS, Fit
from zoom_chain.chat import Conversation, Picture

if TYPE_CHECKING:
    from rscovlm.data.encoding import Encoder

TARGETS = {
    "agbd": "agb_mg_per_ha",
    "agbd_se": "agbd_se",
    "rh98": "canopy_height_m",
    "patch_count": "patch_count",
}
"""Numbers of a sample by what AGBD's files call them."""

DESCRIBED = {
    "agb_mg_per_ha": {"unit": "Mg ha-1", "long_name": "above-ground biomass density"},
    "canopy_height_m": {"unit": "m", "long_name": "canopy height"},
    "patch_count": {"unit": "1", "long_name": "number of patches of forest"},
}
"""Units and names in words of what heads estimate, for maps."""

MAPS = ("canopy_height_m",)
"""Maps of a plot that dense heads may learn, where the files have them."""

_SCALED = 256  # plots from which the ranges of channels are taken
_PATCH_KINDS = {"activity": "GEDI/activity", "count": "GEDI/patch_count"}


@dataclass(frozen=True, eq=False)
class Places:
    """Where the plots of a split are.

    Attributes:
        file, row: (n,) index of the file, and row in its group.
        group: (n,) name of the group.
        tile: (n,) name of the tile.
        numbers: (n,) of each target, NaN where a file does not have it.
    """

    file: NDArray[np.int64]
    group: NDArray[np.str_]
    row: NDArray[np.int64]
    tile: NDArray[np.str_]
    numbers: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, files: Sequence[Path], split: Split) -> Places:
        """The plots of a split of some files, in order.

        A file whose name says a split is of it as a whole; of others each tile is of one by AGBD's own
        split where it stands beside them, else by its name.

        Raises:
            DataError: a file cannot be read, or there is none of the split.
        """
        columns: dict[str, list[NDArray[Any]]] = {}
        for index, path in enumerate(files):
            said, by_tile = split_in_name(path.name), splitter(path.parent)
            with AgbdFile(path) as opened:
                for group, tiles, stated in opened.tables(tuple(TARGETS)):
                    names = np.unique(tiles)
                    own = names[[split in ("all", said or by_tile(str(name))) for name in names]]
                    rows = np.flatnonzero(np.isin(tiles, own))
                    found = {
                        "file": np.full(len(rows), index),
                        "group": np.full(len(rows), group),
                        "row": rows,
                        "tile": tiles[rows],
                        **{
                            name: stated[stored][rows] if stored in stated else np.full(len(rows), np.nan)
                            for stored, name in TARGETS.items()
                        },
                    }
                    for name, values in found.items():
                        columns.setdefault(name, []).append(values)
        whole = {name: np.concatenate(parts) for name, parts in columns.items()}
        if not whole or not len(whole["row"]):
            raise DataError(f"{', '.join(map(str, files))}: no tile belongs to split {split}")
        numbers = {name: whole.pop(name) for name in TARGETS.values()}
        return cls(**whole, numbers=numbers)

    def __len__(self) -> int:
        return len(self.row)

    def thinned(self, most: int) -> Places:
        """Evenly spaced ones, at most so many."""
        if most >= len(self):
            return self
        kept = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        numbers = {name: values[kept] for name, values in self.numbers.items()}
        return Places(self.file[kept], self.group[kept], self.row[kept], self.tile[kept], numbers)


def plot_files(root: Path, names: Sequence[str]) -> list[Path]:
    """Files below a folder by name or pattern, such as ``data_subset-*.h5``.

    Raises:
        DataError: a pattern meets none.
    """
    found: list[Path] = []
    for name in names:
        met = sorted(root.glob(name)) if any(mark in name for mark in "*?[") else [root / name]
        if not met:
            raise DataError(f"{root} holds no file {name}")
        found += met
    return found


class PlotSource:
    """Encoded plots; see the module.

    Args:
        name: in the mix.
        encoder: of the checkpoint.
        seed: of the run.
        length: most plots; fewer than there are stand evenly among them, so that they are of all tiles.
        root: folder of the files.
        files: HDF5 files or patterns of them, relative to the root.
        views: names of ``rscovlm.data.plot_views.VIEWS``, in the order in which they are shown; or ``native``
            alone, for a checkpoint with a stem for all bands.
        answers: kinds of ``QUESTIONS``; one is drawn at each visit.
        split: of ``rscovlm.data.splits``; by AGBD's own file beside the plots, else by the names of tiles.
        side: of each picture in pixels; None takes 5 visual tokens, of which one is in the middle.
        fit: how 25 x 25 px become a picture: ``upsample`` or ``pad``.
        maps: names of ``MAPS`` that samples bring for dense heads.
        hints: names of ``HINTS`` that questions about the number begin with.
        knowledge: kind of ``QUESTIONS`` that is asked, and answered, before the number is; None for none.
        tables: CSV files of further numbers by ``key``, relative to the root; see
            ``rscovlm.data.number_tables``.
        scaling: ranges of channels, as in ``inputs``; None takes them from these plots.

    Attributes:
        inputs: what a checkpoint has to keep, as ``rscovlm.models.inputs.PatchInput`` reads it.

    Raises:
        DataError: for files, views or a split that cannot be used.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        seed: int,
        length: int,
        root: Path,
        files: Sequence[str],
        views: Sequence[str] = ("natural",),
        answers: Sequence[str] = ("cover",),
        split: str = "train",
        side: int | None = None,
        fit: Fit = "upsample",
        maps: Sequence[str] = (),
        hints: Sequence[str] = (),
        knowledge: str | None = None,
        tables: Sequence[str] = (),
        scaling: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.encoder, self.seed = name, encoder, seed
        self.files = plot_files(root, files)
        self.views, self.split, self.fit = check_views(views), check_split(split), fit
        wanted = len(RASTER) if self.views == (NATIVE,) else 3
        if encoder.patches.channels != wanted:
            raise DataError(
                f"views {', '.join(self.views)} make images of {counted(wanted, 'band')}, and the "
                "checkpoint sees "
                f"{encoder.patches.channels}; with a stem for {', '.join(RASTER)} take views: [native]"
            )
        self.answers = tuple(answers)
        wrong = [each for each in self.answers if each not in QUESTIONS]
        if wrong or not self.answers:
            raise DataError(f"answers {list(answers)} have to be of {', '.join(QUESTIONS)}")
        if fit not in FITS:
            raise DataError(f"fit {fit!r} is unknown; choose from {', '.join(FITS)}")
        self.maps, self.hints, self.knowledge = tuple(maps), tuple(hints), knowledge
        if not set(self.hints) <= set(HINTS):
            raise DataError(f"hints {list(hints)} have to be of {', '.join(HINTS)}")
        if knowledge is not None and (knowledge not in QUESTIONS or knowledge == "number"):
            raise DataError(f"knowledge {knowledge!r} has to be of activity, cover, count")
        if not set(self.maps) <= set(MAPS):
            raise DataError(f"maps {list(maps)} have to be of {', '.join(MAPS)}")
        factor = encoder.patches.factor
        self.side = side or 5 * factor
        if self.side % factor:
            raise DataError(f"side {self.side} px is not a multiple of the visual tokens' {factor} px")
        self.places = Places.of(self.files, self.split).thinned(length)
        self._further = further_numbers([root / table for table in tables], self._keys())
        self.scaling = read_scaling(scaling) if scaling else self._measured()

    @property
    def in_order(self) -> bool:
        """Plots are shuffled."""
        return False

    @property
    def inputs(self) -> dict[str, Any]:
        """See the class."""
        return {
            "views": [view for view in self.views if view != NATIVE],
            "native": list(RASTER) if NATIVE in self.views else [],
            "side": self.side,
            "fit": self.fit,
            "scaling": self.scaling.model_dump(mode="json"),
            "tiles": sorted(set(self.places.tile.tolist())),
            "patch_px": SIDE,
            "gsd_m": PIXEL_M,
            "prompt": self.question("number"),
            "knowledge": None if self.knowledge is None else QUESTIONS[self.knowledge],
            "sensors": ["sentinel2-l2a", "alos2-palsar2"],
            "targets": DESCRIBED,
        }

    def __len__(self) -> int:
        return len(self.places)

    def links(self, group: str | None = None) -> Iterator[tuple[str, ...]]:
        """Links between plots: with ``holdout_by: tile``, the tile."""
        for index in range(len(self)):
            yield (f"tile {self.places.tile[index]}",) if group == "tile" else (f"plot {index}",)

    @property
    def digest(self) -> str:
        """Changes with the plots and how they are shown."""
        facts = [
            self.inputs,
            self.answers,
            self.maps,
            self.hints,
            {name: values.tolist() for name, values in self._further.items()},
            self.places.row.tolist(),
            self.places.numbers["agb_mg_per_ha"].tolist(),
        ]
        return hashlib.sha256(json.dumps(facts, default=list).encode()).hexdigest()[:16]

    def place(self, index: int) -> str:
        """File, group and row of a plot."""
        places = self.places
        return f"{self.files[places.file[index]]}: {places.group[index] or 'plots'} {places.row[index]}"

    def _keys(self) -> list[str]:
        return [self.key(index) for index in range(len(self))]

    def key(self, index: int) -> str:
        """``<file>/<tile>/<row>`` of a plot."""
        places = self.places
        return f"{self.files[places.file[index]].stem}/{places.tile[index]}/{places.row[index]}"

    def pictures(self, index: int) -> tuple[PlotPicture, ...]:
        """The views of a plot."""
        places = self.places
        path, group, row = self.files[places.file[index]], str(places.group[index]), int(places.row[index])
        return tuple(
            PlotPicture(path, group, row, view, self.scaling, self.side, self.fit) for view in self.views
        )

    def numbers(self, index: int) -> dict[str, float]:
        """What is known of a plot, by name; what is not is left out."""
        every = {**self.places.numbers, **self._further}
        stated = {name: float(values[index]) for name, values in every.items()}
        return {name: value for name, value in stated.items() if np.isfinite(value)}

    def encode(self, index: int, visit: int) -> Encoded:
        """The views of a plot, a question and its answer; see ``Source``.

        Raises:
            DataError: the plot is broken.
        """
        rng = generator(self.seed, self.name, index, visit, "answer")
        kind = self.answers[int(rng.integers(len(self.answers)))]
        prompt = self.prompt(index, kind, told=visit % 2 == 0)
        conversation = prompt.say("assistant", *self._answer(index, kind))
        key, task = Key(self.name, index, visit), "regression" if kind == "number" else "vqa"
        numbers, given = self.numbers(index), sum(each.role == "assistant" for each in prompt.messages)
        return self.encoder.encode(
            Example(conversation, key, task, numbers=numbers, given=given), self.fields(index)
        )

    def values(self, name: str) -> NDArray[np.float64] | None:
        """(N,) a number of all plots, NaN where it is unknown; None where no plot has one of that name."""
        return {**self.places.numbers, **self._further}.get(name)

    def fields(self, index: int) -> dict[str, NDArray[np.float32]]:
        """Maps of a plot, (pictures, 2, height, width) of each, as ``rscovlm.data.example.FIELD`` says."""
        found = {}
        for name in self.maps:
            values = getattr(self.footprint(index), name)
            if values is None:
                raise DataError(f"{self.place(index)} has no {name}; leave it out of maps")
            known = np.isfinite(values)
            stated = np.stack([np.where(known, values, 0.0), known]).astype(np.float32)
            if self.fit == "pad":  # what was mirrored about the plot says nothing
                before = (self.side - SIDE) // 2
                around = (before, self.side - SIDE - before)
                stated = np.pad(stated, ((0, 0), around, around))
            found[FIELD + name] = np.repeat(stated[None], len(self.views), axis=0)
        return found

    def footprint(self, index: int) -> Footprint:
        """A plot as it is read.

        Raises:
            DataError: it is damaged.
        """
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        return opened.read(str(places.group[index]), int(places.row[index]))

    def prompt(self, index: int, kind: str, *, known: str | None = None, told: bool = True) -> Conversation:
        """The question about a plot, after what is to be known first.

        Args:
            index: of the plot.
            kind: of ``QUESTIONS``.
            known: what was said about ``knowledge``; None says what is true (teacher-forced).
            told: whether hints that differ from plot to plot are given.
        """
        pictures: tuple[Picture, ...] = self.pictures(index)
        question = self.question(kind, index if told else None)
        if self.knowledge is None or kind == self.knowledge:
            return Conversation().say("user", *pictures, question)
        before = Conversation().say("user", *pictures, QUESTIONS[self.knowledge])
        said = self._answer(index, self.knowledge) if known is None else (known,)
        return before.say("assistant", *said).say("user", question)

    def question(self, kind: str, index: int | None = None) -> str:
        """The words of a question; of the number after hints, those about one plot where it is given."""
        hints = self.hints if kind == "number" else ()
        told = [
            hint_of(hint, self.views, None if hint in SAID_OF_ANY or index is None else self.footprint(index))
            for hint in hints
            if index is not None or hint in SAID_OF_ANY
        ]
        return " ".join([*told, QUESTIONS[kind]])

    def _answer(self, index: int, kind: str) -> tuple[str, ...]:
        if kind == "number":
            known = self.numbers(index).get("agb_mg_per_ha")
            if known is None:
                raise DataError(f"{self.place(index)} has no agbd")
            # Marked as numbers for which a near miss is nearly right, as coordinates are.
            return BoxText(str(round(known))), " Mg/ha"
        if kind == "cover":
            return (self.cover(index),)
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        value = opened.number(str(places.group[index]), _PATCH_KINDS[kind], int(places.row[index]))
        if value is None:
            raise DataError(f"{self.place(index)} has no {_PATCH_KINDS[kind]}, which answer {kind} is about")
        if kind == "activity":
            return ({code: name for name, code in ACTIVITY_CODES.items()}[int(value)],)
        return (str(int(value)),)

    def cover(self, index: int) -> str:
        """Name of the land cover in the middle.

        Raises:
            DataError: the file has none.
        """
        places = self.places
        opened = open_plots(self.files[places.file[index]])
        code = opened.cover(str(places.group[index]), int(places.row[index]))
        if code is None:
            raise DataError(f"{self.place(index)} has no land cover in the middle")
        return LAND_COVERS.get(code, f"class {code}")

    def covers(self) -> NDArray[np.str_]:
        """(N,) name of the land cover in the middle of each plot; empty where there is none."""
        names = []
        for index in range(len(self)):
            try:
                names.append(self.cover(index))
            except DataError:
                names.append("")
        return np.array(names)

    def _measured(self) -> Scaling:
        """Ranges from evenly spaced plots."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(_SCALED, len(self))).round().astype(int))
        return scaling_of(self.footprint(int(i)) for i in chosen)
