"""Published data sets as canonical samples: one module for each family of formats.

An adapter is a function ``(path, images, options) -> Iterator[Sample]``, where ``images`` is the folder that
image names start from. It puts down in ``options.account`` what it leaves out, by reason and place. A file
that is not of its format at all raises ``DataError`` or ``FormatError`` with ``file:line``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from detection_eval.formats import FORMATS as DETECTION_FORMATS
from rscovlm.data.readers import detection
from rscovlm.data.readers.classification import read_folders, read_vhm
from rscovlm.data.readers.common import Account, Geometry, LeftOut, Options
from rscovlm.data.readers.containers import Extracted
from rscovlm.data.readers.conversations import read_chat, read_geochat, read_llava, read_teochat
from rscovlm.data.readers.fields import (
    read_captions,
    read_fields,
    read_lrs_vqa,
    read_mme_realworld,
    read_xlrs,
)
from rscovlm.data.readers.grounding import read_refgeo, read_rsvg_xml
from rscovlm.data.readers.questions import read_lrs_zoom, read_rsvqa, read_vrsbench
from rscovlm.data.readers.recognition import check_reader, reader_for
from rscovlm.data.readers.regression import read_reo
from rscovlm.data.readers.swift import read_swift
from rscovlm.data.readers.yolo import read_yolo
from rscovlm.data.sample import ImageRef, Sample
from rscovlm.data.store import Written, check_path, write_samples
from rscovlm.errors import DataError

__all__ = ["ADAPTERS", "Account", "Adapter", "Geometry", "LeftOut", "Options", "adapter_named", "convert"]


class Adapter(NamedTuple):
    """One format.

    Attributes:
        name: as ``--from`` takes it.
        what: it reads, in a few words.
        read: the adapter.
    """

    name: str
    what: str
    read: Callable[..., Iterator[Sample]]


_DETECTION = tuple(
    Adapter(name, DETECTION_FORMATS[name].what, detection.reader(name)) for name in detection.FORMATS
)

_ALL = (
    *_DETECTION,
    Adapter("yolo-obb", "Ultralytics labels of rotated boxes, with the names of their classes", read_yolo),
    Adapter("refgeo", "JSON of refGeo: DIOR-RSVG, RSVG, GeoChat, VRSBench, AVVG", read_refgeo),
    Adapter("dior-rsvg", "XML of DIOR-RSVG with a description of each object", read_rsvg_xml),
    Adapter("folders", "a folder of images for each scene class", read_folders),
    Adapter("vhm", "conversations and scene classes of VHM", read_vhm),
    Adapter("rsvqa", "questions.json of RSVQA, with its answers and images beside it", read_rsvqa),
    Adapter("vrsbench", "annotations, conversations or evaluation sets of VRSBench", read_vrsbench),
    Adapter("lrs-vqa-zoom", "LRS-VQA-Zoom, questions with the box to zoom to", read_lrs_zoom),
    Adapter("lrs-vqa", "LRS-VQA, the benchmark", read_lrs_vqa),
    Adapter("xlrs-bench", "XLRS-Bench, multiple choice", read_xlrs),
    Adapter("mme-realworld", "MME-RealWorld, its remote sensing part", read_mme_realworld),
    Adapter("rsitmd", "captions of RSITMD, RSICD, UCM and Sydney", read_captions),
    Adapter("fields", "questions and answers of any table, by --fields", read_fields),
    Adapter("ms-swift", "messages, images and objects of ms-swift", read_swift),
    Adapter("llava", "conversations of LLaVA and LLaVA-OneVision", read_llava),
    Adapter("geochat", "conversations of GeoChat, boxes in 0-100 with an angle", read_geochat),
    Adapter("teochat", "conversations of TEOChatlas, boxes in 0-100, videos as frames", read_teochat),
    Adapter("reo-instruct", "REO-Instruct, with numeric targets", read_reo),
    Adapter("chat", "conversations without images", read_chat),
)

ADAPTERS: dict[str, Adapter] = {adapter.name: adapter for adapter in _ALL}
"""The adapters by name."""


def adapter_named(name: str) -> Adapter:
    """An adapter.

    Raises:
        DataError: none has this name.
    """
    if name not in ADAPTERS:
        raise DataError(f"unknown format {name!r}; choose {', '.join(ADAPTERS)}")
    return ADAPTERS[name]


def convert(
    name: str | None,
    path: Path,
    output: Path,
    options: Options,
    *,
    images: Path | None = None,
    limit: int | None = None,
) -> Written:
    """Read a published data set and write a sample file.

    Ids are made unique within the file by a suffix. Images below the folder of the output are referred to by
    relative paths, so that the folder may move; others by absolute ones.

    Args:
        name: of the adapter; None recognises it by the content.
        path: file or folder of annotations.
        output: the sample file.
        options: of the adapter; its account tells what was left out.
        images: the folder that image names start from; None takes the folder of ``path``.
        limit: most samples.

    Raises:
        DataError: not of this format but of another, or nothing in it makes a sample.
        FormatError, OSError: as the readers of detection formats; a file cannot be read or written.
    """
    check_path(output)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    name = name or reader_for(path)
    adapter = adapter_named(name)
    check_reader(name, path)
    if options.extracted.folder is None:
        options = replace(options, extracted=Extracted(output.parent / f"{output.stem}.images"))
    folder = images or (path if path.is_dir() else path.parent)
    samples = islice(adapter.read(path, folder, options), limit)
    first = next(samples, None)
    if first is None:
        raise DataError(f"{path}: nothing in it makes a sample of {name}: {options.account.reasons()}")
    return write_samples(
        output, _finished(chain([first], samples), options.source or name, output.parent.resolve())
    )


def _finished(samples: Iterable[Sample], source: str, folder: Path) -> Iterator[Sample]:
    """The samples with their source, unique ids and paths for a file in a folder."""
    seen: Counter[int] = Counter()
    for sample in samples:
        yield _placed(sample, source, folder, seen)


def _placed(sample: Sample, source: str, folder: Path, seen: Counter[int]) -> Sample:
    key = hash(sample.id)  # 8 bytes each, where the ids of a million samples would be many more
    seen[key] += 1
    name = sample.id if seen[key] == 1 else f"{sample.id}#{seen[key]}"
    images = tuple(_relative(image, folder) for image in sample.images)
    return replace(sample, id=name, source=source, images=images)


def _relative(image: ImageRef, folder: Path) -> ImageRef:
    path = Path(image.path)
    return replace(image, path=path.relative_to(folder).as_posix()) if path.is_relative_to(folder) else image
