"""Any table of questions and answers, by the names of its fields; and benchmarks that are such tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rscovlm.data.readers.common import (
    ImageFolder,
    LeftOut,
    Options,
    Record,
    ask,
    each,
    id_of,
    kept,
    read_records,
    text_of,
)
from rscovlm.data.sample import Sample
from rscovlm.errors import DataError
from rscovlm.tasks.questions import ChoiceQuestion

FIELDS = ("question", "answer", "image", "id", "choices")
"""Names that a field of a record can be given; question and answer are needed."""

_LETTER = "Answer with the letter of the right choice."
_LETTERS = "More than one choice may be right. Answer with the letters of the right choices."


def read_fields(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """JSON, JSON lines, CSV, Parquet or Arrow, by ``options.fields``: {"question": "text", ...}.

    A dot reaches into objects (``meta.image``). An image may be a name, a list of names, or inside a table.
    Fields that are not named are left out.

    Raises:
        DataError: the fields do not say where question and answer are.
    """
    fields = dict(options.fields)
    missing = [name for name in ("question", "answer") if name not in fields]
    if missing:
        raise DataError(f"{path}: --fields names no {' and no '.join(missing)}; give {missing[0]}=FIELD")
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        found = {name: field_at(record, field, name) for name, field in fields.items()}
        yield _sample(found, place, folder, options, None)

    yield from each(read_records(path, options), options, read)


def field_at(record: Record, path: str, name: str) -> Any:
    """The value of a field; a dot reaches into objects.

    Raises:
        LeftOut: there is no such field; ``name`` says what it would have been.
    """
    value: Any = record
    for part in [path] if path in record else path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise LeftOut(f"no {name}", f"no field {path!r}; it has {', '.join(map(str, record))}"[:200])
        value = value[part]
    return value


def _sample(
    found: Record, place: str, folder: ImageFolder, options: Options, words: str | None, **attributes: Any
) -> Sample:
    shown = found.get("image") or []
    names = [shown] if isinstance(shown, str) else shown
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LeftOut("its images are no file names", f"{shown!r:.80}")
    refs = tuple(folder.ref(name) for name in names)
    question = _with_choices(found, words)
    task = options.task or ("vqa" if refs else "chat")
    turns = ask(question, text_of(found, "answer"), len(refs))
    return Sample(id_of(found, place), task, refs, turns, attributes=attributes)


def _with_choices(found: Record, words: str | None) -> str:
    """The question with its choices below it, and a request for a letter.

    Args:
        found: question, answer and perhaps choices.
        words: one of ``CHOICE_WORDS``; None asks for one letter or several, as the answer has them.
    """
    question, answer = text_of(found, "question"), text_of(found, "answer")
    lines = choices_of(found.get("choices"))
    if not lines:
        return question
    if words is not None:
        return ChoiceQuestion(lines, words).prompt(question).user
    several = len(answer.split()) > 1 or (answer.isalpha() and answer.isupper() and len(answer) > 1)
    return "\n".join([question, *lines, _LETTERS if several else _LETTER])


def choices_of(written: Any) -> tuple[str, ...]:
    """The options of a question as they are written: a list, or a text with one in each line."""
    if isinstance(written, str):
        written = [line for line in written.splitlines() if line.strip()]
    return tuple(str(each).strip() for each in written) if isinstance(written, list) else ()


def _benchmark(
    path: Path,
    images: Path,
    options: Options,
    fields: Mapping[str, str],
    attributes: tuple[str, ...],
    words: str | None = None,
) -> Iterator[Sample]:
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        needed = [field for name, field in fields.items() if name in ("question", "answer")]
        if not any(field in record for field in needed):
            raise LeftOut("no question", f"its fields are {', '.join(map(str, record))}"[:200])
        found = {name: record.get(field) for name, field in fields.items()}
        yield _sample(found, place, folder, options, words, **kept(record, *attributes))

    yield from each(read_records(path, options), options, read)


def read_lrs_vqa(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """LRS-VQA, the benchmark: ``question_id``, ``image``, ``text``, ``ground_truth`` and ``category``."""
    fields = {"question": "text", "answer": "ground_truth", "image": "image", "id": "question_id"}
    yield from _benchmark(path, images, options, fields, ("category",))


def read_xlrs(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """XLRS-Bench: ``question``, ``multi-choice options``, ``answer`` (letters) and ``image`` (a list)."""
    fields = {
        "question": "question",
        "answer": "answer",
        "image": "image",
        "id": "index",
        "choices": "multi-choice options",
    }
    yield from _benchmark(path, images, options, fields, ("category", "l2-category"))


def read_mme_realworld(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """MME-RealWorld, remote sensing: ``Text``, ``Answer choices``, ``Ground truth`` and ``Image``."""
    fields = {
        "question": "Text",
        "answer": "Ground truth",
        "image": "Image",
        "id": "Question_id",
        "choices": "Answer choices",
    }
    yield from _benchmark(path, images, options, fields, ("Category", "Task", "Subtask"), "mme-realworld")


def read_captions(path: Path, images: Path, options: Options) -> Iterator[Sample]:
    """RSITMD, RSICD, UCM and Sydney captions: ``images`` with ``filename``, ``split`` and ``sentences``.

    Each different sentence of an image is a sample.
    """
    folder = ImageFolder(images)

    def read(place: str, record: Record) -> Iterator[Sample]:
        image = folder.ref(text_of(record, "filename", what="image"))
        sentences = record.get("sentences")
        if not isinstance(sentences, list) or not sentences:
            raise LeftOut("no caption", f"sentences is {sentences!r:.60}")
        said = [text_of(each, "raw", what="caption") for each in sentences if isinstance(each, dict)]
        for number, text in enumerate(dict.fromkeys(said)):
            name = f"{id_of(record, place, 'imgid')}:{number}"
            turns = ask("Describe the image in one sentence.", text)
            yield Sample(name, "caption", (image,), turns, attributes=kept(record, "split"))

    yield from each(read_records(path, options), options, read)
