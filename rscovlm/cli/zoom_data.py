"""``rscovlm zoom-data``: Zoom-in Chain training data from annotated images."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.options import Device, MaxPixels, Seed, read_list
from rscovlm.cli.teaching import (
    BalanceReport,
    Images,
    ResumeTeacher,
    Teacher,
    TeacherFamily,
    asking_teacher,
    check_taught,
    check_teacher,
    digest_of,
    require_replies,
    teacher_journal,
    teacher_named,
)
from rscovlm.errors import UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from rscovlm.data.zoom.build import ZoomData, ZoomPlan
    from rscovlm.data.zoom.items import Way
    from rscovlm.data.zoom.rules import EvidenceRules
    from rscovlm.data.zoom.sources import Source
    from rscovlm.models.checkpoints import Checkpoint

_LISTED = 5


def zoom_data(
    annotations: Annotated[
        str,
        typer.Argument(
            help="A folder of rscovlm synth dataset, STAR's scene graphs, JSON lines with attributes, or any "
            "format of rscovlm bench convert (dota, fair1m, dior-r, coco, ...).",
            metavar="ANNOTATIONS[:FORMAT]",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The sample file to write.", metavar="FILE.jsonl")],
    images: Images = None,
    ways: Annotated[
        str, typer.Option(help="How questions are made: templates, teacher, choice.", metavar="A,B")
    ] = "templates,choice",
    teacher: Teacher = None,
    teacher_family: TeacherFamily = None,
    check_overview: Annotated[
        bool,
        typer.Option("--check-overview", help="Drop what the teacher can answer from the overview alone."),
    ] = False,
    family: Annotated[
        str, typer.Option(help="Family that will learn; what it can see unzoomed is not asked.")
    ] = "rscovlm",
    max_pixels: MaxPixels = None,
    max_object_px: Annotated[
        float, typer.Option(help="Largest object in the overview that still needs zooming.", min=1)
    ] = 32.0,
    margin: Annotated[
        str,
        typer.Option(
            help="Context on each side of the evidence: a part of its longer side, or pixels of the file, "
            "cut at its edges (200px as in LRS-VQA-Zoom).",
            metavar="PART|Npx",
        ),
    ] = "0.25",
    square: Annotated[bool, typer.Option("--square", help="Zoom to square boxes.")] = False,
    choice_words: Annotated[
        str, typer.Option(help="How options are put: plain, or mme-realworld as in LRS-VQA-Zoom.")
    ] = "plain",
    per_image: Annotated[
        int, typer.Option(help="Questions of one image and way, at most.", min=1, metavar="N")
    ] = 12,
    held_out: Annotated[
        float,
        typer.Option(help="Part of the images to write to FILE.held_out.jsonl instead.", min=0, max=0.9),
    ] = 0.0,
    seed: Seed = 0,
    device: Device = None,
    resume: ResumeTeacher = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist, discard an unfinished run.")
    ] = False,
    report: BalanceReport = None,
) -> None:
    """Make questions that need zooming, with their answers and boxes, from annotated images.

    Answers come from the annotation. A teacher's are checked against it and asked again blind. The balance
    report goes to stderr.
    """
    from detection_eval.formats import split_format
    from rscovlm.data.zoom.balance import table
    from rscovlm.data.zoom.build import build
    from rscovlm.data.zoom.rules import EvidenceRules
    from rscovlm.data.zoom.sources import ANNOTATION_FORMATS, read_annotations
    from rscovlm.models.families import family_named

    rules = EvidenceRules(max_object_px=max_object_px, square=square, **_margin(margin))
    plan = _plan(ways, teacher, per_image, seed, held_out, rules, choice_words, check_overview)
    learner = family_named(family)
    if max_pixels is not None:
        learner = learner.with_max_pixels(max_pixels)
    inputs = (split_format(annotations, ANNOTATION_FORMATS)[0],)
    check_taught(output, report, inputs, resume=resume, overwrite=overwrite)
    source = read_annotations(annotations, images)
    objects = sum(len(image.things) for image in source.images)
    note(f"{source.format}: {counted(len(source.images), 'image')}, {counted(objects, 'object')}")
    asked = teacher_named(teacher, teacher_family) if "teacher" in plan.ways else None
    parameters = _parameters(asked, source, plan)
    with teacher_journal(output, parameters, resume=resume, overwrite=overwrite) as journal:
        with asking_teacher(asked, device, "image") as (engine, progress):
            data = build(
                source.images, learner.resolution, plan, teacher=engine, store=journal, progress=progress
            )
        if not data.items and not data.failed:
            note(table(data.report))
            raise UsageError(
                f"no question needs zooming for {family} at this budget; see --max-pixels and --max-object-px"
            )
        _write(data, source, output, report)
        if journal is not None and not data.failed:
            journal.remove()
    _finish(data, source, output)


def _plan(
    ways: str,
    teacher: str | None,
    per_image: int,
    seed: int,
    held_out: float,
    rules: EvidenceRules,
    choice_words: str,
    check_overview: bool,
) -> ZoomPlan:
    from rscovlm.data.zoom.build import ZoomPlan
    from rscovlm.data.zoom.teacher import TeacherRules

    chosen = cast("tuple[Way, ...]", read_list(ways, "--ways") or ())  # checked by ``ZoomPlan``
    plan = ZoomPlan(
        ways=chosen,
        per_image=per_image,
        seed=seed,
        held_out=held_out,
        rules=rules,
        asking=TeacherRules(overview=check_overview),
        choice_words=choice_words,
    )
    check_teacher(chosen, teacher)
    return plan


def _margin(text: str) -> dict[str, float]:
    """The rule of the margin that an option states."""
    name = "margin_px" if text.endswith("px") else "margin"
    try:
        value = float(text.removesuffix("px"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--margin {text!r} is no margin; give a part such as 0.25, or pixels such as 200px")
    return {name: value}


def _parameters(teacher: Checkpoint | None, source: Source, plan: ZoomPlan) -> dict[str, Any] | None:
    """What the replies of a teacher depend on; None where nobody is asked."""
    from rscovlm.data.zoom.teacher import PROMPT_VERSION

    if teacher is None:
        return None
    return {
        "teacher": teacher.identity,
        "annotations": digest_of(source.images),
        "seed": plan.seed,
        "rules": asdict(plan.rules),
        "pairs": plan.asking.pairs,
        "prompts": PROMPT_VERSION,
    }


def _write(data: ZoomData, source: Source, output: Path, report: Path | None) -> None:
    from detection_eval.files import write_json
    from rscovlm.data.store import write_samples

    apart = [image for image, split in data.splits.items() if split == "held_out"]
    if apart:
        beside = output.with_name(f"{output.stem}.held_out{output.suffix}")
        write_samples(beside, data.samples(source.images, output.parent, "held_out"))
    write_samples(output, data.samples(source.images, output.parent, "train"))
    if report is not None:
        write_json(report, data.report, indent=1)


def _finish(data: ZoomData, source: Source, output: Path) -> None:
    from rscovlm.data.zoom.balance import table

    note(table(data.report))
    for line in source.skipped[:_LISTED]:
        note(f"left out: {line}")
    print(output)
    require_replies(data)
    if source.skipped:
        raise Incomplete(
            f"{counted(len(source.skipped), 'image is', 'images are')} left out, "
            f"the first: {source.skipped[0]}"
        )
