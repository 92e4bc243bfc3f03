"""``rscovlm bench scale``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rscovlm.cli.failures import Interrupted
from rscovlm.cli.options import AsJson, Seed, read_list
from rscovlm.cli.train import quiet_libraries
from rscovlm.progress import note

if TYPE_CHECKING:
    from rscovlm.scale.methods import Pixels


def scale(
    output: Annotated[
        Path,
        typer.Option(help="Folder of the experiment; an interrupted one goes on.", metavar="FOLDER"),
    ],
    methods: Annotated[
        str | None,
        typer.Option(
            help="cs_hlora, normalised, text, buckets, lora, no_gsd; all by default.", metavar="A,B"
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="That all methods start from: nano, a folder or a hub id.")
    ] = "nano",
    steps: Annotated[int, typer.Option(help="Optimizer steps of each method.", min=1)] = 240,
    batch: Annotated[int, typer.Option(help="Samples of a step.", min=1)] = 16,
    lr: Annotated[float, typer.Option(help="Peak learning rate.", min=0)] = 3e-3,
    train_views: Annotated[int, typer.Option(help="Synthetic views of training.", min=3)] = 1500,
    calibration_views: Annotated[
        int, typer.Option(help="Synthetic views on which the head is calibrated.", min=20)
    ] = 300,
    test_views: Annotated[int, typer.Option(help="Synthetic views of the test.", min=3)] = 400,
    questions: Annotated[int, typer.Option(help="Questions of the test, at most.", min=1)] = 600,
    side: Annotated[int, typer.Option(help="Side of views, px.", min=16)] = 64,
    pixels: Annotated[
        str,
        typer.Option(
            help="silent: pictures at any scale, which only who is told it can know; telling: things of "
            "their true size."
        ),
    ] = "silent",
    left_out: Annotated[
        str | None,
        typer.Option(
            help="Train on nothing of this tier: objects, structures or 'land cover'.", metavar="TIER"
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train ways of conditioning on scale with one budget, and measure what each makes of it.

    CS-HLoRA, its weights as they are or normalised, the scale in words, a mixture of LoRA by buckets, plain
    LoRA, and CS-HLoRA without a scale; each told the true, predicted, noisy, missing and spoofed scale, on
    synthetic views of 0.1 to 30 m per pixel, beside an ideal reader of their pixels.
    """
    import json

    from rscovlm.scale.methods import Budget
    from rscovlm.scale.page import table, write_page
    from rscovlm.scale.run import Stopped, run_experiment

    quiet_libraries()
    budget = replace(
        Budget(), model=model, steps=steps, samples=batch, lr=lr, train_views=train_views,
        calibration_views=calibration_views, test_views=test_views, questions=questions, side=side,
        pixels=cast("Pixels", pixels), left_out=left_out, seed=seed,
    )  # fmt: skip
    try:
        results = run_experiment(output, budget, read_list(methods, "--methods"), note)
    except Stopped as stopped:
        raise Interrupted(f"{stopped}, which is saved; the same command goes on") from None
    page = write_page(results, output)
    print(json.dumps(results, indent=1) if as_json else f"{table(results)}\n{page}")
