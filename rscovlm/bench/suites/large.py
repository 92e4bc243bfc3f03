"""Questions about very large scenes: LRS-VQA, and the remote sensing part of MME-RealWorld."""

from __future__ import annotations

from collections.abc import Iterator

from rscovlm.bench.item import Item
from rscovlm.bench.suites.items import answers_of, choice, evidence_of, groups_of, question, without_request
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, id_of, text_of

_SOURCES = {"FAIR": "FAIR", "GLH": "Bridge", "STAR": "STAR"}


def _lrs(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    key = id_of(record, place, "question_id", "id")
    if "question_id" not in record and "id" in record:
        options.account.changed["records with id in place of question_id"] += 1
    groups = groups_of(record, category="category")
    if not groups:
        raise LeftOut("no category", "the official scorer passes over such a question too")
    source = _SOURCES.get(key.partition("_")[0].upper())
    if source is None:
        options.account.changed["questions whose id names no source (FAIR, GLH, STAR)"] += 1
    category = groups["category"].lower()
    yield question(
        key,
        pictures.locate(text_of(record, "image")),
        without_request(text_of(record, "text", "question", what="question"), options),
        answers_of(record.get("ground_truth", record.get("answer"))),
        kind="count" if category == "count" else "open",
        groups={"category": category, "source": source or "other"},
        evidence=evidence_of(record.get("hbox"), record.get("rbox")),
    )


LRS_VQA = benchmark(
    Reader(
        "lrs-vqa",
        (
            Layout(
                {"test": ("LRS_VQA_merged.jsonl", "*.jsonl")},
                of_records(_lrs),
                ("image", "images", "LRS_VQA", "."),
            ),
        ),
        kinds=("open", "count"),
        groups=("category", "source"),
    ),
    title="LRS-VQA: When Large Vision-Language Model Meets Large Remote Sensing Imagery (ICCV 2025)",
    layout="ROOT/*.jsonl with question_id, image, text, ground_truth, category\nROOT/image/ with the images",
    source="https://github.com/VisionXLab/LRS-VQA; Hugging Face data set ll-13/LRS-VQA",
    licence="not stated by its authors; images from FAIR1M (train), GLH-Bridge (test) and STAR (test)",
    counts={"test": 7333},
    prompts="rscovlm-lrs-vqa",
)
"""1,657 images with sides of 1,024 to 27,328 px; 8 categories, 3 sources."""


def _mme(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    parts = [str(record[name]).lower() for name in ("Subtask", "Task") if record.get(name)]
    if parts and not any("remote" in part and "sensing" in part for part in parts):
        options.account.changed["questions of other parts of MME-RealWorld passed over"] += 1
        return
    groups = groups_of(record, category="Category", task="Task", subtask="Subtask")
    category = groups.get("category", "").lower()
    yield choice(
        id_of(record, place, "Question_id", "question_id", "index"),
        [pictures.locate(text_of(record, "Image", "image"))],
        text_of(record, "Text", what="question"),
        record.get("Answer choices"),
        record.get("Ground truth"),
        groups={**groups, "category": category} if category else groups,
    )


MME_REALWORLD_RS = benchmark(
    Reader(
        "mme-realworld-rs",
        (
            Layout(
                {"test": ("MME_RealWorld_remote_sensing.json", "MME_RealWorld.json")},
                of_records(_mme),
                (".", "remote_sensing", "images"),
            ),
        ),
        kinds=("choice",),
        groups=("category", "task", "subtask"),
    ),
    title="MME-RealWorld, remote sensing (ICLR 2025)",
    layout="ROOT/MME_RealWorld_remote_sensing.json (or MME_RealWorld.json, of which one part is read)\n"
    "ROOT/<Image> with the images",
    source="https://github.com/yfzhang114/MME-RealWorld",
    licence="academic use only; no redistribution or modification without approval",
    prompts="mme-realworld",
    counts={},
)
"""Options A to E; categories position, color and count."""
