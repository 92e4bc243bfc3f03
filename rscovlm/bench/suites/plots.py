"""Numbers about plots: AGBD, AGBD-Lite, REO-Instruct, and the chain from human activity to biomass.

Items of AGBD name a plot of a file in place of an image; a model is shown it in the views that it has
learnt. Where a model has a head for the number that is asked for, the head answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.words import counted
from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Kind, Truth
from rscovlm.bench.suites.items import groups_of, question
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Items, Layout, Reader, benchmark, of_records
from rscovlm.data.agbd import ACTIVITY_CODES
from rscovlm.data.plot_chain import LINKS, OPTIONS, before, chain_question
from rscovlm.data.plot_files import PlotFile, open_plot_file
from rscovlm.data.plot_prompts import plot_name
from rscovlm.data.plot_questions import QUESTIONS
from rscovlm.data.readers.common import LeftOut, Options, Record, id_of
from rscovlm.data.readers.conversations import frames, shown_in
from rscovlm.data.readers.regression import AGB, PATCHES, Said, said_in
from rscovlm.data.splits import split_in_name, split_of_file, splits_of
from rscovlm.scoring.regression import AGB_EDGES, bin_index
from rscovlm.synth.forest import LAND_COVERS

UNITS = {AGB: "Mg/ha", PATCHES: ""}
SPLITS = ("test", "val", "train")
GIVEN = ("none", "oracle", "predicted")
"""What a question of the chain holds of the links before it: nothing, the right answers, the model's own."""
_ACTIVITIES = {code: name for name, code in ACTIVITY_CODES.items()}


# --- AGBD -----------------------------------------------------------------------------------------


def _rows(path: Path, split: str) -> Iterator[tuple[PlotFile, str, int, str, Mapping[str, Any]]]:
    """Open file, group, row, tile and numbers of each plot of a split (``rscovlm.data.splits.splits_of``)."""
    if split_of_file(path) not in ("", split):
        return
    with open_plot_file(path) as opened:
        for group, tiles, numbers in opened.columns():
            for row in np.flatnonzero(splits_of(path, tiles, opened.splits(group)) == split).tolist():
                own = {name: values[row] for name, values in numbers.items()}
                yield opened, group, row, str(tiles[row]), own


def _about(opened: PlotFile, group: str, row: int, agbd: float) -> dict[str, str]:
    code = opened.cover(group, row)
    cover = "" if code is None else LAND_COVERS.get(code, f"class {code}")
    place = int(bin_index([agbd])[0])
    label = "" if place < 0 else f"{AGB_EDGES[place]:g}-{AGB_EDGES[place + 1]:g}"
    found = {"cover": cover, "label": label}
    return {name: value for name, value in found.items() if value}


def _biomass(split: str) -> Items:
    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        for opened, group, row, tile, numbers in _rows(path, split):
            agbd = float(numbers["agbd"])
            if agbd == agbd:
                yield Item(
                    f"{path.stem}/{tile}/{row}",
                    (plot_name(path, group, row),),
                    "number",
                    QUESTIONS["number"],
                    Truth((f"{agbd:.6g}",)),
                    groups=_about(opened, group, row, agbd),
                    extra={"target": AGB, "unit": UNITS[AGB], "plain": True, "tile": tile},
                )

    return items


def _layouts(make: Any, *patterns: str) -> tuple[Layout, ...]:
    return tuple(Layout({split: patterns}, make(split)) for split in SPLITS)


# --- the chain ------------------------------------------------------------------------------------


def _chain(split: str) -> Items:
    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        plots = list(_linked(path, split))
        for link in LINKS:
            for given in GIVEN:
                for key, image, groups, right in plots:
                    item = _link(key, image, groups, right, link, given)
                    if item is not None:
                        yield item

    return items


def _linked(path: Path, split: str) -> Iterator[tuple[str, str, dict[str, str], dict[str, str]]]:
    """Key, image, groups and right answers of each plot, of the links that its file has."""
    for opened, group, row, tile, numbers in _rows(path, split):
        agbd = float(numbers["agbd"])
        about = _about(opened, group, row, agbd)
        right = {"number": f"{agbd:.6g}"}
        if "activity" in numbers:
            right["activity"] = _ACTIVITIES[int(numbers["activity"])]
        if about.get("cover"):
            right["cover"] = about["cover"]
        if "patch_count" in numbers:
            right["count"] = str(int(numbers["patch_count"]))
        yield f"{path.stem}/{tile}/{row}", plot_name(path, group, row), about, right


def _link(
    key: str, image: str, groups: Mapping[str, str], right: Mapping[str, str], link: str, given: str
) -> Item | None:
    """The question of a link with what is given of those before it; None where there is none."""
    if link not in right:
        return None
    known = [name for name in before(link) if name in right]
    if given != "none" and not known:
        return None
    kinds: dict[str, Kind] = {"count": "count", "number": "number"}
    extra: dict[str, Any] = {"plain": given == "none", "tile": key.split("/")[1]}
    if link in ("count", "number"):
        extra |= {"target": AGB if link == "number" else PATCHES}
        extra["unit"] = UNITS[extra["target"]]
    held = {name: right[name] if given == "oracle" else f"{{{name}}}" for name in known}
    if given == "predicted":
        extra["after"] = {
            name: f"{key}/{name}/{'predicted' if place else 'none'}" for place, name in enumerate(known)
        }
    columns = {**groups, "task": link, "given": f"{link}, {given}"}
    return Item(
        f"{key}/{link}/{given}",
        (image,),
        kinds.get(link, "open"),
        chain_question(link, {} if given == "none" else held),
        Truth((right[link],)),
        OPTIONS.get(link, ()),
        columns,
        extra=extra,
    )


# --- REO-Instruct ---------------------------------------------------------------------------------


def _reo(split: str) -> Items:
    """Records of a file whose name says the split; of others those that state it themselves."""

    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        named = split_of_file(path)
        if named not in ("", split):
            return

        def make(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
            stated = named or split_in_name(str(record.get("split", "")))
            if not stated:
                raise LeftOut("neither its file's name nor a field split says its split")
            if stated == split:
                yield from _asked(place, record, pictures, options)

        yield from of_records(make)(path, pictures, options)

    return items


def _asked(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    """An item for each question of a record."""
    says, images = said_in(record, options), tuple(pictures.locate(name) for name in frames(record))
    if not images:
        raise LeftOut("no image")
    if ("conversations" in record or "messages" in record) and shown_in(record, options) > len(images):
        raise LeftOut("it shows more images than it names", counted(len(images), "image"))
    columns = groups_of(record, cover="land_cover", modality="modality")
    for number, said in enumerate(says):
        key = id_of(record, place) if len(says) == 1 else f"{id_of(record, place)}/{number}"
        task, kind, answer, extra = _kind_of(said)
        groups = {**columns, "task": task}
        yield question(key, images, said.question, answer, kind=kind, groups=groups, extra=extra)


def _kind_of(said: Said) -> tuple[str, Kind, str, dict[str, Any]]:
    """Task, kind, right answer and what is beside, of a question."""
    if said.target in (AGB, PATCHES):
        task = "biomass" if said.target == AGB else "patches"
        kind: Kind = "number" if said.target == AGB else "count"
        about = {"target": said.target, "unit": UNITS[said.target]}
        return task, kind, f"{said.targets[said.target]:.6g}", about
    asked = said.question.lower()
    return "land cover" if "land" in asked and "cover" in asked else "activity", "open", said.answer, {}


_LICENCE = "CC BY-NC 4.0"
_NOTE = "splits by the file's name (train, val, test), else by tile"
_TABLES = ("*.parquet", "data/*.parquet", "*/*.parquet")

AGBD: Benchmark = benchmark(
    Reader("agbd", _layouts(_biomass, "data_subset-*.h5", "*.h5", *_TABLES), ("number",), ("cover", "label")),
    title="AGBD: a global-scale biomass dataset",
    layout=f"data_subset-<year>-v4_<i>-20.h5, or AGBD_raw's data/<split>-<i>-of-<n>.parquet; {_NOTE}",
    source="https://github.com/ghjuliasialelli/AGBD",
    licence=_LICENCE,
    counts={"train": 9_949_032, "val": 2_681_807, "test": 3_303_722},
)
"""AGBD, above-ground biomass of GEDI footprints."""

AGBD_LITE: Benchmark = benchmark(
    Reader("agbd-lite", _layouts(_biomass, "*.h5", *_TABLES), ("number",), ("cover", "label")),
    title="AGBD-Lite",
    layout=f"*.h5, tiles in the data set tile; {_NOTE}",
    source="https://huggingface.co/datasets/prs-eth/AGBD-Lite",
    licence=_LICENCE,
    counts={"train": 371_849, "val": 103_550, "test": 119_991},
)
"""AGBD-Lite, 5 % of AGBD."""

REO_CHAIN: Benchmark = benchmark(
    Reader(
        "reo-chain",
        _layouts(_chain, "*.h5", *_TABLES),
        ("number", "count", "open"),
        ("cover", "label", "task", "given"),
    ),
    title="Human activity, land cover, patches, biomass: REO-Instruct's chain on plots of AGBD",
    layout=f"*.h5 as of AGBD; activity and patch_count are links where files have them; {_NOTE}",
    source="this program, on files of AGBD or of rscovlm.data.agbd.write_agbd",
    licence=_LICENCE,
    counts={},
)
"""The logical chain, each link with nothing, the right answers, and the model's own answers given."""

REO_INSTRUCT: Benchmark = benchmark(
    Reader(
        "reo-instruct",
        tuple(
            Layout(
                {split: (f"*{split}*.json", f"*{split}*.jsonl", f"{split}/*.json", "*.json", "*.jsonl")},
                _reo(split),
                (".", "images"),
            )
            for split in SPLITS
        ),
        ("number", "count", "open"),
        ("task", "cover", "modality"),
    ),
    title="REO-Instruct",
    layout="*test*.json of conversations, or *.json whose records have a field split; images beside them; "
    "read tolerantly, for its schema is unpublished",
    source="https://github.com/zhu-xlab/REO-VLM",
    licence="not stated; images are AGBD's, CC BY-NC 4.0",
    counts={},
)
"""REO-Instruct's four tasks."""
