"""Dense heads on synthetic plots of known physics: maps of canopy height from nano, frozen, beside baselines.

    python benchmarks/regression_maps.py --folder build/regression

Takes the plots of ``benchmarks/regression.py`` (or writes them), reads the hidden states of nano once, trains
each decoder on them, and scores cells of 50 m on test tiles that share nothing with training: 5 x 5 visual
tokens of 50 m, or 25 x 25 cells of 10 m with --detail 5.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.regression import SEED, limits_of
from detection_eval.files import write_json
from rscovlm.data.encoding import Encoder
from rscovlm.data.packing import collate, model_inputs
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import raster
from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.heads import make_heads
from rscovlm.models.heads.dense.grids import GridStates, fields_of, to_cells
from rscovlm.models.taps import tapped
from rscovlm.reo.baselines import boosted
from rscovlm.reo.made_plots import Splits, write_plots
from rscovlm.training.dense_settings import Dense

TARGET = "canopy_height_m"
DECODERS: dict[str, Any] = {
    "diffusion": {"diffusion": {"draws": 16}},
    "diffusion, mean alone": {"diffusion": {"temperature": 0.0}},
    "codebook, 64 codes": {"codebook": {"draws": 4}},
    "masked, 1 round": {"masked": {"rounds": 1, "draws": 1}},
    "masked, 4 rounds": {"masked": {"rounds": 4, "draws": 4}},
}
"""The first two have the same weights, and so have the last two."""
SAME = {"diffusion, mean alone": "diffusion", "masked, 4 rounds": "masked, 1 round"}
VIEWS = ("natural", "swir", "sar")


@torch.inference_mode()
def read(model: Any, head: Any, source: PlotSource) -> tuple[GridStates, tuple[torch.Tensor, torch.Tensor]]:
    """The states and maps of all plots of a source."""
    states, maps = [], []
    for start in range(0, len(source), 8):
        rows = range(start, min(start + 8, len(source)))
        encoder = source.encoder
        pack = collate([source.encode(row, 0) for row in rows], encoder.patches, encoder.image_id)
        with tapped(model, head.taps) as taps:
            hidden = model.model(**model_inputs(pack)).last_hidden_state
        states.append(head.states(model, [hidden], pack, taps.features(pack.image_grid_thw)))
        known = fields_of(pack, encoder.image_id, TARGET)
        assert known is not None, "plots have maps"
        maps.append(known)
    names = ("tokens", "words", "seen", "tapped")
    grids = GridStates(
        **{name: torch.cat([getattr(each, name) for each in states]).clone() for name in names}
    )
    return grids, (torch.cat([each[0] for each in maps]), torch.cat([each[1] for each in maps]))


def rows_of(states: GridStates, rows: torch.Tensor) -> GridStates:
    assert states.tapped is not None
    return GridStates(states.tokens[rows], states.words[rows], states.seen[rows], states.tapped[rows])


def train(head: Any, states: GridStates, maps: tuple[torch.Tensor, torch.Tensor], epochs: int) -> list[float]:
    """The mean loss of each epoch."""
    torch.manual_seed(0)
    count, losses = len(maps[0]), []
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-count // 32))
    for _ in range(epochs):
        each = []
        for rows in torch.randperm(count).split(32):
            own = (maps[0][rows], maps[1][rows])
            loss = head.loss(rows_of(states, rows), own)[f"{TARGET}_map"].value
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            each.append(loss.item())
        losses.append(float(np.mean(each)))
    return losses


def trees_on_bands(train: PlotSource, test: PlotSource, side: int) -> np.ndarray:
    """(N, side, side) of boosted trees on the mean bands of each cell, without a vision-language model."""

    def cells(source: PlotSource) -> tuple[np.ndarray, np.ndarray]:
        plots = [source.footprint(row) for row in range(len(source))]
        bands = torch.tensor(np.stack([raster(plot) for plot in plots])).permute(0, 3, 1, 2)
        heights = torch.tensor(heights_of(source))
        means = torch.nn.functional.adaptive_avg_pool2d(bands, side).permute(0, 2, 3, 1)
        truth, _ = to_cells(heights, heights.isfinite(), side, side)
        return means.reshape(-1, bands.shape[1]).numpy(), truth.numpy()

    features, truth = cells(train)
    found: np.ndarray = boosted(features, truth.ravel()).predict(cells(test)[0])
    return found.reshape(len(test), side, side)


def heights_of(source: PlotSource) -> np.ndarray:
    """(N, rows, columns) canopy heights of all plots, m."""
    maps = [source.footprint(row).canopy_height_m for row in range(len(source))]
    return np.stack([each for each in maps if each is not None])


def scores(mean: np.ndarray, truth: np.ndarray, low: Any = None, high: Any = None) -> dict[str, float]:
    """Errors of cells in metres, how maps vary, and the share of cells inside 90 % intervals."""
    within = (mean - mean.mean((1, 2), keepdims=True)) - (truth - truth.mean((1, 2), keepdims=True))
    found = {
        "rmse": float(np.sqrt(((mean - truth) ** 2).mean())),
        "mae": float(np.abs(mean - truth).mean()),
        "bias": float((mean - truth).mean()),
        "rmse_within": float(np.sqrt((within**2).mean())),
        "r2": float(1 - ((mean - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()),
    }
    return found | ({} if low is None else {"coverage_90": float(((truth >= low) & (truth <= high)).mean())})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/regression"))
    parser.add_argument("--train", type=int, default=800, help="most training plots")
    parser.add_argument("--test", type=int, default=300, help="most test plots")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--detail", type=int, default=1, help="cells along the side of a visual token")
    options = parser.parse_args()
    plots = options.folder / "plots.h5"
    write_plots(plots, SEED, 115, 40)
    started = time.perf_counter()
    found: dict[str, dict[str, Any]] = {}
    encoder = Encoder.of_checkpoint(NANO_FOLDER)
    data = Splits.of(plots, encoder, SEED, limits_of(options), views=VIEWS, maps=[TARGET])
    with load_model("nano", device="cpu") as engine:
        assert isinstance(engine, TransformersEngine)
        model = engine.model
        heights = heights_of(data.train)
        base = {
            "target": TARGET,
            "images": len(VIEWS),
            "detail": options.detail,
            "taps": "half",
            "mean": float(heights.mean()),
            "deviation": float(heights.std()),
            "low": 0.0,
        }

        def made(decoder: Any) -> Any:
            torch.manual_seed(0)
            settings = Dense.model_validate({**base, "decoder": decoder}).settings
            return make_heads(model, {"dense": {"height": settings}})["height"]

        first = made("diffusion")
        states, maps = read(model, first, data.train)
        others, right = read(model, first, data.test)
        print(f"states after {time.perf_counter() - started:.0f} s", flush=True)
        side = 5 * options.detail
        truth = to_cells(*right, side, side)[0].numpy()
        found["constant"] = scores(np.full_like(truth, heights.mean()), truth)
        flat = truth.mean((1, 2), keepdims=True)
        found["true mean of each map"] = scores(np.broadcast_to(flat, truth.shape), truth)
        found["boosted trees on bands"] = scores(trees_on_bands(data.train, data.test, side), truth)
        trained: dict[str, Any] = {}
        for name, decoder in DECODERS.items():
            head = made(decoder)
            if name in SAME:
                head.load_state_dict(trained[SAME[name]].state_dict())
                losses = []
            else:
                losses = train(head.train(), states, maps, options.epochs)
            trained[name] = head.eval()
            with torch.inference_mode():
                maps_found = head.field(others)
                low, high = (maps_found.quantile(level).numpy() for level in (0.05, 0.95))
                found[name] = scores(maps_found.mean.numpy(), truth, low, high)
            found[name] |= {"losses": losses, "seconds": time.perf_counter() - started}
            print(name, {key: value for key, value in found[name].items() if key != "losses"}, flush=True)
            print("   losses", [round(loss, 3) for loss in losses], flush=True)
    write_json(options.folder / f"maps-{options.detail}.json", found, indent=2)


if __name__ == "__main__":
    main()
