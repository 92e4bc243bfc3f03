"""Heads of biomass and canopy height beside nano, trained on synthetic plots: minutes on one thread.

    python -m rscovlm.reo.shipped                  # make regress-head

Hidden states of nano, frozen, are read once and kept by its weights, so that a second run takes seconds. The
heads and how they are shown plots go into nano's folder together with the fingerprint of the weights that
they were trained beside: with other weights they are refused, until this has run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from detection_eval.words import counted
from rscovlm.data.encoding import Encoder
from rscovlm.data.plot_source import PlotSource
from rscovlm.engines import load_model
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import write_heads
from rscovlm.models.heads.numbers.states import States
from rscovlm.models.heads.recalibration import write_recalibration
from rscovlm.models.inputs import PatchInput, weights_hash, write_inputs
from rscovlm.progress import note
from rscovlm.reo.cached import cached_states, predicted_from
from rscovlm.reo.made_plots import Splits, head_on, write_plots
from rscovlm.scoring.predictions import Predictions, covered, intervals
from rscovlm.scoring.quantile_steps import QuantileSteps
from rscovlm.scoring.recalibration import moved_by

VIEWS = ("natural", "red_edge", "swir")
"""Pictures of Sentinel-2 alone, so that a map needs no radar."""
SPLITS = ("train", "val", "test")
LIMITS = {"train": 1400, "val": 330, "test": 400}
TILES, PLOTS, SEED = 120, 20, 31
EPOCHS, RATE = 30, 1e-3
TARGETS: dict[str, dict[str, Any]] = {
    "agb": {"target": "agb_mg_per_ha", "low": 0.0, "high": 500.0},
    "canopy_height": {"target": "canopy_height_m", "low": 0.0, "high": 60.0},
}
"""Heads by name: number, and values that can be."""
_PARTS = ("visual", "weights", "words", "is_word")


def sources(folder: Path, model: Path = NANO_FOLDER) -> Splits:
    """Training, validation and test plots on tiles that share nothing; written to the folder if need be."""
    file = folder / "plots.h5"
    write_plots(file, SEED, TILES, PLOTS)
    return Splits.of(file, Encoder.of_checkpoint(model), SEED, LIMITS, views=VIEWS)


def kept_states(folder: Path, engine: Any, split: PlotSource, weights: str) -> States:
    """States of a split, from the folder where they are kept for these very weights, else read and kept."""
    from safetensors.torch import load_file, save_file

    path = folder / f"states-{split.split}-{split.digest}-{weights[:12]}.safetensors"
    if not path.is_file():
        note(f"reading the states of {counted(len(split), 'plot')} of {split.split}")
        found = cached_states(engine.model, split, "center")
        save_file({name: getattr(found, name).contiguous() for name in _PARTS}, path)
    parts = load_file(path)
    return States(*(parts[name] for name in _PARTS))


def trained(
    model: Any, states: Sequence[States], splits: Splits
) -> tuple[nn.ModuleDict, dict[str, tuple[Predictions, Predictions]]]:
    """Heads for all targets, the best epoch on validation of each, recalibrated there, and what they say of
    test plots."""
    heads, found = {}, {}
    for name, own in TARGETS.items():
        stated = {"trunk": "parallel", "output": "quantiles", "hard": True, **own}
        head = head_on(model, splits, states, epochs=EPOCHS, lr=RATE, seed=SEED, **stated)
        heads[name] = head
        head.steps = QuantileSteps.fit(predicted_from(head, states[1], splits.val))
        test = predicted_from(head, states[2], splits.test)
        found[name] = (test, moved_by(head.steps, test, own["low"], own["high"]))
    return nn.ModuleDict(heads), found


def main() -> None:
    """Train the heads and put them beside nano."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regress-head"), help="of plots and states")
    parser.add_argument("--output", type=Path, default=NANO_FOLDER, help="folder of the checkpoint")
    options = parser.parse_args()
    splits = sources(options.folder, options.output)
    weights = weights_hash(options.output)
    with load_model(str(options.output), device="cpu") as engine:
        states = [kept_states(options.folder, engine, each, weights) for each in splits]
        heads, found = trained(engine.model, states, splits)  # type: ignore[attr-defined]
    write_heads(options.output, heads)
    stated = splits.train.inputs | {"weights": weights}
    write_inputs(options.output, PatchInput.model_validate(stated))
    steps: dict[str, Any] = {name: head.steps for name, head in heads.items()}
    tiles = splits.val.places.tile.tolist()
    write_recalibration(options.output, {name: (each, tiles) for name, each in steps.items()})
    for name, (before, own) in found.items():
        rmse, r2 = (intervals(own, (score,))[score] for score in ("rmse", "r2"))
        inside, raw = (covered(each, 0.9) for each in (own, before))
        flat = float(own.truth.std())
        print(
            f"{name}: RMSE {rmse.value:.2f} ({rmse.low:.2f} to {rmse.high:.2f}), deviation {flat:.2f}, "
            f"R2 {r2.value:.2f}; inside of 90 % intervals {inside.value:.1%} "
            f"({inside.low:.1%} to {inside.high:.1%}), {raw.value:.1%} before recalibration; "
            f"{counted(int(own.usable.sum()), 'test plot')}"
        )
    print(f"{options.output}: heads of {', '.join(heads)}", file=sys.stderr)


if __name__ == "__main__":
    main()
