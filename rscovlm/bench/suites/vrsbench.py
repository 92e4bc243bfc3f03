"""VRSBench: questions, phrases and captions about images of 512 x 512 px."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rscovlm.bench.item import Item
from rscovlm.bench.suites.grounding import refgeo
from rscovlm.bench.suites.items import grounding, groups_of, question
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.boxtext import FORMS, BoxReader
from rscovlm.data.readers.common import LeftOut, Options, Record, id_of, text_of
from tiling.view import Size

_SIZE = Size(512, 512)
"""Of all images, as the authors state; boxes in a grid of 0-100 need it where an image is missing."""
_SCENE = ("image", "rural or urban")
"""Raw types of questions that the authors report as ``scene type``."""
_FOLDERS = ("Images_val", "images/vrsbench", "images", ".")
_LICENCE = "CC BY 4.0 in words, with a link to CC BY-NC 4.0: ambiguous, ask the authors"
_SOURCE = "https://github.com/lx709/VRSBench; Hugging Face data set xiang709/VRSBench"


def _vqa(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    raw = text_of(record, "type", what="type of question").lower()
    reported = "scene type" if raw in _SCENE else raw
    yield question(
        id_of(record, place, "question_id"),
        pictures.locate(text_of(record, "image_id", "image")),
        text_of(record, "question"),
        record.get("ground_truth"),
        kind="count" if raw == "object quantity" else "open",
        groups={"type": reported, "raw type": raw, **groups_of(record, dataset="dataset")},
    )


VRSBENCH_VQA = benchmark(
    Reader(
        "vrsbench-vqa",
        (Layout({"test": ("VRSBench_EVAL_vqa.json",)}, of_records(_vqa), _FOLDERS),),
        kinds=("open", "count"),
        groups=("type", "raw type", "dataset"),
    ),
    title="VRSBench, visual question answering (NeurIPS 2024)",
    layout="ROOT/VRSBench_EVAL_vqa.json with image_id, question, ground_truth, question_id, type\n"
    "ROOT/Images_val/",
    source=_SOURCE,
    licence=_LICENCE,
    counts={"test": 37409},
    prompts="short",
)


def _phrase(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    image = pictures.locate(text_of(record, "image_id", "image"))
    truth = text_of(record, "ground_truth", what="right box")
    reader = BoxReader(FORMS["geochat"], pictures.size(image) or _SIZE, [], "hbb")
    reader.read(truth)
    if not reader.boxes:
        raise LeftOut("no right box", truth[:60])
    yield grounding(
        id_of(record, place, "question_id"),
        image,
        text_of(record, "question"),
        reader.boxes[:1],
        groups={
            "unique": {"true": "unique", "false": "non-unique"}.get(
                str(record.get("unique")).lower(), "unknown"
            ),
            **groups_of(record, category="obj_cls", dataset="dataset"),
        },
        extra={"grid_0_100": [int(number) for number in re.findall(r"<(\d+)>", truth)[:4]]},
    )


VRSBENCH_VG = benchmark(
    Reader(
        "vrsbench-vg",
        (
            Layout({"test": ("VRSBench_EVAL_referring.json",)}, of_records(_phrase), _FOLDERS),
            refgeo("vrsbench", {"test": "vrsbench_test"}),
        ),
        kinds=("ground",),
        groups=("unique", "category", "dataset", "size"),
    ),
    title="VRSBench, visual grounding (NeurIPS 2024)",
    layout="ROOT/VRSBench_EVAL_referring.json with image_id, question, ground_truth {<x0><y0><x1><y1>} in "
    "0-100, unique, obj_cls, question_id\nROOT/Images_val/\n"
    "or refGeo: ROOT/metainfo/vrsbench_test.jsonl with image_id, question, bbox; ROOT/images/vrsbench/",
    source=_SOURCE,
    licence=_LICENCE,
    counts={"test": 16159},
)


def _caption(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    yield question(
        id_of(record, place, "question_id"),
        pictures.locate(text_of(record, "image_id", "image")),
        "",
        record.get("ground_truth"),
        kind="caption",
        groups=groups_of(record, dataset="dataset"),
    )


VRSBENCH_CAPTION = benchmark(
    Reader(
        "vrsbench-caption",
        (Layout({"test": ("VRSBench_EVAL_Cap.json",)}, of_records(_caption), _FOLDERS),),
        kinds=("caption",),
        groups=("dataset",),
    ),
    title="VRSBench, captions (NeurIPS 2024)",
    layout="ROOT/VRSBench_EVAL_Cap.json with image_id, ground_truth, question_id\nROOT/Images_val/",
    source=_SOURCE,
    licence=_LICENCE,
    counts={},
)
