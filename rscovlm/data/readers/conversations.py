"""Conversations: LLaVA style and LLaVA-OneVision, GeoChat and VRSBench, TEOChat, text alone.

A record holds ``conversations`` (``from``, ``value``) or ``messages`` (``role``, ``content``), and images as
``image`` or ``images`` (a name or a list) or ``video`` (a list of frames, TEOChatlas).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from detection_eval.words import counted
from rscovlm.data.readers.boxtext import NONE, UNREADABLE, BoxReader, box_form, looks_like_boxes
from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    each,
    id_of,
    kept,
    listed,
    read_records,
)
from rscovlm.data.readers.containers import from_address
from rscovlm.data.sample import Box, ImageRef, Role, Sample, Task, Turn

_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
_SHOWN = re.compile(r"\s*\n?<(image|video)>\n?\s*")
_TAG = re.compile(r"\s*\[(refer|grounding|identify|caption|vqa|detection)\]\s*", re.IGNORECASE)
_TAGGED = re.compile(r"^((?:\s*<image>)*)" + _TAG.pattern, re.IGNORECASE)
_TASK_OF_TAG: dict[str, Task] = {
    "refer": "grounding",
    "detection": "grounding",
    "grounding": "caption",
    "identify": "caption",
    "caption": "caption",
    "vqa": "vqa",
}
_SWIFT = re.compile(r"<(?:bbox|ref-object)>")
_PHRASE = re.compile(r"<p>\s*(.+?)\s*</p>", re.DOTALL)
_ONLY_BOXES = re.compile(r"(?:<box \d+>[\s,.;]*)+")
_PRESCRIBED = re.compile(
    r"\s*(?:Include|Provide|Give|Output|Return)[^.?]*\[\s*x_?min[^\]]*\][^.?]*[.?]?", re.IGNORECASE
)
_LEADING_BOX = re.compile(r"\s*(<box \d+>)[\s,:.]*")


@dataclass
class Dialogue:
    """A record as turns with ``<image>`` placeholders, before its boxes are read."""

    turns: list[Turn]
    images: tuple[ImageRef, ...]

    @property
    def first_question(self) -> str:
        """The words of the first user turn, without its placeholders."""
        text = next(turn.text for turn in self.turns if turn.role == "user")
        return text.replace("<image>", " ").strip()


# --- records to turns -----------------------------------------------------------------------------


def dialogue(record: Record, images: ImageFolder | None, options: Options, place: str = "") -> Dialogue:
    """The turns and images of a record. Content lists (Qwen, OpenAI) are read as texts with ``<image>``.

    Raises:
        LeftOut: turns that do not alternate, missing images, placeholders that do not fit the images.
    """
    record = _flattened(record)
    turns = _turns(record, options)
    names = [from_address(name, options.extracted, place) for name in frames(record)]
    if names and images is None:
        raise LeftOut("it shows images, and no folder of images is given", names[0])
    refs = tuple(images.ref(name) for name in names) if images is not None else ()
    return Dialogue(_with_images(turns, len(refs)), refs)


def words_of(record: Record, options: Options) -> tuple[str, str]:
    """The first question of a record and its answer, as words alone, without placeholders of images.

    Raises:
        LeftOut: there is no such conversation.
    """
    return rounds_of(record, options)[0]


def rounds_of(record: Record, options: Options) -> list[tuple[str, str]]:
    """All questions of a record with their answers, as ``words_of`` has the first.

    Raises:
        LeftOut: there is no such conversation.
    """
    spoken = [turn.text for turn in _turns(_flattened(record), options) if turn.role != "system"]
    asked = [_SHOWN.sub(" ", text).strip() for text in spoken[::2]]
    return list(zip(asked, spoken[1::2], strict=True))


def shown_in(record: Record, options: Options) -> int:
    """How many images the questions of a record have a placeholder for.

    Raises:
        LeftOut: there is no such conversation.
    """
    return sum(len(_SHOWN.findall(turn.text)) for turn in _turns(_flattened(record), options))


def _flattened(record: Record) -> Record:
    """A record whose turns are texts: of content lists, images become ``<image>`` and their names a list."""
    written = record.get("messages") or record.get("conversations") or record.get("conversation")
    if not isinstance(written, list):
        return record
    turns: list[Any] = []
    names: list[str] = []
    parts = 0
    for turn in written:
        content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
        if not isinstance(content, list):
            turns.append(turn)
            continue
        pieces = [_piece(part, names) for part in content]
        parts += len(pieces)
        turns.append({"role": turn.get("role", turn.get("from", "")), "content": "".join(pieces)})
    if not parts:
        return record
    others = {name: value for name, value in record.items() if name not in ("conversations", "conversation")}
    return {**others, "messages": turns, **({"images": names, "image": None} if names else {})}


def _piece(part: Any, names: list[str]) -> str:
    """The text of one part of a content list; the name of an image is put down."""
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind in ("image", "image_url", "input_image"):
        found = part.get("image") or part.get("image_url") or part.get("url") or part.get("path")
        found = found.get("url") if isinstance(found, dict) else found
        if found is not None and not isinstance(found, str):
            raise LeftOut("its images are no file names", f"{found!r:.100}")
        if found:
            names.append(found)
        return "<image>"
    raise LeftOut("a part of a turn is neither text nor image", f"{part!r:.100}")


def _turns(record: Record, options: Options) -> list[Turn]:
    written = record.get("conversations") or record.get("messages") or record.get("conversation")
    if not isinstance(written, list) or not all(isinstance(turn, dict) for turn in written):
        raise LeftOut("no conversation", f"its fields are {', '.join(record)}"[:200])
    turns: list[Turn] = []
    if isinstance(record.get("system"), str) and record["system"].strip():
        turns.append(Turn("system", record["system"].strip()))
    for turn in written:
        text = turn.get("value", turn.get("content"))
        if not isinstance(text, str):
            raise LeftOut("a turn without text", f"{turn!r:.100}")
        role = _ROLES.get(str(turn.get("from", turn.get("role", ""))).lower())
        if role is None:  # TEOChatlas has turns whose speaker is not named
            role = "assistant" if turns and turns[-1].role == "user" else "user"
            options.account.changed["turns whose speaker was told by their place"] += 1
        turns.append(Turn(role, text.strip()))
    if turns and turns[-1].role == "user":
        turns.pop()
        options.account.changed["last questions without an answer removed"] += 1
    spoken = [turn.role for turn in turns if turn.role != "system"]
    if not spoken or spoken != ["user", "assistant"] * (len(spoken) // 2):
        raise LeftOut("its turns do not alternate", ", ".join(turn.role for turn in turns))
    if any(not turn.text for turn in turns if turn.role == "assistant"):
        raise LeftOut("an empty answer")
    if not record.get("objects") and any(_SWIFT.search(turn.text) for turn in turns):
        raise LeftOut("it holds <bbox> or <ref-object> without objects", "ms-swift keeps them in objects")
    return turns


def frames(record: Record) -> list[str]:
    """The images of a record in the order shown: frames of a video by date, where all are dated.

    Raises:
        LeftOut: a video that is one file, or images that are no names.
    """
    record = _flattened(record)
    found = record.get("image") or record.get("images")
    if isinstance(record.get("video"), str) and record["video"]:
        raise LeftOut("it shows a video file", record["video"])
    names = [found] if isinstance(found, str) else [*listed(record, "image", "images")]
    steps = [
        name for part in listed(record, "video") for name in (part if isinstance(part, list) else [part])
    ]
    names += _dated(steps, listed(record, "timestamps"))
    if not all(isinstance(name, str) for name in names):
        raise LeftOut("its images are no file names", f"{names!r:.100}")
    return names


def _dated(names: list[str], stamps: list[Any]) -> list[str]:
    if len(stamps) != len(names):
        return names
    try:
        dates = [datetime.strptime(str(stamp)[:10], "%Y-%m-%d") for stamp in stamps]
    except ValueError:
        return names
    return [names[place] for place in sorted(range(len(names)), key=lambda place: dates[place])]


def _with_images(turns: list[Turn], count: int) -> list[Turn]:
    """The turns with one ``<image>`` for each image; without any, they stand before the first question."""
    marks = [mark for turn in turns for mark in _SHOWN.findall(turn.text)]
    stills, videos = marks.count("image"), marks.count("video")
    if videos > 1 or (not videos and marks and stills != count) or stills > count:
        raise LeftOut(
            "its placeholders do not fit its images",
            f"{stills} <image>, {videos} <video>, {counted(count, 'image')}",
        )
    shown = {"image": "<image>", "video": "<image>" * (count - stills)}
    result = [Turn(turn.role, _SHOWN.sub(lambda m: f" {shown[m[1]]} ", turn.text)) for turn in turns]
    result = [Turn(turn.role, _tight(turn.text)) for turn in result]
    if count and not marks:
        first = next(place for place, turn in enumerate(result) if turn.role == "user")
        result[first] = Turn("user", "<image>" * count + result[first].text)
    return result


def _tight(text: str) -> str:
    """Without the white space after images, which each template sets itself."""
    return re.sub(r"(<image>)\s+", r"\1", text).strip()


# --- turns to samples -----------------------------------------------------------------------------


def with_boxes(said: Dialogue, form: str, options: Options) -> tuple[list[Turn], tuple[Box, ...]]:
    """The turns with placeholders for their boxes, and the boxes.

    Boxes are on the first image; frames of a video show one place, so that they hold for all.

    Raises:
        LeftOut: box text cannot be read, and such samples are to be dropped.
    """
    reading = box_form(options.boxes or form, options.clockwise) if said.images else None
    if reading is None:
        if said.images and any(looks_like_boxes(turn.text) for turn in said.turns):
            options.account.changed["samples whose box text stays words"] += 1
        return said.turns, ()
    size = said.images[0].size
    assert size is not None
    reader = BoxReader(reading, size, [], options.geometry)
    try:
        turns = [Turn(turn.role, reader.read(_asked(turn, options))) for turn in said.turns]
    except LeftOut as error:
        if options.unreadable == "drop":
            raise LeftOut(UNREADABLE, error.detail) from error
        options.account.changed["samples with unreadable box text kept as plain text"] += 1
        return said.turns, ()
    return _unrepeated(turns), tuple(reader.boxes)


def _asked(turn: Turn, options: Options) -> str:
    """A question without the sentence that prescribes how boxes are written: that is drawn at each visit."""
    if turn.role != "user" or not _PRESCRIBED.search(turn.text):
        return turn.text
    options.account.changed["sentences that prescribe a box format removed"] += 1
    return _PRESCRIBED.sub("", turn.text).strip()


def _unrepeated(turns: list[Turn]) -> list[Turn]:
    """Answers without the box of the question, with which region captions of GeoChat begin."""
    result: list[Turn] = []
    for turn in turns:
        text = turn.text
        leading = _LEADING_BOX.match(text) if turn.role == "assistant" and result else None
        if leading and leading[1] in result[-1].text and text[leading.end() :].strip():
            text = text[leading.end() :].strip()
        result.append(Turn(turn.role, text))
    return result


def _plain(record: Record, place: str, said: Dialogue, options: Options, form: str, task: Task) -> Sample:
    turns, boxes = with_boxes(said, form, options)
    return Sample(
        id_of(record, place),
        options.task or task,
        said.images,
        tuple(untagged(turns)),
        boxes,
        attributes=kept(record, "task", "dataset", "data_source", "type", "timestamps"),
    )


def untagged(turns: list[Turn]) -> list[Turn]:
    """The turns without the tags of tasks (``[vqa]``) that questions begin with: no user writes them."""
    return [
        Turn(turn.role, _TAGGED.sub(r"\1", turn.text).strip() or turn.text) if turn.role == "user" else turn
        for turn in turns
    ]


def read_llava(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """LLaVA and LLaVA-OneVision JSON. Box text stays words unless ``options.boxes`` says how it is written.

    LLaVA-1.5's own mix writes 0-1 of the image padded to a square ("0-1-padded").
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        said = dialogue(record, folder, options, place)
        yield _plain(record, place, said, options, NONE, "vqa" if said.images else "chat")

    yield from each(read_records(path, options), options, read)


def read_chat(path: Path, images: Path | None, options: Options) -> Iterator[Sample]:
    """Text alone: conversations, messages, or ``instruction``, ``input`` and ``output``."""

    def read(place: str, record: Record) -> Iterator[Sample]:
        if "instruction" in record and "output" in record:
            asked = "\n".join(str(record[name]) for name in ("instruction", "input") if record.get(name))
            record = {
                **record,
                "messages": [
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": str(record["output"])},
                ],
            }
        yield _plain(record, place, dialogue(record, None, options, place), options, NONE, "chat")

    yield from each(read_records(path, options), options, read)


def read_geochat(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """GeoChat_Instruct.json and VRSBench_train.json: ``{<x1><y1><x2><y2>|<angle>}`` in 0-100.

    ``[refer]`` with one phrase, answered by nothing but boxes, becomes a grounding sample without turns.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        said = dialogue(record, folder, options, place)
        tag = _TAG.match(said.first_question)
        task = _TASK_OF_TAG[tag[1].lower()] if tag else ("vqa" if said.images else "chat")
        plain = _plain(record, place, said, options, "geochat", task)
        phrase = _PHRASE.search(said.first_question) if len(said.turns) == 2 and task == "grounding" else None
        if phrase and plain.boxes and _ONLY_BOXES.fullmatch(plain.turns[-1].text) and len(said.images) == 1:
            yield Sample(
                plain.id,
                "grounding",
                plain.images,
                boxes=plain.boxes,
                phrase=phrase[1].rstrip(". "),
                attributes=plain.attributes,
            )
        else:
            yield plain

    yield from each(read_records(path, options), options, read)


def read_teochat(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """TEOChatlas: ``[x1, y1, x2, y2]`` in 0-100, and videos as lists of frames."""
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        said = dialogue(record, folder, options, place)
        yield _plain(record, place, said, options, "0-100", _teochat_task(str(record.get("task", ""))))

    yield from each(read_records(path, options), options, read)


def _teochat_task(name: str) -> Task:
    """The meaning of one of TEOChatlas's task names."""
    name = name.lower()
    if "caption" in name:
        return "caption"
    if any(word in name for word in ("locali", "detection", "referring", "grounding")):
        return "grounding"
    return "vqa"
