"""Plots of AGBD as a source of a mix: their views, a question, and the numbers for heads.

In a mix::

    sources:
      - {name: plots, generator: agbd,
         options: {files: [data_subset-2019-v4_0-20.h5], views: [natural, swir, sar], answers: [cover]}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection_eval.words import counted
from rscovlm.data.agbd import ACTIVITY_CODES
from rscovlm.data.example import FIELD, BoxText, Encoded, Example, Key
from rscovlm.data.number_tables import DESCRIBED, described, further_numbers
from rscovlm.data.plot_chain import before, chain_question
from rscovlm.data.plot_files import open_plot_file
from rscovlm.data.plot_places import Places, plot_files
from rscovlm.data.plot_questions import HINTS, QUESTIONS, SAID_OF_ANY, SAID_OF_SCENES, SEASON, hint_of
from rscovlm.data.plot_records import PlotRecords
from rscovlm.data.plot_regions import measured, region_names
from rscovlm.data.plot_views import (
    NATIVE,
    RASTER,
    PlotPicture,
    check_views,
    read_scaling,
    scaling_of,
)
from rscovlm.data.randomness import generator
from rscovlm.data.splits import check_apart, check_split
from rscovlm.errors import DataError
from rscovlm.models.inputs import Scaling
from rscovlm.models.regions import Regions
from rscovlm.synth.forest import PIXEL_M, SIDE
from tiling.composites import FITS, Fit
from tiling.dates import parted
from zoom_chain.chat import Conversation, Picture

if TYPE_CHECKING:
    from rscovlm.data.encoding import Encoder

MAPS = ("canopy_height_m",)
"""Maps of a plot that dense heads may learn, where the files have them."""

_SCALED = 256  # plots from which the ranges of channels are taken
_PATCH_KINDS = {"activity": "activity", "count": "patch_count"}


class PlotSource(PlotRecords):
    """Encoded plots; see the module.

    Args:
        name: in the mix.
        encoder: of the checkpoint.
        seed: of the run.
        length: most plots; fewer than there are stand evenly among them, so that they are of all tiles.
        root: folder of the files.
        files: HDF5 or Parquet files, patterns of them or folders, relative to the root.
        views: names of ``rscovlm.data.plot_views.VIEWS``, in the order in which they are shown, ``natural@2``
            for the second date of each plot; or ``native`` and its later dates, for a checkpoint with a stem
            for all bands.
        answers: kinds of ``QUESTIONS``; one is drawn at each visit.
        split: of ``rscovlm.data.splits``; by AGBD's own file beside the plots, else by the names of tiles.
        side: of each picture in pixels; None takes 5 visual tokens, of which one is in the middle.
        fit: how 25 x 25 px become a picture: ``upsample`` or ``pad``.
        maps: names of ``MAPS`` that samples bring for dense heads.
        hints: names of ``HINTS`` that questions about the number begin with.
        knowledge: kind of ``QUESTIONS`` that is asked, and answered, before the number is; None for none.
        tables: CSV files of further numbers by ``key``, relative to the root; see
            ``rscovlm.data.number_tables``.
        scaling: ranges of channels, as in ``inputs``; None measures them (see ``measure``).
        regions: that targets are standardised by: ``tile``, ``cover``, a number of GEDI such as
            ``region_cla``, or a column of names in ``tables``; None for none.
        region_statistics: of a training split, as in ``inputs``; None measures them likewise.
        targets: unit and name in words of further numbers, by their columns in ``tables``:
            ``{lst: {unit: K, long_name: land surface temperature}}``.
        chain: whether questions are those of ``rscovlm.data.plot_chain``, at every other visit after the
            right answers of the links before.

    Attributes:
        inputs: what a checkpoint has to keep, as ``rscovlm.models.inputs.PatchInput`` reads it.
        regions: the statistics; None where targets are not standardised by region.
        region: (N,) name of the region of each plot; empty where it is not known.

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
        regions: str | None = None,
        region_statistics: Mapping[str, Any] | None = None,
        targets: Mapping[str, Any] | None = None,
        chain: bool = False,
    ) -> None:
        self.name, self.encoder, self.seed = name, encoder, seed
        self.files = plot_files(root, files)
        self.views, self.split, self.fit = check_views(views), check_split(split), fit
        self._check_dates()
        wanted = len(RASTER) if NATIVE in self.views else 3
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
        self.maps, self.hints, self.knowledge, self.chain = tuple(maps), tuple(hints), knowledge, chain
        if chain and (hints or knowledge):
            raise DataError("chain states what is known in its own words; leave hints and knowledge out")
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
        paths = [root / table for table in tables]
        self._further = further_numbers(paths, self.keys, [regions] if regions else [])
        self._targets = described(targets or {}, list(self._further))
        self.region = region_names(regions, self, paths) if regions else np.full(len(self), "")
        self._by = regions
        self._stated_scaling = read_scaling(scaling, self.views) if scaling else None
        self._stated_regions = Regions.model_validate(region_statistics) if region_statistics else None
        self.measure()

    def measure(self, rows: NDArray[np.int64] | None = None) -> None:
        """Take the ranges of channels and the statistics of regions that are not stated from some plots.

        Args:
            rows: plots that training may draw; None for all. Those held out may not tell what they are like.

        Raises:
            DataError: where these plots cannot tell.
        """
        every = np.arange(len(self)) if rows is None else rows
        self.scaling = self._stated_scaling or self._ranges(every)
        self.regions = self._stated_regions
        if self._by and self.regions is None:
            known = {**self.places.numbers, **self._further}
            numbers = {name: values[every] for name, values in known.items()}
            self.regions = measured(self._by, self.split, self.region[every], numbers)

    def _check_dates(self) -> None:
        dates = max(parted(view)[1] for view in self.views)
        for path in self.files if dates > 1 else ():
            with open_plot_file(path) as opened:
                if opened.dates < dates:
                    raise DataError(
                        f"{path} has {counted(opened.dates, 'date')} of each plot, and views of date {dates} "
                        "are asked for; leave those views out"
                    )

    @property
    def in_order(self) -> bool:
        """Plots are shuffled."""
        return False

    @property
    def inputs(self) -> dict[str, Any]:
        """See the class."""
        return {
            "views": [] if NATIVE in self.views else list(self.views),
            "native": list(RASTER) if NATIVE in self.views else [],
            "native_dates": len(self.views) if NATIVE in self.views else 1,
            "side": self.side,
            "fit": self.fit,
            "scaling": self.scaling.model_dump(mode="json"),
            "tiles": sorted(set(self.places.tile.tolist())),
            "patch_px": SIDE,
            "gsd_m": PIXEL_M,
            "prompt": self.question("number"),
            "seasonal": self._seasonal,
            "hints": list(self.hints),
            "knowledge": None if self.knowledge is None else QUESTIONS[self.knowledge],
            "sensors": ["sentinel2-l2a", "alos2-palsar2"],
            "targets": DESCRIBED | self._targets,
            "regions": None if self.regions is None else self.regions.model_dump(mode="json"),
        }

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
            *(["chain"] if self.chain else []),
        ]
        return hashlib.sha256(json.dumps(facts, default=list).encode()).hexdigest()[:16]

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
        standing = {} if self.regions is None else self.regions.numbers(str(self.region[index]))
        return {name: value for name, value in stated.items() if np.isfinite(value)} | standing

    def encode(self, index: int, visit: int) -> Encoded:
        """The views of a plot, a question and its answer; see ``Source``.

        Raises:
            DataError: the plot is broken.
        """
        rng = generator(self.seed, self.name, index, visit, "answer")
        kind = self.answers[int(rng.integers(len(self.answers)))]
        if self.chain:
            known = before(kind) if visit % 2 == 0 else ()
            prompt = self._linked(index, kind, known)
        else:
            prompt = self.prompt(index, kind, told=HINTS if visit % 2 == 0 else SAID_OF_ANY)
        conversation = prompt.say("assistant", *self._answer(index, kind))
        key, task = Key(self.name, index, visit), "regression" if kind == "number" else "vqa"
        numbers, given = self.numbers(index), sum(each.role == "assistant" for each in prompt.messages)
        return self.encoder.encode(
            Example(conversation, key, task, numbers=numbers, given=given), self.fields(index)
        )

    def _linked(self, index: int, kind: str, links: Sequence[str]) -> Conversation:
        """A question of the chain after the right answers of some links; what a file lacks is left out."""
        known = {}
        for link in links:
            with suppress(DataError):
                known[link] = "".join(map(str, self._answer(index, link)))
        return Conversation().say("user", *self.pictures(index), chain_question(kind, known))

    def values(self, name: str) -> NDArray[np.float64] | None:
        """(N,) a number of all plots, NaN where it is unknown; None where no plot has one of that name.

        Names are those of targets and of columns of tables, then what files call it: ``sensitivity``,
        ``S2_vegetation_score``.
        """
        known = {**self.places.numbers, **self._further}
        return known[name] if name in known else self.places.stored(self.files, name)

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

    def prompt(
        self, index: int, kind: str, *, known: str | None = None, told: Sequence[str] = SAID_OF_SCENES
    ) -> Conversation:
        """The question about a plot, after what is to be known first.

        Args:
            index: of the plot.
            kind: of ``QUESTIONS``.
            known: what was said about ``knowledge``; None says what is true (teacher-forced).
            told: hints that are given; as a model is asked by default, in training all at every other visit.
        """
        pictures: tuple[Picture, ...] = self.pictures(index)
        question = self.question(kind, index, told)
        if self.knowledge is None or kind == self.knowledge:
            return Conversation().say("user", *pictures, question)
        before = Conversation().say("user", *pictures, QUESTIONS[self.knowledge])
        said = self._answer(index, self.knowledge) if known is None else (known,)
        return before.say("assistant", *said).say("user", question)

    def question(self, kind: str, index: int | None = None, told: Sequence[str] = SAID_OF_SCENES) -> str:
        """The words of a question; of the number after hints, those about one plot where it is given.

        Args:
            kind: of ``QUESTIONS``.
            index: of the plot; None for any.
            told: hints that are given, of those of the source.
        """
        hints = [hint for hint in self.hints if hint in told] if kind == "number" else []
        own = [hint for hint in hints if hint not in SAID_OF_ANY]
        plot = self.footprint(index) if own and index is not None else None
        given = [hint for hint in hints if plot is not None or hint in SAID_OF_ANY]
        said = [hint_of(hint, self.views, plot) for hint in given]
        return " ".join([*filter(None, said), QUESTIONS[kind]])

    @property
    def _seasonal(self) -> str | None:
        """The question about the number where the season is known, in place of ``{season}``; None without."""
        if "season" not in self.hints:
            return None
        hints = [hint for hint in self.hints if hint in SAID_OF_SCENES]
        said = [SEASON if hint == "season" else hint_of(hint, self.views) for hint in hints]
        return " ".join([*said, QUESTIONS["number"]])

    def _answer(self, index: int, kind: str) -> tuple[str, ...]:
        if kind == "number":
            known = self.numbers(index).get("agb_mg_per_ha")
            if known is None:
                raise DataError(f"{self.place(index)} has no agbd")
            # Marked as numbers for which a near miss is nearly right, as coordinates are.
            return BoxText(str(round(known))), " Mg/ha"
        if kind == "cover":
            return (self.cover(index),)
        value = self.gedi(index, _PATCH_KINDS[kind])
        if value is None:
            raise DataError(f"{self.place(index)} has no {_PATCH_KINDS[kind]}, which answer {kind} is about")
        if kind == "activity":
            return ({code: name for name, code in ACTIVITY_CODES.items()}[int(value)],)
        return (str(int(value)),)

    def _ranges(self, rows: NDArray[np.int64]) -> Scaling:
        """Ranges of channels, from evenly spaced ones of some plots."""
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(_SCALED, len(rows))).round().astype(int))
        return scaling_of(self.footprint(int(row)) for row in rows[chosen])


def sources_apart(
    root: Path, files: Sequence[str], encoder: Encoder, seed: int, limits: Mapping[str, int], **shown: Any
) -> tuple[PlotSource, ...]:
    """Sources of several splits that share no tile, the others shown as the first.

    Args:
        root: folder of the files.
        files: as of ``PlotSource``.
        encoder: of the checkpoint.
        seed: of the sources.
        limits: most plots of each split, that of training first, where ranges and regions are measured.
        shown: further options of ``PlotSource``, such as ``views``.

    Raises:
        DataError: for plots that cannot be used, or a tile in two of the splits.
    """
    found: list[PlotSource] = []
    for split, most in limits.items():
        found.append(PlotSource(split, encoder, seed, most, root, files, split=split, **shown))
        first = found[0]
        shown |= {"side": first.side, "scaling": first.scaling.model_dump()}
        if first.regions is not None:
            shown["region_statistics"] = first.regions.model_dump()
    check_apart({each.split: each.places.tile.tolist() for each in found})
    return tuple(found)
