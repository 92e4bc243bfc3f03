"""``rscovlm ask``."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rscovlm.cli.ask_answers import (
    answer_line,
    answers_json,
    deliver,
    missing,
    tell,
    tell_expected,
    unasked,
    write_trace,
)
from rscovlm.cli.ask_evidence import check_evidence, write_evidence
from rscovlm.cli.ask_questions import Asked, read_questions
from rscovlm.cli.destinations import goes_on
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.opening import open_model, open_scene, placed
from rscovlm.cli.option_groups import SceneOptions, ZoomingOptions, with_options
from rscovlm.cli.options import AsJson
from rscovlm.cli.outputs import Overwrite, Resume, check_file, check_outputs
from rscovlm.cli.reply_journal import end_of_run, journal_beside, kept_replies
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.recipe import Recipe
    from tiling.scene import Scene
    from zoom_chain.chat import Generation
    from zoom_chain.settings import ZoomSettings


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
        write_trace(trace, answers)
    if as_json:
        deliver(answers_json(scene, name, asked, votes, voted=running.n > 1), output)
    elif output is not None:
        deliver("".join(answer_line(*pair) + "\n" for pair in zip(asked, answers)), output)
    else:
        tell(asked, votes, voted=running.n > 1)
    tell_expected(asked, answers)
    end_of_run(kept_at, missing(votes), unasked=unasked(votes))


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
