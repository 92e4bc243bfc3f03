"""Scale from pixels: the head of ground sampling distance on the frozen vision tower of nano.

    python benchmarks/scale_head.py

Trains the head alone on the tower's features of synthetic views from 0.1 to 30 m per pixel, and prints on
views of other scenes: mean error in decades beside that of the median of training, coverage of central
intervals, error over deviation (0.80 where calibrated), and how many intervals are narrow enough to be taken.
Then the same as calibrated: of many random halves of those views, one gives the factor and the other is
scored.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch

from rscovlm.data.geoscale.views import ScaleView, synthetic_views
from rscovlm.models.checkpoints import resolve
from rscovlm.models.heads.gsd import GsdHead
from rscovlm.models.patches import PatchSpec, normalise, patchify
from rscovlm.models.taps import tap_layers, tapped
from rscovlm.models.weights import read_weights
from rscovlm.scale.head import Readings

TEST_SEED = 1 << 40
WIDEST = 4.0  # ratio of the ends of a 90 % interval, as of tiling.gsd.resolve_gsd


@torch.inference_mode()
def features(views: list[ScaleView], layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(views, tokens, width) of a layer of the tower, and (views,) log10 metres per pixel."""
    checkpoint = resolve("nano")
    model = read_weights(checkpoint.local, torch.float32).eval()
    spec = PatchSpec.of_checkpoint(checkpoint.local, model.config.vision_config)
    found = []
    for view in views:
        grids = torch.tensor([[1, view.side // spec.patch, view.side // spec.patch]])
        patches = normalise(torch.from_numpy(patchify(view.picture.read(), spec)), spec)
        with tapped(model, [layer]) as taps:
            model.model.visual(patches, grid_thw=grids)
        found.append(taps.features(grids))
    return torch.stack(found), torch.tensor([view.gsd_m for view in views]).log10()


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=600)
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--side", type=int, default=64)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    (layer,) = tap_layers("last", 6)
    seen, truth = features(list(synthetic_views(options.train, options.side, 0)), layer)
    shown, true = features(list(synthetic_views(options.test, options.side, TEST_SEED)), layer)
    head = GsdHead(1, taps=(layer,), vision_width=seen.shape[2])
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    rng = np.random.default_rng(0)
    for _ in range(options.steps):
        rows = torch.from_numpy(rng.choice(len(seen), 64, replace=False))
        found = head(seen[rows].flatten(0, 1).clone(), [seen.shape[1]] * len(rows))
        optimizer.zero_grad()
        found.nll(truth[rows]).mean().backward()
        optimizer.step()
        rate.step()
    with torch.no_grad():
        found = head(shown.flatten(0, 1), [shown.shape[1]] * len(shown))
    readings = Readings(found.mean.numpy(), found.deviation.numpy(), true.numpy())
    constant = float((true - truth.median()).abs().mean())
    error = readings.scores()["error_decades"]
    print(f"{len(readings)} views: error {error:.3f} decades, {constant:.3f} for the median")
    tell("as trained", [readings])
    halves = []
    for _ in range(options.splits):
        order = rng.permutation(len(readings))
        known, other = (readings.part(rows) for rows in np.array_split(order, 2))
        halves.append(other.widened(known.factor))
    tell(f"calibrated on the other half, {options.splits} splits", halves)


def tell(name: str, some: list[Readings]) -> None:
    """Means over several readings; of coverage the middle 90 % as well."""
    scores = [each.scores() for each in some]
    shares = {level: [100 * each[f"coverage_{level}"] for each in scores] for level in (50, 90)}
    low, high = np.percentile(shares[90], [5, 95])
    narrow = np.mean([each.reach_decades <= math.log10(WIDEST) for each in some])
    print(
        f"{name}: coverage of 50 % {np.mean(shares[50]):.1f}, of 90 % {np.mean(shares[90]):.1f} "
        f"({low:.0f} to {high:.0f}); error over deviation "
        f"{np.mean([each['calibration_ratio'] for each in scores]):.2f}; narrow enough {100 * narrow:.0f} %"
    )


if __name__ == "__main__":
    main()
