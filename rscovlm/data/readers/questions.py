"""Questions with one answer: RSVQA's triples of files, VRSBench, and LRS-VQA-Zoom with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from detection_eval.formats.lines import read_json
from detection_eval.geometry.quads import bounds
from detection_eval.words import counted
from rscovlm.data.readers.boxtext import FORMS, BoxReader
from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    ask,
    box_of,
    each,
    id_of,
    kept,
    listed,
    outside,
    read_records,
    stated_size,
    text_of,
)
from rscovlm.data.readers.conversations import dialogue, read_geochat
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.errors import DataError
from rscovlm.tasks.questions import ChoiceQuestion

# --- RSVQA ----------------------------------------------------------------------------------------

_PARTS = ("questions", "answers", "images")


def read_rsvqa(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """RSVQA-LR and -HR: three files ``..._questions.json``, ``..._answers.json`` and ``..._images.json``.

    Args:
        path: the file of questions, or a folder with one triple.
        images: holds ``<image id>.tif``.
        options: see ``Options``.

    Entries marked inactive belong to other splits and are no samples. Metres per pixel come from ``res-x``
    and ``res-y`` of an image, where they are there.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        turns = ask(text_of(record, "question"), text_of(record, "answer"))
        image, attributes = folder.ref(f"{record['img_id']}.tif"), kept(record, "type")
        gsd_m = record["gsd_m"]
        yield Sample(id_of(record, place), "vqa", (image,), turns, gsd_m=gsd_m, attributes=attributes)

    yield from each(rsvqa_records(path), options, read)


def rsvqa_records(path: Path) -> Iterator[tuple[str, Record]]:
    """The active questions of a triple of files, each with its ``answer`` and the ``gsd_m`` of its image.

    Both are None where the other files do not have them.

    Raises:
        DataError: there is no such triple.
    """
    questions, answers, scenes = (_entries(file, part) for file, part in zip(_triple(path), _PARTS))
    by_question = {entry["question_id"]: entry.get("answer") for entry in answers if "question_id" in entry}
    resolutions = {entry.get("id"): _gsd(entry) for entry in scenes}
    for entry in questions:
        place, number = f"{path}: question {entry.get('id')}", entry.get("img_id")
        answer, gsd_m = by_question.get(entry.get("id")), resolutions.get(number)
        yield place, {**entry, "img_id": number, "answer": answer, "gsd_m": gsd_m}


def _triple(path: Path) -> list[Path]:
    found = [path]
    if path.is_dir():
        found = sorted(path.glob("*questions.json"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise DataError(
                f"{path} holds {counted(len(found), 'file')} *questions.json ({names}); name one of them"
            )
    if "questions" not in found[0].name:
        raise DataError(f"{found[0]} is no file of RSVQA questions: its name ends in questions.json")
    return [found[0].with_name(found[0].name.replace("questions", part)) for part in _PARTS]


def _entries(path: Path, part: str) -> list[dict[str, Any]]:
    """The active entries of one of the three files."""
    content = read_json(path)
    listed = content.get(part) if isinstance(content, dict) else content
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise DataError(f"{path} holds no list {part!r} of RSVQA")
    return [entry for entry in listed if entry.get("active", True)]


def _gsd(entry: Record) -> float | None:
    try:
        x, y = (float(entry.get(f"res-{axis}", entry.get(f"res_{axis}"))) for axis in "xy")
    except (TypeError, ValueError):
        return None
    return (x * y) ** 0.5 if x > 0 and y > 0 else None


# --- VRSBench -------------------------------------------------------------------------------------

_DESCRIBE = "Describe the image in detail."


def read_vrsbench(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """VRSBench in each form in which it is published.

    A folder (``Annotations_train``): of each image a caption, its referring sentences and its questions.
    A JSON list: the training conversations, or an evaluation set of captions, questions or references.
    """
    if path.is_dir():
        yield from _annotations(path, ImageFolder(images), options)
    elif any("conversations" in record for _, record in _first(path, options)):
        yield from read_geochat(path, images, options)
    else:
        folder = ImageFolder(images)
        yield from each(
            read_records(path, options),
            options,
            lambda place, record: _evaluation(place, record, folder, options),
        )


def _first(path: Path, options: Options) -> list[tuple[str, Record]]:
    return [pair for pair, _ in zip(read_records(path, options), range(1))]


def _annotations(path: Path, folder: ImageFolder, options: Options) -> Iterator[Sample]:
    files = sorted(path.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"{path} holds no *.json file")
    for file in files:
        content = read_json(file)
        if not isinstance(content, dict):
            raise DataError(f"{file}: an annotation of VRSBench is a JSON object")
        try:
            image = folder.ref(str(content.get("image") or file.stem))
        except LeftOut as error:
            options.account.leave_out(error, str(file))
            continue
        parts: list[tuple[str, Record]] = [("caption", content)] if content.get("caption") else []
        for name, field in (("object", "objects"), ("question", "qa_pairs")):
            parts += [(f"{name} {place}", part) for place, part in enumerate(_objects(content, field, file))]
        listed = ((f"{file}: {name}", record) for name, record in parts)
        yield from each(listed, options, partial(_annotated, image=image, stem=file.stem, options=options))


def _objects(content: Record, name: str, file: Path) -> list[Record]:
    found = content.get(name) or []
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise DataError(f"{file}: {name!r} of VRSBench is a list of objects")
    return found


def _annotated(place: str, record: Record, image: ImageRef, stem: str, options: Options) -> Iterator[Sample]:
    name = f"{stem}:{place.rpartition(': ')[2].replace(' ', '')}"
    if "qa_pairs" in record or "caption" in record:
        yield Sample(name, "caption", (image,), ask(_DESCRIBE, text_of(record, "caption")))
    elif "question" in record:
        turns = ask(text_of(record, "question"), text_of(record, "answer"))
        yield Sample(name, "vqa", (image,), turns, attributes=kept(record, "type"))
    elif record.get("referring_sentence"):  # others were shown to nobody
        label = str(record.get("obj_cls") or "")
        names = ("obj_coord", "obj_corner") if options.geometry == "hbb" else ("obj_corner", "obj_coord")
        corners = listed(record, *names)
        box = relative_box(corners, image, options, label)
        phrase = text_of(record, "referring_sentence").rstrip(". ")
        attributes = {"unique": bool(record["is_unique"])} if "is_unique" in record else {}
        yield Sample(name, "grounding", (image,), (), (box,), phrase=phrase, attributes=attributes)


def relative_box(corners: list[Any], image: ImageRef, options: Options, label: str) -> Box:
    """A box in parts of the image's sides."""
    flat = [value for part in corners for value in (part if isinstance(part, list) else [part])]
    height, width = image.size or (0, 0)
    if not all(isinstance(value, (int, float)) and -0.5 <= value <= 1.5 for value in flat):
        raise LeftOut("its box is malformed", f"{flat!r:.80} are no parts of the image's sides")
    sides = (width, height)
    box = box_of(
        [value * sides[place % 2] for place, value in enumerate(flat)], options.geometry, label=label
    )
    if outside(box, (height, width)):
        raise LeftOut("its box lies outside its image", f"{flat!r:.80}")
    return box


def _evaluation(place: str, record: Record, folder: ImageFolder, options: Options) -> Iterator[Sample]:
    image = folder.ref(text_of(record, "image_id", "image"))
    truth = text_of(record, "ground_truth", "answer", what="answer")
    name = id_of(record, place, "question_id")
    attributes = kept(record, "type", "dataset", "unique", "size_group")
    if truth.startswith("{<"):
        assert image.size is not None
        reader = BoxReader(FORMS["geochat"], image.size, [], options.geometry)
        reader.read(truth)
        boxes = tuple(reader.boxes)
        corners = listed(record, "obj_corner")
        if corners and options.geometry != "hbb":
            boxes = (relative_box(corners, image, options, str(record.get("obj_cls") or "")),)
        phrase = text_of(record, "question").rstrip(". ")
        yield Sample(name, "grounding", (image,), (), boxes, phrase=phrase, attributes=attributes)
        return
    question = record.get("question")
    caption = not question or record.get("type") == "caption"
    if not question and "text" in record:
        raise LeftOut("no question of VRSBench", "a field text; see --from lrs-vqa or --from fields")
    turns = ask(question if isinstance(question, str) and question else _DESCRIBE, truth)
    yield Sample(name, "caption" if caption else "vqa", (image,), turns, attributes=attributes)


# --- LRS-VQA-Zoom ---------------------------------------------------------------------------------

_SHORT = "Answer the question using a single word or phrase."


def read_lrs_zoom(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """LRS-VQA-Zoom, its visual chains of thought: open questions, and multiple choice.

    A record has ``image``, ``question`` and ``answer`` (or ``Text``, ``Answer choices``, ``Ground truth``; in
    raw files ``conversations`` of one question and its answer), and ``bbox_info`` with ``crop_hbox`` (boxes
    to zoom to) and ``rbox`` or ``hbox`` (evidence in them), in pixels of the image; raw files have these
    beside the question, and a single box as four or eight plain numbers. One crop box makes a zoom sample;
    none or several, as of counting and comparing, make a plain question. The evidence is kept as further
    boxes, which no turn mentions. ``options.crop_margin_px`` widens crop boxes on each side, up to the edge
    of the image.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        question, answer = _asked(record, folder, options)
        size = stated_size(record, "image_ori_height", "image_ori_width")
        image = folder.ref(text_of(record, "image"), size)
        crops, evidence = _evidence(record, image, options)
        zooms = len(crops) == 1
        turns = _chain(question, answer) if zooms else ask(question, answer)
        yield Sample(
            id_of(record, place),
            "zoom" if zooms else "vqa",
            (image,),
            turns,
            (*crops, *evidence),
            attributes=kept(record, "category", "type", "dataset", "Category"),
        )

    yield from each(read_records(path, options), options, read)


def _asked(record: Record, folder: ImageFolder, options: Options) -> tuple[str, str]:
    """The words of the question, and the answer."""
    if "conversations" in record and not record.get("question"):
        turns = dialogue(record, folder, options).turns
        if [turn.role for turn in turns] != ["user", "assistant"]:
            raise LeftOut(
                "its conversation is not one question and its answer", f"{counted(len(turns), 'turn')}"
            )
        return turns[0].text.replace("<image>", "").strip(), turns[1].text
    question = text_of(record, "question", "Text", what="question")
    answer = text_of(record, "answer", "Ground truth", "ground_truth", what="answer")
    choices = record.get("Answer choices")
    if isinstance(choices, list) and choices:
        # The published code strips the letters of this sentence (``rstrip``) instead of the sentence, and
        # with them the last words of questions that do not end in a question mark.
        question = question.removesuffix(_SHORT).rstrip()
        listed_choices = tuple(str(choice).strip() for choice in choices)
        question = ChoiceQuestion(listed_choices, "mme-realworld").prompt(question).user
    return question, answer


def _evidence(record: Record, image: ImageRef, options: Options) -> tuple[list[Box], list[Box]]:
    """The boxes to zoom to, and those of what is asked about."""
    info = record.get("bbox_info", record)
    if not isinstance(info, dict) or not _BOX_FIELDS & set(info):
        raise LeftOut("no bbox_info", f"{record.get('bbox_info')!r:.80}")
    assert image.size is not None
    found = []
    for boxes in (listed(info, "crop_hbox"), listed(info, "rbox", "hbox")):
        flat = all(isinstance(number, int | float) for number in boxes)
        read = [box_of(corners, options.geometry) for corners in ([boxes] if boxes and flat else boxes)]
        if any(outside(box, image.size) for box in read):
            raise LeftOut("its box lies outside its image", f"{boxes!r:.80}")
        found.append(read)
    crops, evidence = found
    return [_widened(box, options.crop_margin_px, image.size) for box in crops], evidence


_BOX_FIELDS = {"crop_hbox", "rbox", "hbox"}


def _widened(box: Box, margin_px: float, size: tuple[int, int]) -> Box:
    """The bounds of a box with a margin on each side, cut at the edge of an image of (height, width)."""
    if not margin_px:
        return box
    x0, y0, x1, y1 = bounds(box.polygon).tolist()
    corners = [
        max(0.0, x0 - margin_px),
        max(0.0, y0 - margin_px),
        min(float(size[1]), x1 + margin_px),
        min(float(size[0]), y1 + margin_px),
    ]
    return box_of(corners, label=box.label)


def _chain(question: str, answer: str) -> tuple[Turn, ...]:
    return (
        Turn("user", f"<image>{question}"),
        Turn("assistant", "<zoom 0>"),
        Turn("user", "<crop 0>"),
        Turn("assistant", answer),
    )
