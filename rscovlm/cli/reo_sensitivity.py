"""``rscovlm reo sensitivity``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detection_eval.words import counted
from rscovlm.cli.opening import open_model
from rscovlm.cli.options import AsJson, Device, Model
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.cli.reo_plans import PLOTS
from rscovlm.progress import Progress, note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rscovlm.data.agbd import Footprint
    from rscovlm.models.inputs import PatchInput
    from zoom_chain.chat import Conversation


def sensitivity(
    file: Annotated[Path, typer.Argument(help=f"{PLOTS} to ask about.", metavar="FILE")],
    model: Model = "nano",
    target: Annotated[
        str | None, typer.Option(help="A head of the model; words for what it says. Its head by default.")
    ] = None,
    plots: Annotated[int, typer.Option(help="Plots that are asked about.", min=2, metavar="N")] = 32,
    wordings: Annotated[
        str, typer.Option(help="Wordings: agb, or a YAML file.", metavar="NAME|FILE")
    ] = "agb",
    output: Annotated[Path | None, typer.Option(help="Write the result: .json.", metavar="FILE.json")] = None,
    device: Device = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Ask a model about plots in other words and about other things: only these may move its numbers."""
    from rscovlm.data.plot_files import plot_files_in, spaced_plots
    from rscovlm.data.plot_prompts import asked, inputs_for
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.inputs import number_heads
    from rscovlm.reo.sensitivity import load_wordings, of_head, of_words
    from rscovlm.reo.sensitivity import sensitivity as measure

    check_file(output, "--output", (".json",))
    check_outputs({"--output": output}, [file], overwrite=overwrite)
    ways = load_wordings(wordings)
    checkpoint = resolve(model)
    heads = number_heads(checkpoint.folder) if checkpoint.folder else {}
    inputs = inputs_for(checkpoint, file)
    name = target or (next(iter(heads), "words"))
    question = inputs.prompt if heads else None
    read = list(spaced_plots(plot_files_in(file), plots))
    with open_model(checkpoint, device) as engine, Progress("asking", "wording") as tell:
        if name == "words":
            numbers, said = of_words(engine), None
        else:
            numbers, said = of_head(engine, name, _standing(inputs, read)), _knowledge(engine, inputs, read)

        def prompt(plot: int, words: str) -> Conversation:
            return asked(inputs, read[plot], words, None if said is None else said[plot])

        found = measure(numbers, prompt, len(read), ways, question, tell)
    data = found.to_json() | {"model": model, "answered_by": name}
    if output is not None:
        from detection_eval.files import write_json

        write_json(output, data, indent=1)
    print(json.dumps(data, indent=1) if as_json else _told(found, model, name))


def _standing(inputs: PatchInput, plots: Sequence[Footprint]) -> list[Mapping[str, float]] | None:
    """What is known of each plot for heads that restore units by region; None where regions play no part."""
    from rscovlm.data.plot_regions import region_of

    if inputs.regions is None:
        return None
    regions = [region_of(inputs.regions.by, plot) for plot in plots]
    if told := inputs.regions.told(regions):
        note(told)
    return inputs.numbers(regions)


def _knowledge(engine: Any, inputs: PatchInput, plots: Sequence[Footprint]) -> list[str] | None:
    """The model's own words about each plot before its number (two-pass); None where nothing is asked."""
    from rscovlm.data.plot_prompts import asked_first
    from rscovlm.tasks.regress import replies_first

    if inputs.knowledge is None:
        return None
    return [
        reply.text.strip() for reply in replies_first(engine, [asked_first(inputs, plot) for plot in plots])
    ]


def _told(found: Any, model: str, name: str) -> str:
    lines = [
        f"{found.verdict}: {found.told} ({found.asked})",
        f"{model}, {name}, {counted(found.plots, 'plot')}, moves in deviations from: {found.question}",
    ]
    for each in found.wordings:
        due = f", times {each.factor:.3g} where {each.factor_due:g} is due" if each.factor is not None else ""
        kind = each.means or "the same"
        lines.append(f"  {each.moved:>8.3f}  {kind:<17} {each.words} (mean {each.mean:.4g}{due})")
    return "\n".join(lines)
