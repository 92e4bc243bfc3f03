"""``rscovlm classify``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.destinations import goes_on
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.opening import open_model, open_scene, placed
from rscovlm.cli.option_groups import ModelOptions, SceneOptions, with_options
from rscovlm.cli.options import AsJson, Classes, read_classes
from rscovlm.cli.outputs import Overwrite, Resume, check_file, check_outputs
from rscovlm.cli.reply_journal import end_of_run, journal_beside, kept_replies
from rscovlm.cli.scenes import Scenes, read_scenes
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.classify import SceneClass
    from zoom_chain.chat import Generation


@with_options(reading=SceneOptions, running=ModelOptions)
def classify(
    scenes: Scenes,
    classes: Classes = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the classes there, not to stdout: .csv or .json.", metavar="FILE"),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ModelOptions,
) -> None:
    """Classify scenes as a whole, one class each.

    With --output, replies are kept in OUTPUT.journal.jsonl as they come, so that the same command with
    --resume goes on after an interruption.
    """
    from rscovlm.tasks.replies import JournalledModel, reply_facts

    recipe = running.recipe()
    checkpoint = running.checkpoint(recipe)
    chosen = checkpoint.family
    wanted = _known_classes(read_classes(classes) or recipe.classes, chosen, running.model)
    given = read_scenes(scenes)
    check_file(output, "--output", (".csv", ".json"))
    kept_at = journal_beside({"--output": output}, resume=resume, overwrite=overwrite)
    going_on = kept_at is not None and goes_on([kept_at], [output], resume=resume)
    inputs = (*given.sources, *given.lists, running.config)
    check_outputs({"--output": output}, inputs, overwrite=overwrite, resume=going_on)
    unreadable = _unreadable(given.sources, reading)
    readable = [source for source in given.sources if source not in unreadable]
    if not readable:
        raise UsageError(unreadable[given.sources[0]])
    options = running.generation(recipe, 32)
    if running.dry_run:
        _print_request(readable[0], wanted, chosen, options, reading)
        print_memory(checkpoint)
        return
    placing = (None, None) if kept_at is None else placed(checkpoint, running.device)
    facts = reply_facts(checkpoint.identity, *placing)
    with (
        kept_replies(kept_at, facts, resume=resume, overwrite=overwrite) as journal,
        open_model(checkpoint, running.device) as engine,
    ):
        asked = engine if journal is None else JournalledModel(engine, journal)
        found = _classified(given.sources, unreadable, asked, wanted, options, reading)
        if output is None and not as_json:
            found = _told(found, alone=len(given.sources) == 1)
        results = list(found)
    if all(result.error for result in results):
        raise UsageError(results[0].error or "")
    _deliver(results, output, as_json=as_json)
    unasked = any(result.error or not result.text.strip() for result in results)
    end_of_run(kept_at, _missing(results), unasked=unasked)


def _known_classes(names: Sequence[str] | None, family: ModelFamily, model: str) -> Sequence[str]:
    """The classes to choose from; those that a model has of its own are in its own spelling.

    Raises:
        UsageError: where there are none, or a model has others.
    """
    from detection_eval.text.labels import spoken

    own = {spoken(name): name for name in family.scene_classes or ()}
    wanted = names or family.scene_classes
    if wanted is None:
        raise UsageError(f"{model} has no scene classes of its own; name some with --classes a,b,c")
    family.check_known(wanted, family.scene_classes)
    return [own.get(spoken(name), name) for name in wanted]


def _print_request(
    source: str, classes: Sequence[str], family: ModelFamily, options: Generation, reading: SceneOptions
) -> None:
    """The request about a scene, as the model would get it."""
    from rscovlm.tasks.classify import Classification

    task = Classification(tuple(classes), family.classification_prompt, family.class_joiner)
    with reading.open(source) as scene:
        size = scene.overview(family.resolution).size
    print_request(task.prompt(), [size], family, options)


def _classified(
    sources: Sequence[str],
    unreadable: dict[str, str],
    engine: Engine,
    classes: Sequence[str],
    options: Generation,
    reading: SceneOptions,
) -> Iterator[SceneClass]:
    """The classes of scenes, in order, as they are found; open are only files of one batch."""
    from rscovlm.tasks.classify import TOGETHER, SceneClass, classify_scenes

    with Progress("classifying", "scene") as progress:
        for start in range(0, len(sources), TOGETHER):
            part = sources[start : start + TOGETHER]
            with ExitStack() as files:
                opened = [files.enter_context(reading.open(each)) for each in part if each not in unreadable]
                found = iter(classify_scenes(opened, engine, classes, options=options))
            for source in part:
                error = unreadable.get(source)
                yield next(found) if error is None else SceneClass(source, None, "", error)
            progress(start + len(part), len(sources))


def _told(results: Iterable[SceneClass], *, alone: bool) -> Iterator[SceneClass]:
    """The results, printed as they come; nothing is where nothing could be read."""
    waiting: list[SceneClass] = []
    told = False
    for result in results:
        waiting.append(result)
        told = told or result.error is None
        while told and waiting:
            each = waiting.pop(0)
            label = each.label or "?"
            print(label if alone else f"{each.source}\t{label}", flush=True)
        yield result


def _deliver(results: Sequence[SceneClass], output: Path | None, *, as_json: bool) -> None:
    """To a file that appears when it is complete, or as JSON to stdout."""
    from detection_eval.files import write_text

    rows = [asdict(result) for result in results]
    if output is not None and output.suffix.lower() == ".csv" and not as_json:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(output, text.getvalue())
    elif output is not None:
        write_text(output, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    elif as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))


def _missing(results: Sequence[SceneClass]) -> str | None:
    """How many scenes are without a class, and why the first is; None where all have one."""
    unclear = [result for result in results if result.label is None]
    if not unclear:
        return None
    first = unclear[0]
    reason = first.error or f"to {first.source} the model replied {first.text!r}, which names no one class"
    return f"{len(unclear)} of {counted(len(results), 'scene')} without a class: {reason}"


def _unreadable(sources: Sequence[str], reading: SceneOptions) -> dict[str, str]:
    """Why scenes cannot be looked at, by source; the others are classified all the same."""
    from tiling.errors import SceneError

    found = {}
    for source in sources:
        try:
            open_scene(source, reading).close()
        except SceneError as error:
            found[source] = str(error)
    return found
