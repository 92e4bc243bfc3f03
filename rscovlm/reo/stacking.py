"""Stacking: weights of the members of an ensemble, fitted on validation plots (Breiman, 1996)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import write_json
from rscovlm.errors import DataError
from rscovlm.models.sidecars import OWN, read_sidecar
from rscovlm.scoring.predictions import Predictions

Floats = NDArray[np.float64]

_HELD = 1e4  # weight of the sum in least squares, large beside that of the errors


def stacking_weights(means: Floats, truth: Floats) -> Floats:
    """(M,) weights, 0 or more and of sum 1, with which M predictions have the least squared error together.

    Args:
        means: (N, M) predictions of N plots.
        truth: (N,).

    Raises:
        ValueError: no plot, or values that are not finite.
    """
    from sklearn.linear_model import LinearRegression

    if not len(truth) or not (np.isfinite(means).all() and np.isfinite(truth).all()):
        raise ValueError(f"{len(truth)} plots; weights need one or more, with a truth and all predictions")
    scale = max(float(np.abs(means).max()), 1e-9) * np.sqrt(len(truth))
    ones = np.full((1, means.shape[1]), _HELD * scale)
    least = LinearRegression(fit_intercept=False, positive=True)
    found = least.fit(np.vstack([means, ones]), np.append(truth, _HELD * scale)).coef_
    weights: Floats = found / found.sum()
    return weights


def save_ensemble(
    folder: Path, name: str, validation: Mapping[str, Predictions], trained_on: Sequence[str] = ()
) -> dict[str, float]:
    """Fit weights of heads of a checkpoint, and put the ensemble into its ``rscovlm.json``.

    Args:
        folder: of the checkpoint.
        name: of the ensemble, which no head has.
        validation: what each head says of the same validation plots, by its name.
        trained_on: tiles that training has seen.

    Returns:
        the weight of each head.

    Raises:
        DataError: for other plots, tiles of training, or a name that is taken.
    """
    tables = list(validation.values())
    if any(not np.array_equal(each.key, tables[0].key) for each in tables):
        raise DataError("the heads were asked about different plots; ask all about the same")
    shared = sorted(set(tables[0].tile.tolist()) & set(trained_on))
    if shared:
        raise DataError(
            f"weights are fitted on plots that no head has seen, not on those of tile {shared[0]}"
        )
    known = read_sidecar(folder, OWN) or {}
    heads = dict(known.get("heads", {}))
    taken = [each for kind in heads.values() if isinstance(kind, dict) for each in kind]
    if name in taken and name not in heads.get("ensembles", {}):
        raise DataError(f"{folder} has a head called {name!r} already; choose another name")
    usable = np.all([each.usable for each in tables], axis=0)
    weights = stacking_weights(
        np.stack([each.mean[usable] for each in tables], axis=1), tables[0].truth[usable]
    )
    made = {
        "members": list(validation),
        "fuse": "stacked",
        "weights": weights.tolist(),
        "tiles": sorted(set(tables[0].tile.tolist())),
    }
    heads["ensembles"] = {**heads.get("ensembles", {}), name: made}
    write_json(folder / OWN, known | {"heads": heads}, indent=2)
    return dict(zip(validation, weights.tolist(), strict=True))
