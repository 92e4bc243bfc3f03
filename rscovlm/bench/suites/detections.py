"""Detection: DOTA, DIOR-R and FAIR1M, an item for each image, as ``detection_eval.formats`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detection_eval.formats import Collection, read
from detection_eval.formats.class_lists import DIOR_R, DOTA_V1_0, DOTA_V1_5, FAIR1M
from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Items, Layout, Reader, benchmark
from rscovlm.data.readers.common import Options
from rscovlm.errors import DataError


def _whole(format: str, classes: tuple[str, ...]) -> Items:
    """All images that a folder of annotations has."""

    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        collection = read(path, format, classes, others="leave out")
        yield from _items(collection, list(collection.images), pictures, options)

    return items


def _listed(folder: str, format: str, classes: tuple[str, ...]) -> Items:
    """The images that a split file lists, with the annotations of a folder beside it."""

    def items(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
        names = path.read_text(encoding="utf-8").split()
        annotations = pictures.root / folder
        if not annotations.is_dir():
            raise DataError(f"{annotations} is no folder; the annotations of {path.name} belong there")
        collection = read(annotations, format, classes, others="leave out")
        yield from _items(collection, names, pictures, options)

    return items


def _items(collection: Collection, names: list[str], pictures: Pictures, options: Options) -> Iterator[Item]:
    for note in collection.notes:
        options.account.changed[note] += 1
    for name in names:
        held = collection.images.get(name)
        if held is None:
            options.account.changed["images that are listed and not annotated passed over"] += 1
            continue
        found = held.detections
        difficult = None if held.difficulty is None else np.asarray(held.difficulty > 0)
        ignored = difficult if difficult is not None and difficult.any() else None
        truth = Truth((), found.polygons, tuple(found.names), ignored)
        groups = {} if held.source is None else {"source": held.source}
        extra = {} if held.gsd_m is None else {"gsd_m": held.gsd_m}
        image = pictures.locate(held.file_name or name)
        yield Item(name, (image,), "detect", "", truth, collection.classes, groups, extra=extra)


def _dota(name: str, title: str, labels: tuple[str, ...], classes: tuple[str, ...]) -> Benchmark:
    def layout(split: str) -> Layout:
        folders = tuple(f"{split}/{label}" for label in labels)
        images = (f"{split}/images", f"{split}/images/images")
        return Layout({split: folders}, _whole("dota", classes), images)

    return benchmark(
        Reader(name, (layout("val"), layout("train")), kinds=("detect",), groups=("source",)),
        title=title,
        layout=f"ROOT/{{val,train}}/{labels[0]}/*.txt, ROOT/{{val,train}}/images/; the test set has no "
        "public labels, its scores come from the authors' server",
        source="https://captain-whu.github.io/DOTA",
        licence="academic use only; images under the terms of Google Earth, GF-2 and JL-1 and CycloMedia",
        counts={"val": 458, "train": 1411},
    )


DOTA = _dota(
    "dota-v1.0",
    "DOTA-v1.0 (CVPR 2018)",
    ("labelTxt-v1.0/labelTxt", "labelTxt-v1.0", "labelTxt", "annfiles"),
    DOTA_V1_0,
)
DOTA_15 = _dota(
    "dota-v1.5",
    "DOTA-v1.5",
    ("labelTxt-v1.5/DOTA-v1.5_val", "labelTxt-v1.5/DOTA-v1.5_train", "labelTxt-v1.5"),
    DOTA_V1_5,
)

_ORIENTED = "Annotations/Oriented Bounding Boxes"

DIOR = benchmark(
    Reader(
        "dior-r",
        tuple(
            Layout(
                {split: (f"ImageSets/Main/{split}.txt", f"Main/{split}.txt")},
                _listed(_ORIENTED, "dior-r", DIOR_R),
                images,
                {split: (_ORIENTED,)},
            )
            for split, images in (
                ("test", ("JPEGImages-test", "JPEGImages")),
                ("val", ("JPEGImages-trainval", "JPEGImages")),
                ("train", ("JPEGImages-trainval", "JPEGImages")),
            )
        ),
        kinds=("detect",),
        groups=(),
    ),
    title="DIOR-R (TGRS 2022)",
    layout=f"ROOT/ImageSets/Main/{{test,val,train}}.txt, ROOT/{_ORIENTED}/*.xml, ROOT/JPEGImages-test/ and "
    "ROOT/JPEGImages-trainval/",
    source="https://gcheng-nwpu.github.io",
    licence="terms of its source",
    counts={},
)

FAIR1M_BENCH = benchmark(
    Reader(
        "fair1m",
        tuple(
            Layout(
                {split: tuple(f"{split}/{part}" for part in ("labelXmls/labelXml", "labelXmls", "labelXml"))},
                _whole("fair1m", FAIR1M),
                (f"{split}/images",),
            )
            for split in ("validation", "train")
        ),
        kinds=("detect",),
        groups=("source",),
    ),
    title="FAIR1M 2.0 (ISPRS Journal 2022)",
    layout="ROOT/{validation,train}/labelXml/*.xml and ROOT/{validation,train}/images/; the test set has no "
    "public labels",
    source="https://www.gaofen-challenge.com/benchmark",
    licence="terms of its source",
    counts={},
)
