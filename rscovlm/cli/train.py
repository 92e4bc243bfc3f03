"""``rscovlm train`` and ``rscovlm export``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.options import AsJson
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.training.config import TrainConfig
    from rscovlm.training.loop import Ending


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

    The folder gets log.jsonl, tensorboard/, checkpoints/ and, at the end, model/, which --model loads.
    """
    from rscovlm.training.config import load_train_config

    settings = load_train_config(config, overrides or [])
    if dry_run:
        _report(settings, as_json)
        return
    _quiet()
    from rscovlm.training.run import run_folder, run_training

    folder = output or run_folder(settings, config)
    # Of several processes the first one speaks.
    with Progress("training", "steps") if _is_first() else nullcontext() as progress:
        ending = run_training(settings, folder, going_on=resume, progress=progress)
    _finish(ending, folder, settings, as_json)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.", metavar="RUN")],
    output: Annotated[Path, typer.Option(help="Folder to write.", metavar="FOLDER")],
    merge: Annotated[bool, typer.Option("--merge", help="Fold adapters into the weights.")] = False,
) -> None:
    """Write the newest checkpoint of a run as a model that --model loads, or its adapters."""
    _quiet()
    from rscovlm.training.export import export_run

    done = export_run(run, output, merge)
    print(done.folder)
    if done.checked is False:
        raise Incomplete(
            f"{done.folder} is written, but says something else than the adapters did: rounding to bfloat16 "
            "changed a close decision; compare both on your own data"
        )


def _is_first() -> bool:
    return int(os.environ.get("RANK", 0)) == 0


def _quiet() -> None:
    """Keep libraries from writing between the lines of progress."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.disable_progress_bar()


def _report(settings: TrainConfig, as_json: bool) -> None:
    import json

    from rscovlm.training.dry_run import dry_run, print_report

    with Progress("encoding", "samples") as progress:
        report = dry_run(settings, progress)
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
    else:
        print_report(report, settings)


def _finish(ending: Ending, folder: Path, settings: TrainConfig, as_json: bool) -> None:
    """Export what was learnt and tell where it is; one process does."""
    if not _is_first():
        return
    if ending.stopped_by is not None:
        raise Interrupted(
            f"stopped by {ending.stopped_by} after step {ending.step}, which is saved; go on with --resume"
        )
    import json

    from rscovlm.training.export import export_run

    model = folder / "model"
    done = export_run(folder, model, merge=settings.tuning.method != "full", replace=True)
    summary = {"model": str(model), "step": done.step, "run": str(folder)}
    print(json.dumps(summary) if as_json else model)
    if done.checked is False:
        print(
            "the merged model says something else than the adapters did; see `rscovlm export`",
            file=sys.stderr,
        )
