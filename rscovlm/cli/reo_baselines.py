"""``rscovlm reo baselines``: what a model has to beat on the same plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.files import without_nan
from detection_eval.words import counted
from rscovlm.cli.options import AsJson, Device, Seed
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.cli.reo import Report, write_report
from rscovlm.cli.reo_plans import PLOTS, asked_heads, rooted, shown_plots
from rscovlm.errors import ModelError, UsageError
from rscovlm.progress import note

if TYPE_CHECKING:
    from rscovlm.scoring.predictions import Predictions

_SPLITS = ("train", "val", "test")


def baselines(
    file: Annotated[Path, typer.Argument(help=f"{PLOTS} with all three splits.", metavar="FILE")],
    model: Annotated[
        str | None, typer.Option(help="Ask the heads of this model about the same plots.", metavar="MODEL")
    ] = None,
    target: Annotated[str, typer.Option(help="Number of the plots.", metavar="NAME")] = "agb_mg_per_ha",
    train: Annotated[int, typer.Option(help="Most training plots, evenly among all.", min=8)] = 20_000,
    test: Annotated[int, typer.Option(help="Most validation, and test plots, likewise.", min=8)] = 5_000,
    output: Report = None,
    overwrite: Overwrite = False,
    device: Device = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score the mean, the mean of the land cover, ridge and boosted trees on bands, on tiles held out.

    Splits are by tile, as in training and benchmarks. Ridge and trees see the mean of each band about the
    middle and over the whole plot: of RGB, of all optical bands, and with radar.
    """
    from rscovlm.bench.results.tables import ResultTable
    from rscovlm.data.encoding import Encoder
    from rscovlm.data.number_tables import DESCRIBED
    from rscovlm.data.plot_source import sources_apart
    from rscovlm.models.checkpoints import NANO_FOLDER
    from rscovlm.reo.baselines import baseline_rows
    from rscovlm.reo.score import SCORES, rows_of
    from rscovlm.scoring.predictions import intervals

    check_file(output, "--output", (".html", ".md", ".json"))
    check_outputs({"--output": output}, [file], overwrite=overwrite)
    encoder = Encoder.of_checkpoint(NANO_FOLDER)  # no picture is shown: bands are read as they are
    limits = dict(zip(_SPLITS, (train, test, test), strict=True))
    splits = sources_apart(*rooted(file), encoder, 0, limits)
    known = [name for name in DESCRIBED if name in splits[0].places.numbers]
    if target not in known:
        raise UsageError(f"--target {target}: the plots have {', '.join(known)}")
    note(", ".join(f"{counted(len(each), 'plot')} of {each.split}" for each in splits))
    methods = baseline_rows(*splits, target=target)
    if model is not None:
        methods |= _of_model(model, file, target, test, device)
    scores = {name: intervals(own, SCORES, seed=seed) for name, own in methods.items()}
    head, rows = rows_of(methods, scores, "constant")
    unit = DESCRIBED[target]["unit"]
    table = ResultTable(
        f"Scores, {unit}", head, rows, ("skill: 1 - MSE / MSE of the mean of training plots.",)
    )
    stated = {name: {score: each._asdict() for score, each in own.items()} for name, own in scores.items()}
    data: dict[str, Any] = {
        "target": target,
        "unit": unit,
        "plots": {each.split: len(each) for each in splits},
        "scores": without_nan(stated),
    }
    if output is not None:
        write_report(output, f"Baselines of {file.name}", [table], data)
    print(json.dumps(data, indent=1) if as_json else table.to_text())


def _of_model(model: str, file: Path, target: str, plots: int, device: Device) -> dict[str, Predictions]:
    """What the heads of a model that give the target say of the test plots."""
    from rscovlm.models.checkpoints import resolve_here
    from rscovlm.models.inputs import number_heads, read_inputs, tiles_used

    checkpoint = resolve_here(model, "number heads need")
    inputs = read_inputs(checkpoint.local)
    heads = [name for name, gives in number_heads(checkpoint.local).items() if gives == target]
    if inputs is None or not heads:
        raise ModelError(f"{model} has no head that gives {target}")
    source = shown_plots(file, checkpoint, inputs, "test", plots)
    for what, tiles in tiles_used(checkpoint.local).items():
        shared = sorted(tiles & set(source.places.tile.tolist()))
        if shared:
            raise ModelError(
                f"{what} of {model} has seen {counted(len(shared), 'tile')} of the test plots, such as "
                f"{shared[0]}; give plots of other tiles"
            )
    return {f"{model}, {name}": each for name, each in asked_heads(checkpoint, heads, source, device).items()}
