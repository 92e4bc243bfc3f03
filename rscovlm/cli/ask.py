"""``rscovlm ask``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.ask_evidence import check_evidence, write_evidence
from rscovlm.cli.destinations import goes_on
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.opening import open_model, open_scene, placed
from rscovlm.cli.option_groups import SceneOptions, ZoomingOptions, with_options
from rscovlm.cli.options import AsJson
from rscovlm.cli.outputs import Overwrite, Resume, check_file, check_outputs
from rscovlm.cli.reply_journal import end_of_run, journal_beside, kept_replies
from rscovlm.cli.terminal import printable
from rscovlm.errors import UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.recipe import Recipe
    from rscovlm.tasks.votes import Vote
    from tiling.scene import Scene
    from zoom_chain.chat import Generation
    from zoom_chain.controller import Answer
    from zoom_chain.settings import ZoomSettings
    from zoom_chain.trace import Trace, ViewRecord


_NOT_WHOLE = {
    "error": "the chain failed",
    "cut_off": "the reply was cut off by the limit of new tokens",
    "no_answer": "the model gave no answer",
    "partial": "parts of the scene were not examined",
}
"""Ends of a chain that leave a question without a whole answer."""


class Zoom(StrEnum):
    """Names of the zoom policies, for the help text."""

    off = "off"
    single = "single"
    chain = "chain"
    focus = "focus"
    tree = "tree"
    retrieve = "retrieve"
    sweep = "sweep"
    auto = "auto"


@dataclass(frozen=True)
class Asked:
    """A question, with the answer that is known to be right, its category and options, where stated."""

    question: str
    expected: str | None = None
    category: str | None = None
    options: tuple[str, ...] = ()


@with_options(reading=SceneOptions, running=ZoomingOptions)
def ask(
    scene: Annotated[str, typer.Argument(help="Anything that GDAL reads.", metavar="SCENE")],
    question: Annotated[
        list[str] | None, typer.Argument(help="One or more questions.", metavar="[QUESTION]...")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            help='Questions, one a line; or .jsonl with "question" and perhaps "answer" and "options".'
        ),
    ] = None,
    zoom: Annotated[Zoom | None, typer.Option(help="How far to zoom; as --config says by default.")] = None,
    max_zooms: Annotated[int | None, typer.Option(help="Most crops of a question.", min=0)] = None,
    max_tiles: Annotated[
        int | None, typer.Option(help="Most tiles of a question that is answered by a sweep.", min=1)
    ] = None,
    max_views: Annotated[
        int | None,
        typer.Option(help="Most views that are judged to find where to look (tree, retrieve).", min=1),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Seconds after which a question is to be answered.", min=0)
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="End each question with a request for a word or short phrase.")
    ] = False,
    structured: Annotated[
        bool,
        typer.Option(
            "--structured",
            help="Hold each reply to words and a whole call of the zoom tool, and lists of objects to their "
            "format; for models in vLLM.",
        ),
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(help="Write what was looked at: .html or .json.", metavar="FILE")
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            help="Write the objects that answers count there, with the number and text of their question: "
            ".gpkg, .geojson and other map layers.",
            metavar="FILE",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the answers there, not to stdout.", metavar="FILE")
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ZoomingOptions,
) -> None:
    """Ask about a scene; the model zooms in to see what it needs.

    Replies are kept in OUTPUT.journal.jsonl as they come, so that the same command with --resume goes on
    after an interruption, and asks again for nothing that was answered.
    """
    asked = [Asked(text) for text in question or []]
    if questions is not None:
        asked += read_questions(questions)
    if not asked or any(not item.question.strip() for item in asked):
        raise UsageError('there is no question; give one as text ("How many ships?") or --questions FILE')
    check_file(trace, "--trace", (".html", ".json"))
    check_file(output, "--output", (".txt", ".json"))
    beside = {"--output": output, "--trace": trace}
    outputs = {**beside, "--evidence": evidence}
    kept_at = journal_beside(beside, resume=resume, overwrite=overwrite)
    going_on = kept_at is not None and goes_on([kept_at], outputs.values(), resume=resume)
    check_outputs(outputs, (scene, questions, running.config), overwrite=overwrite, resume=going_on)
    as_json = as_json or (output is not None and output.suffix.lower() == ".json")

    from rscovlm.tasks.ask import ask as ask_scene
    from rscovlm.tasks.replies import reply_facts
    from rscovlm.tasks.votes import vote_of_runs

    recipe = running.recipe()
    texts = [recipe.question(item.question, item.options, short=short) for item in asked]
    zoomable = [recipe.zooms(item.question, item.category) for item in asked]
    with open_scene(scene, reading) as opened:
        checkpoint = running.checkpoint(recipe)
        settings = zoom_settings(
            recipe,
            checkpoint.family,
            zoom,
            max_zooms,
            max_tiles=max_tiles,
            max_views=max_views,
            max_seconds=max_seconds,
        )
        if evidence is not None:
            check_evidence(evidence, opened, settings.policy.name)
        options = running.generation(recipe, 512)
        if running.dry_run:
            _print_opening(opened, texts[0], checkpoint.family, settings, options, zoomable[0])
            print_memory(checkpoint)
            return
        placing = (None, None) if kept_at is None else placed(checkpoint, running.device)
        facts = reply_facts(checkpoint.identity, *placing)
        with (
            kept_replies(kept_at, facts, resume=resume, overwrite=overwrite) as journal,
            open_model(checkpoint, running.device) as engine,
            Progress("answering", "question") as progress,
        ):
            votes = vote_of_runs(
                running.n,
                lambda drawn: ask_scene(
                    opened,
                    texts,
                    engine,
                    zoomable=zoomable,
                    settings=settings,
                    options=drawn,
                    progress=progress,
                    journal=journal,
                    structured=structured,
                    thumbnails=trace is not None,
                ),
                options,
            )
            answers = [each.answer for each in votes]
            name = engine.name
            if all(answer.stop_reason == "error" and not answer.trace.views for answer in answers):
                # Not even the overview could be read.
                raise UsageError(answers[0].trace.error or f"{scene} cannot be read")
        if evidence is not None:
            write_evidence(evidence, opened, answers, name)
    if trace is not None:
        _write_trace(trace, answers)
    text = _as_json(scene, name, asked, answers, votes if running.n > 1 else None) if as_json else None
    if text is None and output is None:
        _tell(asked, answers)
        if running.n > 1:
            _tell_votes(votes)
    else:
        _deliver(text or "".join(_line(*pair) + "\n" for pair in zip(asked, answers)), output)
    _tell_expected(asked, answers)
    end_of_run(kept_at, _missing(votes), unasked=any(each.failures or _empty(each.answer) for each in votes))


def read_questions(path: Path) -> list[Asked]:
    """The questions in a file: one a line, or a JSON object a line where the file ends in ``.jsonl``.

    Raises:
        UsageError: the file holds no questions, or a line is an object without one.
        FormatError: a line is not JSON, or not UTF-8.
        OSError: the file cannot be read.
    """
    from detection_eval.formats.lines import json_lines, numbered_lines

    if path.suffix.lower() == ".jsonl":
        found = [_question(place, record) for place, record in json_lines(path)]
    else:
        found = [Asked(line) for _, line in numbered_lines(path)]
    if not found:
        raise UsageError(f"{path} holds no questions")
    return found


def _question(place: str, record: Any) -> Asked:
    text = record.get("question") if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise UsageError(f'{place}: no "question"; give objects such as {{"question": "How many ships?"}}')
    expected, category, options = record.get("answer"), record.get("category"), record.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise UsageError(f'{place}: "options" is {options!r:.60}; give a list of texts: ["red", "white"]')
    return Asked(
        text,
        None if expected is None else str(expected),
        None if category is None else str(category),
        tuple(options),
    )


def zoom_settings(
    recipe: Recipe, family: ModelFamily, zoom: Zoom | None, max_zooms: int | None, **bounds: float | None
) -> ZoomSettings:
    """The zoom settings of a recipe, with what the options change in them; ``bounds`` of its budget."""
    from zoom_chain.policies import POLICIES

    settings = recipe.zoom(family)
    if zoom is not None:
        settings = replace(settings, policy=POLICIES[zoom.value])
    stated = {"max_zooms": max_zooms, **bounds}
    given: dict[str, Any] = {name: bound for name, bound in stated.items() if bound is not None}
    return replace(settings, budget=replace(settings.budget, **given)) if given else settings


def _print_opening(
    scene: Scene,
    question: str,
    family: ModelFamily,
    settings: ZoomSettings,
    options: Generation,
    zoomable: bool,
) -> None:
    """The first request about a question, as the model would get it."""
    from rscovlm.tasks.task import Prompt
    from zoom_chain.looks import coarseness

    view, dialect = scene.overview(family.resolution), family.dialect
    closer = coarseness(view) >= settings.crops.min_gain
    offered = zoomable and settings.policy.offers_tool and closer
    zoom = Prompt(dialect.system_prompt, question + dialect.user_suffix)
    print_request(zoom if offered else Prompt(None, question), [view.size], family, options)


def zoom_line(record: ViewRecord, number: int) -> str:
    """What a zoom looked at: ``zoom 2: 512 x 512 px at (1024, 2048), 4.0x, 0.30 m/px``."""
    window = record.closer
    place = f"{window.width:.0f} x {window.height:.0f} px at ({window.x:.0f}, {window.y:.0f})"
    ground = "" if record.gsd_m is None else f", {record.gsd_m:.3g} m/px"
    return f"zoom {number}: {place}, {record.magnification:.1f}x{ground}"


def _tell(asked: Sequence[Asked], answers: Sequence[Answer]) -> None:
    """Answers to stdout, and what was looked at for each to stderr before it."""
    for item, answer in zip(asked, answers):
        if len(asked) > 1:
            note(item.question)
        for line in _looked_at(answer.trace):
            note(f"  {line}")
        if answer.stop_reason not in ("answered", "confident"):
            reason = answer.stop_reason.replace("_", " ")
            error = answer.trace.error
            told = f": {printable(error)}" if error and error not in answer.trace.notes else ""
            note(f"  ended by {reason}{told}")
        print(_line(item, answer), flush=True)


def _looked_at(trace: Trace) -> list[str]:
    """What was looked at beside the overview, and what a reader has to know of it."""
    chosen, closer = trace.settings.get("chosen"), trace.views[1:]
    lines = [f"answered by {chosen}: {trace.settings['why']}"] if chosen else []
    if "sweep" in (chosen, trace.settings["policy"]) and chosen in (None, "sweep"):
        lines.append(f"{counted(len(closer), 'tile')}, {counted(len(trace.evidence), 'object')}")
    else:
        ranked = sum(record.ranked for record in closer)
        lines += [f"{counted(ranked, 'view')} ranked"] if ranked else []
        numbered = enumerate(closer, start=1)
        lines += [zoom_line(record, number) for number, record in numbered if not record.ranked]
    return [*lines, *trace.notes]


def _line(item: Asked, answer: Answer) -> str:
    text = " ".join(printable(answer.text).split())
    return text if item.expected is None else f"{text}\t(expected: {item.expected})"


def _tell_votes(votes: Sequence[Vote]) -> None:
    """How far the runs agree, to stderr."""
    for each in votes:
        others = [text for text in each.answers if text != each.answer.text]
        besides = f"; others said {', '.join(map(repr, others))}" if others else ""
        note(printable(f"  {each.agreement:.0%} of the runs agree on {each.answer.text!r}{besides}"))


def _as_json(
    source: str,
    model: str,
    asked: Sequence[Asked],
    answers: Sequence[Answer],
    votes: Sequence[Vote] | None,
) -> str:
    from rscovlm.tasks.provenance import version

    found: dict[str, Any] = {
        "scene": source,
        "model": model,
        "version": version(),
        "answers": [_record(*pair) for pair in zip(asked, answers)],
    }
    for record, each in zip(found["answers"], votes or ()):
        record["votes"] = {"agreement": each.agreement, "answers": each.answers}
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _record(item: Asked, answer: Answer) -> dict[str, Any]:
    from rscovlm.tasks.questions import is_right

    trace = answer.trace
    record: dict[str, Any] = {"question": item.question, "answer": answer.text}
    if item.expected is not None:
        record |= {
            "expected": item.expected,
            "as_expected": is_right(answer.text, item.expected, item.options),
        }
    return record | {
        "stop_reason": answer.stop_reason,
        "error": trace.error,
        "policy": trace.settings.get("chosen") or trace.settings["policy"],
        "gsd": trace.scene["gsd"],
        "notes": list(trace.notes),
        "objects": [
            {"label": found.label, "polygon": found.polygon, "lonlat": found.lonlat}
            for found in trace.evidence
        ],
        "views": [_view_record(view) for view in trace.views],
        "visual_tokens": trace.visual_tokens,
        "seconds": round(trace.seconds, 3),
    }


def _view_record(record: ViewRecord) -> dict[str, Any]:
    return {
        "window": record.view.window.to_json(),
        "size": record.view.size.to_json(),
        "magnification": record.magnification,
        "gsd_m": record.gsd_m,
        "lonlat_bounds": record.lonlat_bounds,
    }


def _deliver(text: str, output: Path | None) -> None:
    """To stdout, or to a file that appears when it is complete."""
    if output is None:
        print(text, end="", flush=True)
        return
    from detection_eval.files import write_text

    write_text(output, text)


def _write_trace(path: Path, answers: Sequence[Answer]) -> None:
    """An HTML report, or a JSON array with a trace for each question."""
    traces = [answer.trace for answer in answers]
    if path.suffix.lower() == ".html":
        from zoom_chain.report import write_report

        write_report(path, traces)
    else:
        _deliver("[" + ",\n".join(trace.to_json() for trace in traces) + "]\n", path)


def _tell_expected(asked: Sequence[Asked], answers: Sequence[Answer]) -> None:
    """How many answers are as expected, to stderr, where that is known."""
    from rscovlm.tasks.questions import is_right

    known = [
        (answer.text, item.expected, item.options)
        for item, answer in zip(asked, answers)
        if item.expected is not None
    ]
    if known:
        right = sum(is_right(*stated) for stated in known)
        note(f"{right} of {counted(len(known), 'answer')} as expected")


def _missing(votes: Sequence[Vote]) -> str | None:
    """The questions without a whole answer, or with runs that failed; None where there are none."""
    parts, questions = [], counted(len(votes), "question")
    if partial := [each.answer for each in votes if each.answer.stop_reason in _NOT_WHOLE]:
        first = partial[0]
        noted = first.trace.notes[-1:] if first.stop_reason == "partial" else ()
        reason = first.failure or next(iter(noted), _NOT_WHOLE[first.stop_reason])
        parts.append(f"{len(partial)} of {questions} without a whole answer: {reason}")
    if failed := [each for each in votes if each.failures and each.answer.stop_reason not in _NOT_WHOLE]:
        parts.append(f"{len(failed)} of {questions} with runs that failed: {failed[0].failures[0]}")
    return "; ".join(parts) or None


def _empty(answer: Answer) -> bool:
    """Whether the model replied nothing, which no journal keeps."""
    turns = answer.trace.turns
    return bool(turns) and not turns[-1].reply.strip()
