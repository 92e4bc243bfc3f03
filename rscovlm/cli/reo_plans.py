"""``rscovlm reo stack``, ``calibrate`` and ``teach``: what is fitted beside training runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.opening import open_model
from rscovlm.cli.options import Device, Model
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import ModelError, UsageError
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rscovlm.data.plot_source import PlotSource
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.inputs import PatchInput
    from rscovlm.scoring.predictions import Predictions

PLOTS = "Plots of AGBD or AGBD-Lite (HDF5) or AGBD_raw (Parquet), a file or a folder,"

Plots = Annotated[Path, typer.Argument(help=f"{PLOTS} to fit on.", metavar="FILE")]
Most = Annotated[int, typer.Option(help="Most plots, evenly among all.", min=2, metavar="N")]


def stack(
    file: Plots,
    model: Model,
    name: Annotated[str, typer.Option(help="Of the ensemble.")] = "stacked",
    heads: Annotated[
        list[str] | None,
        typer.Option("--head", help="A member; by default those that give the same number.", metavar="NAME"),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Tiles that weights are fitted on: val, or all of FILE.")
    ] = "val",
    plots: Most = 1000,
    device: Device = None,
) -> None:
    """Fit the weights of an ensemble of heads on validation plots, and put it beside the model."""
    from rscovlm.models.checkpoints import resolve_here
    from rscovlm.models.inputs import number_heads, read_inputs
    from rscovlm.reo.stacking import save_ensemble

    checkpoint = resolve_here(model, "the heads of an ensemble need")
    folder = _to_change(checkpoint)
    inputs = read_inputs(folder)
    members = _alike(model, {k: v for k, v in number_heads(folder).items() if k != name}, heads)
    if inputs is None:
        raise ModelError(f"{model} has no number heads")
    tables = asked_heads(checkpoint, members, shown_plots(file, checkpoint, inputs, split, plots), device)
    for member, weight in save_ensemble(folder, name, tables, inputs.tiles).items():
        print(f"{member} {weight:.3f}")


def _to_change(checkpoint: Checkpoint) -> Path:
    """The folder of a checkpoint that something is put beside.

    Raises:
        ModelError: it is the one that ships, which every command shares.
    """
    from rscovlm.models.checkpoints import NANO_FOLDER

    if checkpoint.local.resolve() == NANO_FOLDER.resolve():
        raise ModelError(
            f"{checkpoint.spec} ships with the program and stays as it is; copy {NANO_FOLDER} and give that"
        )
    return checkpoint.local


def _alike(model: str, there: Mapping[str, str], heads: Sequence[str] | None) -> list[str]:
    """Two or more heads of the same number.

    Args:
        model: as it was given.
        there: what each head of it gives, by name.
        heads: that were asked for; None for all that give the same.

    Raises:
        ModelError, UsageError: there are not, or heads of several numbers.
    """
    members = list(heads or there)
    unknown = [each for each in members if each not in there]
    if unknown:
        raise UsageError(f"--head {unknown[0]}: {model} has {', '.join(there) or 'no number heads'}")
    given: dict[str, list[str]] = {}
    for each in members:
        given.setdefault(there[each], []).append(each)
    alike = [own for own in given.values() if len(own) > 1]
    if len(alike) == 1 and (heads is None or len(given) == 1):
        return alike[0]
    told = "; ".join(f"{', '.join(own)} of {target}" for target, own in given.items())
    if alike:
        raise UsageError(f"{model} has {told}; an ensemble is of one number, so name its --head each")
    raise ModelError(
        f"{model} has {counted(len(members), 'number head')} ({told}); an ensemble needs two or more of the "
        "same number"
    )


def calibrate(
    file: Plots,
    model: Model,
    heads: Annotated[
        list[str] | None, typer.Option("--head", help="A head; all number heads by default.", metavar="NAME")
    ] = None,
    split: Annotated[str, typer.Option(help="Tiles to fit on: val, or all of FILE.")] = "val",
    plots: Most = 2000,
    device: Device = None,
) -> None:
    """Move quantiles of heads so that intervals hold what they say on validation plots."""
    from rscovlm.models.checkpoints import resolve_here
    from rscovlm.models.heads.recalibration import write_recalibration
    from rscovlm.models.inputs import number_heads, read_inputs
    from rscovlm.reo.calibration import fitted

    checkpoint = resolve_here(model, "the heads of a recalibration need")
    folder = _to_change(checkpoint)
    inputs = read_inputs(folder)
    if inputs is None:
        raise ModelError(f"{model} has no number heads")
    asked = heads or list(number_heads(folder))
    tables = asked_heads(checkpoint, asked, shown_plots(file, checkpoint, inputs, split, plots), device)
    found = {name: fitted(name, table, inputs.tiles) for name, table in tables.items()}
    write_recalibration(
        folder, {name: (steps, tables[name].tile.tolist()) for name, (steps, _) in found.items()}
    )
    for name, (steps, held) in found.items():
        tiles = len(set(tables[name].tile.tolist()))
        print(
            f"{name}: fitted on {counted(steps.plots, 'plot')} of {counted(tiles, 'tile')}, "
            f"{100 * held:.1f} % of which "
            "were inside of 90 % intervals before"
        )


def asked_heads(
    checkpoint: Checkpoint, heads: list[str], source: PlotSource, device: Device
) -> dict[str, Predictions]:
    """What each head says of plots, before any recalibration."""
    from rscovlm.engines.numbers import head_of
    from rscovlm.engines.transformers import TransformersEngine
    from rscovlm.reo.predict import known_by, predicted

    tables = {}
    with open_model(checkpoint, device) as engine, Progress("asking", "head") as tell:
        assert isinstance(engine, TransformersEngine), "a checkpoint in a folder runs here"
        known = None if source.knowledge is None else known_by(engine, source)
        for place, head in enumerate(heads):
            tables[head] = predicted(engine.model, head_of(engine.heads, head), source, known=known)
            tell(place + 1, len(heads))
    return tables


def shown_plots(file: Path, checkpoint: Checkpoint, inputs: PatchInput, split: str, plots: int) -> PlotSource:
    """Plots as the checkpoint has learnt them, and is asked about them elsewhere."""
    from rscovlm.data.encoding import Encoder
    from rscovlm.data.plot_prompts import asked_as
    from rscovlm.data.plot_source import PlotSource
    from rscovlm.data.plot_views import shown_as

    encoder = Encoder.of_checkpoint(checkpoint.local)
    shown = shown_as(inputs) | asked_as(inputs)
    source = PlotSource("plots", encoder, 0, plots, *rooted(file), split=split, **shown)
    if source.regions is not None and (told := source.regions.told(source.region.tolist())):
        note(told)
    return source


def rooted(file: Path) -> tuple[Path, list[str]]:
    """The folder of plots, and the names of their files in it."""
    from rscovlm.data.plot_files import plot_files_in

    root = file if file.is_dir() else file.parent
    return root, [str(path.relative_to(root)) for path in plot_files_in(file)]


def teach(
    file: Plots,
    output: Annotated[Path, typer.Option(help="Table for a source's tables: .csv.", metavar="FILE.csv")],
    column: Annotated[str, typer.Option(help="Name of the numbers, for a head's teacher.")] = "agb_taught",
    onnx: Annotated[
        Path | None, typer.Option(help="A model of band statistics, in place of trees.", metavar="FILE.onnx")
    ] = None,
    split: Annotated[str, typer.Option(help="Tiles: train, or all of FILE.")] = "train",
    overwrite: Overwrite = False,
) -> None:
    """Let a teacher say the biomass of plots: boosted trees that have not seen their tile, or ONNX."""
    from rscovlm.data.encoding import Encoder
    from rscovlm.data.plot_source import PlotSource
    from rscovlm.models.checkpoints import resolve
    from rscovlm.reo.teacher import CrossFitted, OnnxRegressor, write_teaching

    check_file(output, "--output", (".csv",))
    check_outputs({"--output": output}, [file, onnx], overwrite=overwrite)
    encoder = Encoder.of_checkpoint(resolve("nano").local)
    source = PlotSource("plots", encoder, 0, 1 << 40, *rooted(file), split=split)
    if onnx is None and len(set(source.places.tile.tolist())) < 2:
        raise UsageError(f"{file}: one tile alone; trees that have not seen a plot's tile need two or more")
    written = write_teaching(output, source, OnnxRegressor(onnx) if onnx else CrossFitted(source), column)
    print(f"{output}: {column} of {counted(written, 'plot')}")
