"""``rscovlm classify``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from detection_eval.words import counted
from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.opening import open_model, open_scene
from rscovlm.cli.option_groups import ModelOptions, SceneOptions, with_options
from rscovlm.cli.options import AsJson, Classes, read_classes
from rscovlm.cli.scenes import Scenes, read_scenes
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.tasks.classify import SceneClass


@with_options(reading=SceneOptions, running=ModelOptions)
def classify(
    scenes: Scenes,
    classes: Classes = None,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
    running: ModelOptions,
) -> None:
    """Classify scenes as a whole, one class each."""
    from rscovlm.tasks.classify import TOGETHER, Classification, SceneClass, classify_scenes

    recipe = running.recipe()
    checkpoint = running.checkpoint(recipe)
    chosen = checkpoint.family
    wanted = read_classes(classes) or recipe.classes or chosen.scene_classes
    if wanted is None:
        raise UsageError(f"{running.model} has no scene classes of its own; name some with --classes a,b,c")
    chosen.check_known(wanted, chosen.scene_classes)
    sources = read_scenes(scenes).sources
    unreadable = _unreadable(sources, reading)
    readable = [source for source in sources if source not in unreadable]
    if not readable:
        raise UsageError(unreadable[sources[0]])
    results: list[SceneClass] = []
    options = running.generation(recipe, 32)
    if running.dry_run:
        task = Classification(tuple(wanted), chosen.classification_prompt, chosen.class_joiner)
        with reading.open(readable[0]) as first:
            size = first.overview(chosen.resolution).size
        print_request(task.prompt(), [size], chosen, options)
        print_memory(checkpoint)
        return
    with (
        open_model(checkpoint, running.device) as engine,
        Progress("classifying", "scene") as progress,
    ):
        for start in range(0, len(readable), TOGETHER):
            # No more files are open at once than are looked at together.
            with ExitStack() as files:
                batch = [
                    files.enter_context(reading.open(source)) for source in readable[start : start + TOGETHER]
                ]
                results += classify_scenes(batch, engine, wanted, options=options)
            progress(len(results), len(readable))
    classified = iter(results)
    results = [
        SceneClass(source, None, "", unreadable[source]) if source in unreadable else next(classified)
        for source in sources
    ]
    if all(result.error for result in results):
        raise UsageError(results[0].error or "")
    if as_json:
        print(json.dumps([asdict(result) for result in results], ensure_ascii=False, indent=1))
    else:
        for result in results:
            label = result.label or "?"
            print(label if len(results) == 1 else f"{result.source}\t{label}")
    unclear = [result for result in results if result.label is None]
    if unclear:
        missing = unclear[0]
        reason = (
            missing.error
            or f"to {missing.source} the model replied {missing.text!r}, which names no one class"
        )
        raise Incomplete(f"{len(unclear)} of {counted(len(results), 'scene')} without a class: {reason}")


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
