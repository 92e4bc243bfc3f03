"""What constraints between numbers are worth: soft sum, soft order, hard monotone; frozen nano, made plots.

    python benchmarks/regression_constraints.py --folder build/regression-constraints

Heads of biomass and canopy height, and of biomass and its two parts, learn together on the same states, with
a constraint and without one; a part is a share of the labelled biomass that depends on height, with an error
of its own. Differences are of the same seeds and plots, over resampled test tiles. Each row is kept in
FOLDER/rows: the same command goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detection_eval.files import write_text
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.base import Term
from rscovlm.models.heads.constraints import ConstraintHead
from rscovlm.models.heads.ensemble import fused
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import States
from rscovlm.reo.cached import cached_states, predicted_from, rows_of, train_on
from rscovlm.reo.kept import KeptRows
from rscovlm.reo.made_plots import Splits, write_plots
from rscovlm.reo.predict import TARGET, table
from rscovlm.scoring.predictions import Predictions, difference, intervals
from rscovlm.synth.forest import MOST_MG_HA
from rscovlm.training.head_settings import Heads

VIEWS = ("natural", "red_edge", "swir")
SEED = 43
HEIGHT, LEAF, STEM = "canopy_height_m", "leaf_mg_per_ha", "stem_mg_per_ha"
PART_ERROR = 0.15
"""Relative standard deviation of the label of a part."""


class Method(NamedTuple):
    """Heads that learn together.

    Attributes:
        beside: numbers that are learnt beside biomass.
        constraint: entry of ``heads.constraints``; None for none.
        monotone: along which biomass does not fall by construction; None for nothing.
        summed: whether biomass is the sum of its parts by construction, and has no head of its own.
    """

    beside: tuple[str, ...]
    constraint: Mapping[str, Any] | None = None
    monotone: str | None = None
    summed: bool = False


ALONG = {"number": "agb", "along": "height"}
WHOLE = {"whole": "agb", "parts": ("leaf", "stem")}
METHODS = {
    "height beside": Method(("height",)),
    "soft order, weight 0.1": Method(("height",), {**ALONG, "weight": 0.1}),
    "soft order, weight 1": Method(("height",), {**ALONG, "weight": 1.0}),
    "soft order along measured height, weight 1": Method(
        ("height",), {"number": "agb", "along": HEIGHT, "weight": 1.0}
    ),
    "hard monotone": Method(("height",), monotone="height"),
    "parts beside": Method(("leaf", "stem")),
    "soft sum, weight 0.1": Method(("leaf", "stem"), {**WHOLE, "weight": 0.1}),
    "soft sum, weight 1": Method(("leaf", "stem"), {**WHOLE, "weight": 1.0}),
    "hard sum": Method(("leaf", "stem"), summed=True),
}
"""By name; each is held against the one without a constraint that learns the same numbers."""
TARGETS = {"agb": TARGET, "height": HEIGHT, "leaf": LEAF, "stem": STEM}


class Together(nn.Module):
    """Heads that learn at once, for ``train_on``."""

    def __init__(self, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.heads = heads
        self.constraints = [head for head in heads.values() if isinstance(head, ConstraintHead)]

    def states_for(self, name: str, states: States) -> States:
        """The states that a head reads, with the number that it follows."""
        head = cast(NumberHead, self.heads[name])
        if head.shift is None:
            return states
        with torch.no_grad():
            return replace(states, along=self.heads[head.shift.along](states).mean)

    def loss(self, states: States, numbers: Mapping[str, Tensor]) -> dict[str, Term]:
        """The terms of all heads."""
        found: dict[str, Term] = {}
        for name, head in self.heads.items():
            if isinstance(head, NumberHead):
                found |= head.loss(self.states_for(name, states), numbers)
        for constraint in self.constraints:
            apart = constraint.apart([states] * len(constraint.members), numbers)
            found["constraint"] = Term(apart, constraint.settings["weight"])
        return found


class Material(NamedTuple):
    """States and numbers of training, validation and test plots."""

    data: Splits
    states: list[States]
    numbers: list[dict[str, Tensor]]


def with_parts(data: Splits) -> list[dict[str, Tensor]]:
    """The numbers of all splits, with labels of leaf and stem: more of a high stand is stem."""
    draw = torch.Generator().manual_seed(SEED)
    found = data.numbers
    for numbers in found:
        stem = 0.5 + 0.35 * (1 - torch.exp(-numbers[HEIGHT] / 15))
        for name, share in ((STEM, stem), (LEAF, 1 - stem)):
            error = 1 + PART_ERROR * torch.randn(len(stem), generator=draw)
            numbers[name] = (share * numbers[TARGET] * error).clamp_min(0)
    return found


def trained(
    model: Any, material: Material, method: Method, plots: int, seed: int, epochs: int
) -> tuple[Together, list[dict[str, Tensor]]]:
    """The heads of a method on some of the training plots."""
    rows = torch.randperm(len(material.data.train), generator=torch.Generator().manual_seed(seed))[:plots]
    numbers = [{name: own[rows] for name, own in material.numbers[0].items()}, material.numbers[1]]
    names = [*([] if method.summed else ["agb"]), *method.beside]
    stated = {name: _head(numbers[0][TARGETS[name]], TARGETS[name]) for name in names}
    if method.monotone is not None:
        stated["agb"]["monotone"] = {"along": method.monotone}
    constraints = {} if method.constraint is None else {"held": method.constraint}
    torch.manual_seed(seed)
    chosen = Heads.model_validate({"numbers": stated, "constraints": constraints}).chosen
    made = Together(make_heads(model, chosen))
    states = [rows_of(material.states[0], rows), material.states[1]]
    train_on(cast(NumberHead, made), states, numbers, epochs=epochs, lr=2e-3, seed=seed)
    return made, numbers


def _head(known: Tensor, target: str) -> dict[str, Any]:
    values = known[known.isfinite()]
    return {
        "target": target,
        "output": "quantiles",
        "readout": "center",
        "images": len(VIEWS),
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "low": 0.0,
        "high": 60.0 if target == HEIGHT else MOST_MG_HA,
        "hard": True,
    }


@torch.inference_mode()
def said(made: Together, states: States, source: PlotSource) -> dict[str, Predictions]:
    """What heads say of test plots: biomass, and what each number beside it says in the place of its mean."""
    made.eval()
    found = {}
    for name, head in made.heads.items():
        if isinstance(head, NumberHead):
            own = made.states_for(name, states)
            mean = head(own).mean.double().numpy()
            found[name] = predicted_from(head, own, source) if name == "agb" else table(source, mean)
    if "agb" not in found:
        whole = fused([made.heads[name](states) for name in ("leaf", "stem")], "sum").mean
        found["agb"] = table(source, whole.double().numpy())
    return found


def out_of_order(number: NDArray[np.float64], along: NDArray[np.float64]) -> float:
    """Share of pairs of plots in which a number is less where the other one is more."""
    rises = along[:, None] > along[None, :]
    return float((rises & (number[:, None] < number[None, :])).sum() / rises.sum())


def lines_of(rows: KeptRows, sizes: Sequence[int], seeds: int) -> list[str]:
    """Markdown: a row for each method and number of training plots, over all seeds."""
    lines = [
        "| training plots | method | RMSE | less that without a constraint | out of order | sum is off by |",
        "|---|---|---|---|---|---|",
    ]
    for plots in sizes:
        for name, method in METHODS.items():
            each = {
                number: Predictions.joined(
                    [rows.found[_row(name, plots, seed, number)] for seed in range(seeds)]
                )
                for number in ("agb", *method.beside)
            }
            base = next(other for other, own in METHODS.items() if own.beside == method.beside)
            plain = Predictions.joined([rows.found[_row(base, plots, seed, "agb")] for seed in range(seeds)])
            apart = difference(each["agb"], plain)
            rmse = intervals(each["agb"], ("rmse",))["rmse"]
            less = "" if base == name else f"{apart.value:+.2f} ({apart.low:+.2f} to {apart.high:+.2f})"
            pairs, off = "", ""
            if "height" in each:
                own = [rows.found[_row(name, plots, seed, "height")].mean for seed in range(seeds)]
                agb = [rows.found[_row(name, plots, seed, "agb")].mean for seed in range(seeds)]
                pairs = f"{100 * np.mean([out_of_order(*pair) for pair in zip(agb, own, strict=True)]):.1f} %"
            else:
                missing = each["agb"].mean - each["leaf"].mean - each["stem"].mean
                off = f"{np.abs(missing).mean():.1f}"
            scored = f"{rmse.value:.1f} ({rmse.low:.1f}-{rmse.high:.1f})"
            lines.append(f"| {plots} | {name} | {scored} | {less} | {pairs} | {off} |")
    return lines


def _row(name: str, plots: int, seed: int, number: str) -> str:
    return f"{name}, {plots} plots, seed {seed}, {number}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression-constraints"))
    parser.add_argument("--tiles", type=int, default=160)
    parser.add_argument("--plots", type=int, default=10, help="plots of each tile")
    parser.add_argument("--train", type=int, nargs="+", default=[80, 600], help="training plots")
    parser.add_argument("--test", type=int, default=400, help="most validation and test plots")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    write_plots(options.folder / "plots.h5", SEED, options.tiles, options.plots)
    stated = {name: getattr(options, name) for name in ("tiles", "plots", "test", "epochs")}
    rows = KeptRows(options.folder, stated)
    limits = {"train": max(options.train), "val": options.test, "test": options.test}
    encoder = Encoder.of_checkpoint(NANO_FOLDER)
    data = Splits.of(options.folder / "plots.h5", encoder, SEED, limits, views=VIEWS)
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)

        @cache
        def material() -> Material:
            states = [cached_states(engine.model, each, "center") for each in data]
            return Material(data, states, with_parts(data))

        def made(method: Method, plots: int, seed: int) -> dict[str, Predictions]:
            own = material()
            heads, _ = trained(engine.model, own, method, plots, seed, options.epochs)
            return said(heads, own.states[2], data.test)

        for plots in options.train:
            for seed in range(options.seeds):
                for name, method in METHODS.items():
                    all_of = cache(partial(made, method, plots, seed))
                    for number in ("agb", *method.beside):
                        rows.row(_row(name, plots, seed, number), partial(_part, all_of, number))
    lines = lines_of(rows, options.train, options.seeds)
    write_text(options.folder / "table.md", "\n".join(lines) + "\n")
    print(*lines, sep="\n")


def _part(all_of: Any, number: str) -> Predictions:
    found: Predictions = all_of()[number]
    return found


if __name__ == "__main__":
    main()
