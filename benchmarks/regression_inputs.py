"""Whether a second date helps, and targets standardised by land cover: heads on frozen nano, made plots.

    python benchmarks/regression_inputs.py --folder build/regression-inputs

Plots have two Sentinel-2 images, the second 45 to 110 days after the first, when deciduous trees may stand
without leaves. The same heads see the first date, or both. Differences have intervals over test tiles. Each
row is kept in FOLDER/rows: the same command goes on where it was cut short.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.regression import limits_of
from detection_eval.files import write_text
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_views import CHANNELS
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads.numbers.states import States
from rscovlm.reo.baselines import band_statistics, boosted
from rscovlm.reo.cached import cached_states, predicted_from
from rscovlm.reo.kept import KeptRows
from rscovlm.reo.made_plots import Splits, head_on, write_plots
from rscovlm.reo.predict import TARGET, table
from rscovlm.scoring.predictions import Predictions, covered, difference, intervals
from rscovlm.scoring.recalibration import recalibrated
from rscovlm.synth.forest import BANDS, MOST_MG_HA

OPTICAL = ("natural", "red_edge", "swir")
LATER = tuple(f"{view}@2" for view in OPTICAL)
VIEWS = {
    "ms": OPTICAL,
    "ms, two dates": (*OPTICAL, *LATER),
    "ms+sar": (*OPTICAL, "sar"),
    "ms+sar, two dates": (*OPTICAL, *LATER, "sar"),
}
SHARED: dict[str, Any] = {"target": TARGET, "output": "quantiles", "low": 0.0, "high": MOST_MG_HA}
TRUNKS: dict[str, dict[str, Any]] = {
    "mixer": {"trunk": "mixer", "taps": "half"},
    "parallel": {"trunk": "parallel"},
}
BY_COVER: dict[str, dict[str, Any]] = {
    ", by land cover": {},
    ", by land cover, loss in units": {"regions_count": "units"},
}
"""Targets standardised by land cover, by the mark of their rows."""
SEED = 21


def with_head(
    model: Any, data: Splits, states: list[States], epochs: int, own: dict[str, Any]
) -> list[Predictions]:
    """What a head says of validation and of test plots."""
    head = head_on(model, data, states, epochs=epochs, **SHARED, **own)
    return [
        predicted_from(head, of, source) for of, source in zip(states[1:], (data.val, data.test), strict=True)
    ]


def trees(data: Splits, views: str) -> Predictions:
    """Boosted trees on statistics of the bands that a set of views is of."""
    features = [band_statistics(each) for each in data]
    channels = features[0].shape[1] // 2  # bands, HH, HV and their mean, then the bands of the second date
    chosen = [*range(len(BANDS))]
    chosen += [*range(len(BANDS), len(CHANNELS))] if "sar" in views else []
    chosen += [*range(len(CHANNELS), channels)] if "two" in views else []
    columns = [*chosen, *(channels + index for index in chosen)]
    found = boosted(features[0][:, columns], data.train.places.numbers[TARGET])
    return table(data.test, np.clip(found.predict(features[2][:, columns]), 0, MOST_MG_HA))


def lines_of(found: dict[str, Predictions]) -> list[str]:
    """Markdown: a row for each method, then what differs."""
    lines = ["| method | n | RMSE | bias | R2 | inside of 90 % |", "|---|---|---|---|---|---|"]
    for name, each in found.items():
        scores = intervals(each, ("rmse", "bias", "r2"))
        rmse, inside = scores["rmse"], ""
        if each.quantiles is not None:
            held = covered(each, 0.9)
            inside = f"{held.value:.3f} ({held.low:.3f}-{held.high:.3f})"
        lines.append(
            f"| {name} | {int(each.usable.sum())} | {rmse.value:.1f} ({rmse.low:.1f}-{rmse.high:.1f}) | "
            f"{scores['bias'].value:+.1f} | {scores['r2'].value:.2f} | {inside} |"
        )
    lines += ["", "| one less other | all | deciduous | evergreen | open land |", "|---|---|---|---|---|"]
    for name, other in found.items():
        for mark in (", two dates", *BY_COVER):
            if not name.endswith(mark):
                continue
            one = found[name.removesuffix(mark)]
            assert one.group is not None
            kinds = [
                np.ones(len(one.key), bool),
                np.char.find(one.group, "deciduous") >= 0,
                np.char.find(one.group, "evergreen") >= 0,
                np.char.find(one.group, "forest") < 0,
            ]
            parts = [difference(other.of(kind), one.of(kind)) for kind in kinds]
            told = [f"{each.value:+.1f} ({each.low:+.1f} to {each.high:+.1f})" for each in parts]
            lines.append(f"| {name} | {' | '.join(told)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression-inputs"))
    parser.add_argument("--tiles", type=int, default=240)
    parser.add_argument("--plots", type=int, default=12, help="plots of each tile")
    parser.add_argument("--train", type=int, default=1500, help="most training plots")
    parser.add_argument("--test", type=int, default=700, help="most validation and test plots")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--views", nargs="+", choices=("ms", "ms+sar"), default=["ms", "ms+sar"])
    parser.add_argument("--trunks", nargs="+", choices=tuple(TRUNKS), default=list(TRUNKS))
    options = parser.parse_args()
    write_plots(options.folder / "plots.h5", SEED, options.tiles, options.plots, dates=2)
    stated = {name: getattr(options, name) for name in ("tiles", "plots", "train", "test", "epochs")}
    rows = KeptRows(options.folder, stated)
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        for views in VIEWS:
            if views.split(",")[0] in options.views:
                rows_of_views(rows, engine.model, views, options)
    lines = lines_of(rows.found)
    write_text(options.folder / "table.md", "\n".join(lines) + "\n")
    print(*lines, sep="\n")


def rows_of_views(rows: KeptRows, model: Any, views: str, options: argparse.Namespace) -> None:
    """The rows of a set of views; hidden states are read where one of them is not kept."""
    source = partial(
        Splits.of,
        rows.folder / "plots.h5",
        Encoder.of_checkpoint(NANO_FOLDER),
        SEED,
        limits_of(options),
        views=VIEWS[views],
    )
    data = source()
    rows.row(f"boosted trees, {views}", partial(trees, data, views))

    @cache
    def states() -> list[States]:
        taps = "half" if "mixer" in options.trunks else ()
        return [cached_states(model, each, "center", taps=taps) for each in data]

    kinds = {"": data}
    if "two" not in views:
        kinds |= dict.fromkeys(BY_COVER, source(regions="cover"))
    for trunk in options.trunks:
        for mark, shown in kinds.items():
            own = TRUNKS[trunk] | BY_COVER.get(mark, {})
            made = cache(partial(_made, model, shown, states, options.epochs, own))
            name = f"{trunk}, {views}{mark}"
            known = rows.row(f"{name}, validation", partial(_part, made, 0), shown=False)
            said = rows.row(name, partial(_part, made, 1))
            rows.row(
                f"{name}, conformal", partial(recalibrated, "conformal", known, said, low=0, high=MOST_MG_HA)
            )


def _made(
    model: Any, data: Splits, states: Callable[[], list[States]], epochs: int, own: dict[str, Any]
) -> list[Predictions]:
    return with_head(model, data, states(), epochs, own)


def _part(made: Callable[[], list[Predictions]], place: int) -> Predictions:
    return made()[place]


if __name__ == "__main__":
    main()
