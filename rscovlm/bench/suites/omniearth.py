"""OmniEarth-Bench: seven spheres of the Earth, 103 tasks of one or several right options, boxes, or steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rscovlm.bench.item import Item
from rscovlm.bench.suites.items import choice, grounding, groups_of, scaled
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Items, Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of, stated_size, text_of
from rscovlm.data.readers.conversations import frames
from rscovlm.scoring.answers import choice_letter

_TYPES = {
    "single": "single choice",
    "multiple": "multiple choice",
    "grounding": "visual grounding",
    "cot": "chain-of-thought",
}
_CORNERS = re.compile(r"<\s*([-+]?[\d.]+)\s*>")
_UNABLE = "unable to decide"


def _item(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    kind = text_of(record, "Question Type", "question_type", what="question type").lower()
    levels = groups_of(record, sphere="L1-task", scene="L2-task", ability="L3-task", task="L4-task")
    groups = {"type": kind, **levels, **groups_of(record, dataset="Dataset")}
    key = _key(record, place, groups.get("task", ""), options)
    question = text_of(record, "Text", "question", what="question")
    names = [name for name in frames({"images": record.get("Images") or record.get("image")}) if name]
    if not names:
        raise LeftOut("no image", f"{key}: Images is empty")
    images = [pictures.locate(name) for name in names]
    if "grounding" in kind:
        box = box_of(_corners(record, images[0], pictures))
        yield grounding(key, images[0], question, [box], groups=groups)
        return
    written = record.get("Answer Choices") or record.get("multi-choice options")
    answer = record.get("Ground Truth", record.get("answer"))
    steps = [str(step) for step in record.get("CoT") or ()]
    extra = {"steps": steps} if steps else {}
    several = kind.startswith("multiple")
    item = choice(key, images, question, written, answer, several=several, groups=groups, extra=extra)
    if _UNABLE in item.options[-1].lower():
        item = replace(item, extra={**item.extra, "unable": choice_letter(len(item.options) - 1)})
    else:
        options.account.changed[f"questions whose last option is not {_UNABLE!r}"] += 1
    yield item


def _key(record: Record, place: str, task: str, options: Options) -> str:
    """``<task>/<number>``: numbers are unique in a task only, and some ids hold none."""
    name = str(record.get("Question_id", record.get("index", ""))).strip()
    last = name.rpartition("/")[2]
    if not last.lstrip("-").isdecimal():
        options.account.changed["ids without a number"] += 1
    if not name:
        return f"{task}/{re.findall(r'[0-9]+', place)[-1]}"
    return name if "/" in name else f"{task}/{name}"


def _corners(record: Record, image: str, pictures: Pictures) -> Sequence[float]:
    """The right box in pixels: annotated as ``<x0><y0><x1><y1>``, in tables in parts of the sides."""
    truth = record.get("Ground Truth", record.get("answer"))
    if isinstance(truth, str):
        return [float(number) for number in _CORNERS.findall(truth)]
    if not isinstance(truth, (list, tuple)) or len(truth) != 4:
        raise LeftOut("its box is malformed", f"{truth!r:.60}")
    size = stated_size(record, "image_height", "image_width") or pictures.size(image)
    if size is None:
        raise LeftOut("its box is in parts of an image whose size is not known", image)
    return scaled(truth, size[1], size[0])


def _of_type(type: str) -> Items:
    def items(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
        kind = str(record.get("Question Type", record.get("question_type", ""))).lower()
        if kind == type:
            yield from _item(place, record, pictures, options)

    return of_records(items)


OMNIEARTH_BENCH = benchmark(
    Reader(
        "omniearth-bench",
        (
            Layout(
                {"all": ("jsons/*.json", "*_shards/**/*.parquet")},
                of_records(_item),
                (".", "images", "image"),
            ),
            *(
                Layout(
                    {split: ("jsons/*.json", f"{folder}_shards/**/*.parquet")},
                    _of_type(_TYPES[split]),
                    (".", "images", "image"),
                )
                for split, folder in (
                    ("single", "mcq"),
                    ("multiple", "mcq"),
                    ("grounding", "vg"),
                    ("cot", "cot"),
                )
            ),
        ),
        kinds=("choice", "ground"),
        groups=("type", "sphere", "scene", "ability", "task", "dataset", "size"),
    ),
    title="OmniEarth-Bench (2025)",
    layout="ROOT/jsons/*.json with Question_id, Question Type, Text, Answer Choices, Ground Truth, Images, "
    "L1-task to L4-task, Dataset; images below ROOT\n"
    "or the tables of its own harness: ROOT/{mcq,vg,cot}_shards/**/*.parquet with images inside, which are "
    "written to ROOT/extracted at the first reading",
    source="https://github.com/nanocm/OmniEarth-Bench",
    licence="CC BY-NC-SA 4.0",
    counts={"all": 29779},
    prompts="xlrs",
)
"""92 tasks of single choice, 2 of several, 3 of boxes, 6 of steps; the last option is that none can tell."""
