"""Steps of a head's quantiles, fitted on plots that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

from rscovlm.errors import DataError
from rscovlm.scoring.predictions import Predictions, covered
from rscovlm.scoring.quantile_steps import QuantileSteps


def fitted(name: str, table: Predictions, trained_on: Sequence[str] = ()) -> tuple[QuantileSteps, float]:
    """The steps of a head, and the share of these plots inside of its 90 % intervals before.

    Args:
        name: of the head.
        table: what it says of validation plots.
        trained_on: tiles that training has seen.

    Raises:
        DataError: tiles of training, too few plots, or a head without a spread.
    """
    shared = sorted(set(table.tile.tolist()) & set(trained_on))
    if shared:
        raise DataError(
            f"intervals are fitted on plots that no head has seen, not on those of tile {shared[0]}"
        )
    try:
        return QuantileSteps.fit(table), covered(table, 0.9).value
    except ValueError as error:
        raise DataError(f"head {name}: {error}") from None
