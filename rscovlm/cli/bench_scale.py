"""``rscovlm bench scale``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from rscovlm.cli.options import AsJson, Seed, read_list
from rscovlm.progress import note


def scale(
    output: Annotated[
        Path,
        typer.Option(help="Folder of the experiment; an interrupted one goes on.", metavar="FOLDER"),
    ],
    methods: Annotated[
        str | None,
        typer.Option(help="cs_hlora, text, buckets, lora, no_gsd; all by default.", metavar="A,B"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="That all methods start from: nano, a folder or a hub id.")
    ] = "nano",
    steps: Annotated[int, typer.Option(help="Optimizer steps of each method.", min=1)] = 150,
    batch: Annotated[int, typer.Option(help="Samples of a step.", min=1)] = 16,
    lr: Annotated[float, typer.Option(help="Peak learning rate.", min=0)] = 3e-3,
    train_views: Annotated[int, typer.Option(help="Synthetic views of training.", min=3)] = 900,
    test_views: Annotated[int, typer.Option(help="Synthetic views of the test.", min=3)] = 150,
    questions: Annotated[int, typer.Option(help="Questions of the test, at most.", min=1)] = 150,
    side: Annotated[int, typer.Option(help="Side of views, px.", min=16)] = 64,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train ways of conditioning on scale with one budget, and measure what each makes of it.

    Plain LoRA, the scale in words, a mixture of LoRA by buckets, CS-HLoRA, and the same without a scale; each
    told the true, predicted, noisy, missing and spoofed scale, on synthetic scenes of 0.1 to 30 m per pixel.
    """
    import json
    import os

    from rscovlm.scale.methods import Budget
    from rscovlm.scale.page import table, write_page
    from rscovlm.scale.run import run_experiment

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    budget = replace(
        Budget(), model=model, steps=steps, samples=batch, lr=lr, train_views=train_views,
        test_views=test_views, questions=questions, side=side, seed=seed,
    )  # fmt: skip
    results = run_experiment(output, budget, read_list(methods, "--methods"), note)
    page = write_page(results, output)
    print(json.dumps(results, indent=1) if as_json else f"{table(results)}\n{page}")
