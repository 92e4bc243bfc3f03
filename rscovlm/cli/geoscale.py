"""``rscovlm geoscale``: questions whose right answer depends on the scale of an image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from detection_eval.words import counted
from rscovlm.cli.options import Device, Seed, read_list
from rscovlm.cli.outputs import Overwrite
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
    from rscovlm.data.annotations import Annotated as AnnotatedImage
    from rscovlm.data.geoscale.questions import Way


def geoscale(
    output: Annotated[
        Path,
        typer.Option(help="The sample file to write; views go to images/ there.", metavar="FILE.jsonl"),
    ],
    annotations: Annotated[
        list[str] | None,
        typer.Argument(
            help="Annotated images of known scale, as rscovlm zoom-data reads them.",
            metavar="[ANNOTATIONS[:FORMAT]]...",
        ),
    ] = None,
    images: Images = None,
    synthetic: Annotated[
        int, typer.Option(help="Views of synthetic scenes from 0.1 to 30 m per pixel.", min=0, metavar="N")
    ] = 0,
    side: Annotated[int, typer.Option(help="Side of views, px.", min=16, metavar="PX")] = 448,
    per_tier: Annotated[
        int, typer.Option(help="Views of each annotated image and tier of scale.", min=1, metavar="N")
    ] = 2,
    per_view: Annotated[
        int, typer.Option(help="Questions of a view by templates, at most.", min=1, metavar="N")
    ] = 6,
    ways: Annotated[
        str, typer.Option(help="How questions are made: templates, teacher.", metavar="A,B")
    ] = "templates",
    teacher: Teacher = None,
    teacher_family: TeacherFamily = None,
    stated: Annotated[
        bool, typer.Option("--stated", help="Begin each question by stating the scale in words.")
    ] = False,
    seed: Seed = 0,
    device: Device = None,
    resume: ResumeTeacher = False,
    overwrite: Overwrite = False,
    report: BalanceReport = None,
) -> None:
    """Make questions whose right answer depends on scale, with views at many scales, from annotated images.

    Three tiers of scale (objects below 1 m, structures to 10 m, land cover above) get about as many questions
    each. Answers come from annotation and true scale; a teacher's are asked again without the answer.
    """
    from detection_eval.files import write_json
    from detection_eval.formats import split_format
    from rscovlm.data.geoscale.build import ScalePlan, build_scales
    from rscovlm.data.geoscale.teacher import PROMPT_VERSION
    from rscovlm.data.geoscale.views import annotated_views, synthetic_views
    from rscovlm.data.store import write_samples
    from rscovlm.data.zoom.sources import ANNOTATION_FORMATS

    chosen = cast("tuple[Way, ...]", read_list(ways, "--ways") or ())  # checked by ``ScalePlan``
    plan = ScalePlan(ways=chosen, seed=seed, per_view=per_view)
    check_teacher(chosen, teacher)
    if not annotations and not synthetic:
        raise UsageError("there is nothing to ask about; give annotated images, --synthetic N or both")
    inputs = [split_format(each, ANNOTATION_FORMATS)[0] for each in annotations or ()]
    check_taught(output, report, inputs, resume=resume, overwrite=overwrite)
    found, left_out = _annotated(annotations or [], images), Counter[str]()
    views = [*annotated_views(found, side, per_tier, seed, left_out), *synthetic_views(synthetic, side, seed)]
    for reason, count in left_out.most_common():
        note(f"left out: {reason}: {count}")
    if not views:
        raise UsageError(
            "no view can be shown: no image states its scale and is large enough; give georeferenced images"
        )
    asked = teacher_named(teacher, teacher_family)
    parameters: dict[str, Any] | None = None
    if asked is not None:
        facts = {"annotations": digest_of(found), "synthetic": synthetic, "side": side, "per_tier": per_tier}
        parameters = {"teacher": asked.identity, "seed": seed, "prompts": PROMPT_VERSION, **facts}
    with teacher_journal(output, parameters, resume=resume, overwrite=overwrite) as journal:
        with asking_teacher(asked, device, "view") as (engine, progress):
            data = build_scales(views, plan, teacher=engine, store=journal, progress=progress)
        if not data.questions and not data.failed:
            raise UsageError("no question can be asked about these views; give more of them")
        data.write_images(output.parent)
        write_samples(output, data.samples(stated))
        if report is not None:
            write_json(report, data.report, indent=1)
        if journal is not None and not data.failed:
            journal.remove()
    note(_table(data.report))
    print(output)
    require_replies(data)


def _annotated(specs: list[str], images: Path | None) -> list[AnnotatedImage]:
    from rscovlm.data.zoom.sources import read_annotations

    found: dict[str, AnnotatedImage] = {}
    for spec in specs:
        for image in read_annotations(spec, images).images:
            if image.id in found:
                raise UsageError(f"two images are called {image.id}; give one of their sources alone")
            found[image.id] = image
    return list(found.values())


def _table(summary: dict[str, Any]) -> str:
    """The report as lines of text for a terminal."""
    lines = [f"{counted(summary['samples'], 'question')} about {counted(summary['views'], 'view')}"]
    for name in ("tier", "kind", "way"):
        lines.append(f"{name}: " + ", ".join(f"{key} {count:,}" for key, count in summary[name].items()))
    for topic, answers in summary["topic"].items():
        first = ", ".join(f"{answer} {count:,}" for answer, count in list(answers.items())[:6])
        lines.append(f"{topic}: {first}")
    for step, reasons in summary["left_out"].items():
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items() if count)
        if told:
            lines.append(f"left out, {step}: {told}")
    return "\n".join(lines)
