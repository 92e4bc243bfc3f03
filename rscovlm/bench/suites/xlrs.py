"""XLRS-Bench, full and lite: choices, phrases to find, captions; images of 8,500 x 8,500 px on average."""

from __future__ import annotations

from collections.abc import Iterator

from rscovlm.bench.item import Item
from rscovlm.bench.suites.items import choice, grounding, groups_of, question, scaled
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of, id_of, listed, text_of
from rscovlm.data.readers.conversations import frames

_SEVERAL_RIGHT = "overall land use classification"
"""The one subtask whose questions may have several right options."""


def _choice(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    task, _, subtask = text_of(record, "category").rpartition("/")
    yield choice(
        id_of(record, place, "index", "question_id"),
        [pictures.locate(name) for name in _images(record)],
        text_of(record, "question"),
        record.get("multi-choice options"),
        record.get("answer"),
        several=subtask.strip().lower() == _SEVERAL_RIGHT,
        groups={
            "task": task.strip() or subtask.strip(),
            "subtask": subtask.strip(),
            **groups_of(record, level="l2-category"),
        },
    )


def _images(record: Record) -> list[str]:
    names = frames(record)
    if not names:
        raise LeftOut("no image", "image is empty")
    return names


def _phrase(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    image = pictures.locate(_images(record)[0])
    size = pictures.size(image)
    corners = listed(record, "bbox", "answer", "box", "ground_truth")
    if len(corners) == 1 and isinstance(corners[0], list):
        corners = corners[0]
    if all(isinstance(number, (int, float)) and 0 <= number <= 1 for number in corners):
        if size is None:
            raise LeftOut("its box is in parts of an image that cannot be opened", image)
        options.account.changed["boxes in parts of the image's sides"] += 1
        corners = scaled(corners, size.width, size.height)
    yield grounding(
        id_of(record, place, "index", "question_id"),
        image,
        text_of(record, "question", "text", "phrase", what="phrase"),
        [box_of(corners)],
        groups={"subtask": "Fine-grained Visual Grounding", **groups_of(record, level="l2-category")},
    )


def _caption(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    yield question(
        id_of(record, place, "index", "question_id"),
        [pictures.locate(name) for name in _images(record)],
        "",
        record.get("answer") or record.get("caption") or record.get("ground_truth"),
        kind="caption",
        groups={"subtask": "Detailed Image Captioning", **groups_of(record, level="l2-category")},
    )


def _any(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    """A record of the whole benchmark, by what it holds."""
    if record.get("multi-choice options"):
        return _choice(place, record, pictures, options)
    if any(isinstance(record.get(name), list) and name != "image" for name in ("bbox", "answer", "box")):
        return _phrase(place, record, pictures, options)
    return _caption(place, record, pictures, options)


_FILES = (
    *("data/test-*.parquet", "data/*.parquet", "test/*.parquet", "*.parquet"),
    *("test/data-*.arrow", "data-*.arrow", "*.jsonl", "*.json"),
)
_LICENCE = (
    "annotations CC BY-NC 4.0 (its link is to CC BY-NC-SA); images under the terms of DOTA and Google Earth, "
    "ITCVD (CC BY-NC-SA), IGN (licence ouverte) and ISPRS (not to be distributed)"
)
_LAYOUT = (
    "ROOT/data/*.parquet (or *.parquet, *.arrow, *.jsonl) with index, question, multi-choice options, "
    "answer, category, l2-category, image\n"
    "images inside the tables are written to ROOT/extracted at the first reading"
)


def _below(*folders: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for folder in folders for name in _FILES)


XLRS_BENCH_LITE = benchmark(
    Reader(
        "xlrs-bench-lite",
        (Layout({"test": _FILES}, of_records(_choice), ("images", "image", ".")),),
        kinds=("choice",),
        groups=("task", "subtask", "level"),
    ),
    title="XLRS-Bench-lite (CVPR 2025)",
    layout=_LAYOUT,
    source="https://github.com/AI9Stars/XLRS-Bench; Hugging Face data set initiacms/XLRS-Bench-lite",
    licence=_LICENCE,
    prompts="xlrs",
    counts={},
)
"""13 subtasks of choices; some 2,810 rows in the release that lmms-eval reads, 1,910 in VLMEvalKit's."""

XLRS_BENCH = benchmark(
    Reader(
        "xlrs-bench",
        (
            Layout(
                {
                    "choice": _below("XLRS-Bench", "choice"),
                    "grounding": _below("XLRS-Bench_visual_grounding_en", "grounding"),
                    "caption": _below("XLRS-Bench_caption_en", "caption"),
                },
                of_records(_any),
                ("images", "image", "."),
            ),
        ),
        kinds=("choice", "ground", "caption"),
        groups=("task", "subtask", "level", "size"),
    ),
    title="XLRS-Bench (CVPR 2025)",
    layout="a folder for each data set of the collection, which is a split: ROOT/XLRS-Bench (choice), "
    "ROOT/XLRS-Bench_visual_grounding_en (grounding), ROOT/XLRS-Bench_caption_en (caption)\n"
    + _LAYOUT.replace("ROOT/data/", "in each: data/"),
    source="https://github.com/AI9Stars/XLRS-Bench; Hugging Face collection of initiacms (XLRS-Bench, "
    "XLRS-Bench_visual_grounding_en, XLRS-Bench_caption_en)",
    licence=_LICENCE,
    prompts="xlrs",
    counts={},
)
"""16 subtasks, 45,942 annotations in all."""
