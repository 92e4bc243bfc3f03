"""``rscovlm reo embed``: the cheapest head, on frozen features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from detection_eval.words import counted
from rscovlm.cli.opening import open_model
from rscovlm.cli.options import Device, Model
from rscovlm.cli.outputs import Overwrite, check_outputs
from rscovlm.cli.reo_plans import PLOTS
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.data.plot_source import PlotSource
    from rscovlm.models.checkpoints import Checkpoint


def embed(
    files: Annotated[
        list[Path],
        typer.Argument(help=f"{PLOTS} with training and validation plots.", metavar="FILE..."),
    ],
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder of the new checkpoint.", metavar="FOLDER")],
    name: Annotated[str, typer.Option(help="Of the head.")] = "agb",
    target: Annotated[str, typer.Option(help="Number of the plots.", metavar="NAME")] = "agb_mg_per_ha",
    views: Annotated[
        str | None,
        typer.Option(
            help="Images of a plot, such as natural,red_edge,swir,sar; by default those that the model has "
            "learnt, else natural.",
            metavar="NAMES",
        ),
    ] = None,
    readout: Annotated[
        Literal["center", "gaussian", "mean"], typer.Option(help="Visual tokens that count.")
    ] = "center",
    plots: Annotated[int, typer.Option(help="Most training plots, evenly among all.", min=8)] = 2000,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit a ridge regression on a frozen model's pooled states, as a head of a new checkpoint."""
    import numpy as np

    from rscovlm.engines.transformers import TransformersEngine
    from rscovlm.models.checkpoints import resolve_here
    from rscovlm.models.inputs import PatchInput
    from rscovlm.reo.cached import predicted_from
    from rscovlm.reo.embedding import as_states, features_of, fit_embed, write_embed
    from rscovlm.scoring.predictions import intervals
    from rscovlm.scoring.quantile_steps import LEAST, QuantileSteps

    checkpoint = resolve_here(model, "ridge on hidden states needs")
    check_outputs({"--output": output}, [*files, checkpoint.local], overwrite=overwrite)
    train, val = _sources(files, checkpoint, views, plots)
    known = [each for each in train.inputs["targets"] if np.isfinite(train.places.numbers[each]).any()]
    if target not in known:
        raise UsageError(f"--target {target}: the plots have {', '.join(known)}")
    images = len(train.views)
    with open_model(checkpoint, device) as engine:
        assert isinstance(engine, TransformersEngine), "a checkpoint in a folder runs here"
        features = []
        for source in (train, val):
            with Progress(f"reading {source.split}", "plot") as tell:
                features.append(features_of(engine.model, source, readout, tell))
        width = engine.model.config.get_text_config().hidden_size
    truth = [source.places.numbers[target] for source in (train, val)]
    own: dict[str, Any] = {"target": target, "readout": readout, "low": 0.0, "hard": True}
    fitted = fit_embed(width, images, features, truth, **own)
    said = predicted_from(fitted.head, as_states(features[1], images), val)
    if said.usable.sum() >= LEAST:
        fitted.head.steps = QuantileSteps.fit(said)
    inputs = PatchInput.model_validate(train.inputs)
    write_embed(checkpoint.local, output, name, fitted.head, inputs, val.places.tile.tolist())
    unit = inputs.targets[target].unit
    scores = intervals(said, ("rmse", "r2"))
    rmse = scores["rmse"]
    steps = (
        "intervals fitted there" if fitted.head.steps else f"too few to fit intervals, which takes {LEAST}"
    )
    print(
        f"{name}: ridge of {features[0].shape[1]} features, penalty {fitted.penalty:g}, on "
        f"{counted(len(train), 'plot')}; on {counted(len(val), 'validation plot')} RMSE {rmse.value:.1f} "
        f"({rmse.low:.1f} to {rmse.high:.1f}) {unit}, R2 {scores['r2'].value:.2f}, {steps}\n{output}"
    )


def _sources(
    files: list[Path], checkpoint: Checkpoint, views: str | None, plots: int
) -> tuple[PlotSource, PlotSource]:
    """Training and validation plots, shown alike, on tiles that share nothing."""
    from rscovlm.data.encoding import Encoder
    from rscovlm.data.plot_source import sources_apart
    from rscovlm.data.plot_views import shown_as
    from rscovlm.models.inputs import read_inputs

    encoder = Encoder.of_checkpoint(checkpoint.local)
    names = [str(file.resolve()) for file in files]
    learnt = read_inputs(checkpoint.local)
    shown: dict[str, Any] = {"views": ("natural",)} if learnt is None else shown_as(learnt)
    if views is not None:
        shown = {"views": tuple(name.strip() for name in views.split(","))}
    shown |= {"regions": None, "region_statistics": None}
    train, val = sources_apart(Path(), names, encoder, 0, {"train": plots, "val": plots}, **shown)
    return train, val
