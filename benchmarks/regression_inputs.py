"""Whether a second date helps, and targets standardised by land cover: heads on frozen nano, made plots.

    python benchmarks/regression_inputs.py --folder build/regression-inputs

Plots have two Sentinel-2 images, the second 45 to 110 days after the first, when deciduous trees may stand
without leaves. The same heads see the first date, or both. Differences have intervals over test tiles.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detection_eval.files import write_json
from rscovlm.data.agbd import write_agbd
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import CHANNELS
from rscovlm.data.splits import check_apart
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.states import States
from rscovlm.models.patches import PatchSpec
from rscovlm.models.weights import read_settings, read_tokenizer
from rscovlm.reo.baselines import band_statistics, boosted
from rscovlm.reo.cached import cached_states, predicted_from, train_on
from rscovlm.reo.predict import TARGET, table
from rscovlm.scoring.predictions import Predictions, covered, difference, intervals
from rscovlm.scoring.recalibration import recalibrated
from rscovlm.synth.forest import BANDS, make_plot, make_tile
from rscovlm.training.number_settings import Number

OPTICAL = ("natural", "red_edge", "swir")
LATER = tuple(f"{view}@2" for view in OPTICAL)
VIEWS = {
    "ms": OPTICAL,
    "ms, two dates": (*OPTICAL, *LATER),
    "ms+sar": (*OPTICAL, "sar"),
    "ms+sar, two dates": (*OPTICAL, *LATER, "sar"),
}
TRUNKS: dict[str, dict[str, Any]] = {"mixer": {"taps": "half"}, "parallel": {}}
SEED = 21


def write_plots(folder: Path, tiles: int, plots: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "plots.h5").is_file():
        every = [make_tile(SEED, index) for index in range(tiles)]
        made = [make_plot(SEED, tile, index, dates=2) for tile in every for index in range(plots)]
        write_agbd(folder / "plots.h5", made, lite=True)


class Data:
    """Sources of training, validation and test plots, shown alike."""

    def __init__(
        self, folder: Path, views: Sequence[str], limits: dict[str, int], regions: str | None = None
    ) -> None:
        spec = PatchSpec.of_checkpoint(NANO_FOLDER, read_settings(NANO_FOLDER).vision_config)
        encoder = Encoder(read_tokenizer(NANO_FOLDER), spec)
        shown: dict[str, Any] = {"files": ["plots.h5"], "views": views, "regions": regions}
        train = PlotSource("train", encoder, SEED, limits["train"], folder, split="train", **shown)
        shown |= {"side": train.side, "scaling": train.scaling.model_dump()}
        if train.regions is not None:
            shown["region_statistics"] = train.regions.model_dump()
        rest = (
            PlotSource(name, encoder, SEED, limits[name], folder, split=name, **shown)
            for name in ("val", "test")
        )
        self.splits = (train, *rest)
        check_apart({each.split: each.places.tile.tolist() for each in self.splits})

    def __iter__(self) -> Iterator[PlotSource]:
        return iter(self.splits)

    @property
    def numbers(self) -> list[dict[str, torch.Tensor]]:
        """(S,) of each split by name, as packs have them."""
        found = []
        for source in self:
            rows = [source.numbers(index) for index in range(len(source))]
            names = dict.fromkeys(name for row in rows for name in row)
            found.append({name: torch.tensor([row.get(name, np.nan) for row in rows]) for name in names})
        return found


def with_head(
    model: Any, data: Data, states: list[States], trunk: str, epochs: int
) -> dict[str, Predictions]:
    """What a head says of the test plots, and the same with intervals fitted on validation plots."""
    train, val, test = data
    known = train.places.numbers[TARGET]
    stated = {
        "target": TARGET,
        "trunk": trunk,
        "output": "quantiles",
        "readout": "center",
        "images": len(train.views),
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        "low": 0.0,
        "high": 500.0,
        **TRUNKS[trunk],
    }
    torch.manual_seed(0)
    head = make_heads(model, {"numbers": {"agb": Number.model_validate(stated).settings}})["agb"]
    assert isinstance(head, NumberHead)
    train_on(head, states[:2], data.numbers[:2], epochs=epochs)
    said, validation = (predicted_from(head, one, own) for one, own in ((states[2], test), (states[1], val)))
    return {"": said, ", conformal": recalibrated("conformal", validation, said, 0, 500)}


def trees(data: Data, views: str) -> Predictions:
    """Boosted trees on statistics of the bands that a set of views is of."""
    features = [band_statistics(each) for each in data]
    channels = features[0].shape[1] // 2  # bands, HH, HV and their mean, then the bands of the second date
    chosen = [*range(len(BANDS))]
    chosen += [*range(len(BANDS), len(CHANNELS))] if "sar" in views else []
    chosen += [*range(len(CHANNELS), channels)] if "two" in views else []
    columns = [*chosen, *(channels + index for index in chosen)]
    train, _, test = data
    found = boosted(features[0][:, columns], train.places.numbers[TARGET])
    return table(test, np.clip(found.predict(features[2][:, columns]), 0, 500))


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
        for mark in (", two dates", ", by land cover"):
            if mark not in name or "conformal" in name or name.replace(mark, "") not in found:
                continue
            one = found[name.replace(mark, "")]
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
    started = time.perf_counter()
    write_plots(options.folder, options.tiles, options.plots)
    limits = {"train": options.train, "val": options.test, "test": options.test}
    found: dict[str, Predictions] = {}
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        for views, shown in VIEWS.items():
            if views.split(",")[0] not in options.views:
                continue
            data = Data(options.folder, shown, limits)
            found[f"boosted trees, {views}"] = trees(data, views)
            taps = "half" if "mixer" in options.trunks else ()
            states = [cached_states(engine.model, each, "center", taps=taps) for each in data]
            kinds = {"": data}
            if "two" not in views:
                kinds[", by land cover"] = Data(options.folder, shown, limits, "cover")
            for trunk in options.trunks:
                for kind, own in kinds.items():
                    for mark, each in with_head(engine.model, own, states, trunk, options.epochs).items():
                        found[f"{trunk}, {views}{kind}{mark}"] = each
            print(f"{views} after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(*lines_of(found), sep="\n")
    scores = {name: {"rmse": list(intervals(each, ("rmse",))["rmse"])} for name, each in found.items()}
    write_json(options.folder / "results.json", scores, indent=1)


if __name__ == "__main__":
    main()
