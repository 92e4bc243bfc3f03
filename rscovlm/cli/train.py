"""``rscovlm train`` and ``rscovlm export``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.options import AsJson
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from rscovlm.training.config import Stage
    from rscovlm.training.settings import TrainConfig
    from rscovlm.training.stages import Trained


def train(
    config: Annotated[
        str, typer.Argument(help="A name in configs/train (synth) or a YAML file.", metavar="CONFIG")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings in place of the file's: optimizer.lr=1e-5 ...", metavar="[KEY=VALUE]..."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/CONFIG by default.", metavar="FOLDER")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the mix will bring, before any model loads.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on a mix; on several devices by torchrun, deepspeed or accelerate launch.

    The folder gets log.jsonl, tensorboard/, checkpoints/ and, at the end, model/, which --model loads; a
    configuration of several stages has a folder with these for each of them, under stages/.
    """
    from rscovlm.training.config import load_stages

    stages = load_stages(config, overrides or [])
    quiet_libraries()
    if dry_run:
        for stage in stages:
            _report(replace(stage, config=_with_model(stage, stages)), as_json)
        return
    from rscovlm.training.run import run_folder
    from rscovlm.training.stages import run_stages

    folder = output or run_folder(stages[-1].config, config)
    # Of several processes the first one speaks.
    with Progress("training", "step") if _is_first() else nullcontext() as progress:
        trained = run_stages(stages, folder, going_on=resume, progress=progress)
    if _is_first():
        _finish(trained, folder, as_json)


def _with_model(stage: Stage, stages: list[Stage]) -> TrainConfig:
    """The configuration of a stage with the first one's model, which reads and writes as its own will."""
    first = stages[0].config
    return stage.config.model_copy(update={"model": first.model, "fresh": first.fresh})


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.", metavar="RUN")],
    output: Annotated[Path, typer.Option(help="Folder to write.", metavar="FOLDER")],
    merge: Annotated[bool, typer.Option("--merge", help="Fold adapters into the weights.")] = False,
    gsd: Annotated[
        str | None,
        typer.Option(
            help="Metres per pixel at which gated adapters are baked into plain ones, such as 0.3,1,10; with "
            "--merge the one at which they are folded in.",
            metavar="M[,M...]",
        ),
    ] = None,
) -> None:
    """Write the newest checkpoint of a run as a model that --model loads, or its adapters."""
    quiet_libraries()
    from rscovlm.engines.vllm_settings import serving_arguments
    from rscovlm.tasks.passes import read_gsd
    from rscovlm.training.export import export_run

    done = export_run(run, output, merge, gsds_m=() if gsd is None else read_gsd(gsd))
    print(done.folder)
    if done.gap is not None:
        note(
            f"largest gap to continuous gates, at {done.gap.gsd_m:.3g} m: {done.gap.probability:.3g} in the "
            f"distribution of the next token (total variation), {done.gap.logit:.3g} in a logit"
        )
        note(f"vllm serve BASE {serving_arguments(sorted(done.folder.glob('gsd-*')))}")
    if done.checked is False:
        why = ": rounding to bfloat16 changed a close decision; compare both on your own data"
        differs = f"{done.folder} is written, but says something else than the adapters did"
        raise Incomplete(differs + (why if merge else ""))


def _is_first() -> bool:
    return int(os.environ.get("RANK", 0)) == 0


def quiet_libraries() -> None:
    """Keep libraries from writing between the lines of progress, and on stdout."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    from rscovlm.training.parallel import quiet_deepspeed

    quiet_deepspeed()
    logging.disable_progress_bar()


def _report(stage: Stage, as_json: bool) -> None:
    import json

    from rscovlm.training.dry_run import dry_run, print_report

    with Progress("encoding", "sample") as progress:
        report = dry_run(stage.config, progress)
    if as_json:
        print(json.dumps(({"stage": stage.name} if stage.name else {}) | report.to_json(), indent=1))
    else:
        print_report(report, stage.config)


def _finish(trained: Trained, folder: Path, as_json: bool) -> None:
    """Tell where the model is."""
    ending, done = trained.ending, trained.model
    if ending.stopped_by is not None or done is None:
        raise Interrupted(
            f"stopped by {ending.stopped_by} after step {ending.step}, which is saved; go on with --resume"
        )
    import json

    summary = {"model": str(done.folder), "step": done.step, "run": str(folder)}
    print(json.dumps(summary) if as_json else done.folder)
    if done.checked is False:
        print(
            "the merged model says something else than the adapters did; see `rscovlm export`",
            file=sys.stderr,
        )
