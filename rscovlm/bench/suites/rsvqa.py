"""RSVQA, low and high resolution: the authors' triples of files, and the selection of VHM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Kind
from rscovlm.bench.suites.items import groups_of, question, without_request
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import Options, Record, each, id_of, text_of
from rscovlm.data.readers.conversations import words_of
from rscovlm.data.readers.questions import rsvqa_records

_TYPES = {"comparison": "comp", "rural/urban": "rural_urban", "rural-urban": "rural_urban"}
_KINDS: Mapping[str, Kind] = {"count": "count", "area": "number"}


def _triple(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
    def read(place: str, record: Record) -> Iterator[Item]:
        key, type = id_of(record, place, "id"), _type(text_of(record, "type", what="type of question"))
        gsd_m = record["gsd_m"]
        yield question(
            key,
            pictures.locate(f"{record['img_id']}.tif"),
            text_of(record, "question"),
            record["answer"],
            kind=_KINDS.get(type, "open"),
            groups={"type": type},
            extra={} if gsd_m is None else {"gsd_m": gsd_m},
        )

    yield from each(rsvqa_records(path), options, read)


def _type(written: str) -> str:
    name = written.strip().lower().replace(" ", "_")
    return _TYPES.get(name, name)


def _vhm(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
    """One of VHM's files, ``RSVQA_LR-presence_RSVQA.json``: the type of question is in its name."""
    type = _type(path.stem.partition("-")[2].rpartition("_")[0])

    def read(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
        asked, answer = words_of(record, options)
        name, folder = text_of(record, "image"), str(record.get("image_path") or "").rstrip("/")
        yield question(
            f"{type}/{id_of(record, place, 'question_id', 'id')}",
            pictures.locate(f"{folder}/{name}" if folder else name),
            without_request(asked, options),
            answer,
            kind=_KINDS.get(type, "open"),
            groups={"type": type, **groups_of(record, dataset="dataset")},
        )

    yield from of_records(read)(path, pictures, options)


def _layouts(resolution: str, triples: Mapping[str, tuple[str, ...]], images: str) -> tuple[Layout, ...]:
    files = {split: tuple(f"{name}_questions.json" for name in names) for split, names in triples.items()}
    beside = {
        split: tuple(f"{name}_{part}.json" for name in names for part in ("answers", "images"))
        for split, names in triples.items()
    }
    vhm = tuple(f"{folder}RSVQA_{resolution}-*_RSVQA.json" for folder in ("datasets_eval/", ""))
    return (
        Layout(files, _triple, (images, "Data", "images", "."), beside),
        Layout({"vhm": vhm}, _vhm, ("datasets_eval", ".", images)),
    )


def _benchmark(
    name: str, title: str, layouts: tuple[Layout, ...], files: str, images: str, counts: Mapping[str, int]
) -> Benchmark:
    return benchmark(
        Reader(name, layouts, kinds=("open", "count", "number"), groups=("type", "dataset")),
        title=title,
        layout=f"ROOT/{files}_questions.json, _answers.json and _images.json, a triple for each split\n"
        f"ROOT/{images}\n"
        f"or the selection of VHM (split vhm): ROOT/datasets_eval/RSVQA_{name[-2:].upper()}-*_RSVQA.json",
        source="https://rsvqa.sylvainlobry.com; VHM: Hugging Face data set FitzPC/VHM_eval_dataset",
        licence="as its authors' page says when it is downloaded; the bundle of VHM is CC BY-NC 4.0",
        counts=counts,
        prompts="short",
    )


RSVQA_LR = _benchmark(
    "rsvqa-lr",
    "RSVQA, low resolution (TGRS 2020)",
    _layouts(
        "LR",
        {
            "test": ("LR_split_test", "test", "all_test"),
            "val": ("LR_split_val", "val", "all_val"),
        },
        "Images_LR",
    ),
    "LR_split_{test,val}",
    "Images_LR/<id>.tif",
    {},
)
"""772 images of 256 x 256 px (Sentinel-2, 10 m); count, presence, comp, rural_urban."""

RSVQA_HR = _benchmark(
    "rsvqa-hr",
    "RSVQA, high resolution (TGRS 2020)",
    _layouts(
        "HR",
        {
            "test": ("USGS_split_test",),
            "test2": ("USGS_split_test_phili",),
            "val": ("USGS_split_val",),
        },
        "Data",
    ),
    "USGS_split_{test,test_phili,val}",
    "Data/<id>.tif",
    {},
)
"""10,659 images of 512 x 512 px (0.15 m); count, area, presence, comp. The second test set is another city;
the paper speaks of 47,000 questions in it, a file in circulation has 62,554."""
