"""Teachers of a head: what a fitted model says of plots, as a table that a source reads (``tables``).

The model is asked once, and not in training: a table cannot run code, and says what it was made from.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import write_text
from rscovlm.data.plot_source import PlotSource
from rscovlm.errors import DataError, UsageError
from rscovlm.reo.baselines import band_statistics, boosted
from rscovlm.reo.predict import TARGET

Floats = NDArray[np.float64]
_KINDS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class Regressor(Protocol):
    """A fitted model, as scikit-learn has them."""

    def predict(self, features: Any) -> Any:
        """(N,) numbers of (N, F) features."""
        ...


class CrossFitted:
    """Boosted trees fitted on the plots of other tiles: what they say of a plot is no echo of its own label.

    Args:
        source: of plots of two or more tiles, the same that are predicted.
        folds: that tiles are dealt into; no more than there are tiles.
    """

    def __init__(self, source: PlotSource, folds: int = 5) -> None:
        self._truth, self._tile = source.places.numbers[TARGET], source.places.tile
        self._folds = min(folds, len(set(self._tile.tolist())))

    def predict(self, features: Any) -> Any:
        """(N,) numbers of (N, F) features of the source's plots; those without a label teach nothing."""
        from sklearn.model_selection import GroupKFold

        found = np.zeros(len(features))
        for rest, held in GroupKFold(self._folds).split(features, groups=self._tile):
            known = rest[np.isfinite(self._truth[rest])]
            found[held] = boosted(features[known], self._truth[known]).predict(features[held])
        return found


class OnnxRegressor:
    """A model of one input and one output in an ONNX file.

    Args:
        path: of the file.

    Raises:
        UsageError: there is no such file, onnxruntime is not installed, or it cannot read the file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"{path} does not exist; give an ONNX file")
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise UsageError(f"{path}: an ONNX teacher needs onnxruntime; install rscovlm[onnx]") from None
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base
            raise UsageError(f"{path} cannot be read as ONNX: {str(error).splitlines()[0]}") from None
        self._path = path

    def predict(self, features: Any) -> Any:
        """(N,) numbers of (N, F) features.

        Raises:
            UsageError: the model wants other features, several inputs, or gives other than a number each.
        """
        inputs, wide = self._session.get_inputs(), np.shape(features)[1]
        if len(inputs) != 1:
            names = ", ".join(each.name for each in inputs)
            raise UsageError(f"{self._path} has the inputs {names}; a teacher has one, of band statistics")
        given = np.asarray(features, _KINDS.get(inputs[0].type, np.float32))
        try:
            said = np.asarray(self._session.run(None, {inputs[0].name: given})[0])
        except Exception as error:  # its exceptions share no base
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"{self._path} cannot say anything about {wide} band statistics: {reason}"
            ) from None
        if said.size != len(given) or said.dtype.kind not in "fiu":
            raise UsageError(
                f"{self._path} gives {said.dtype} of shape {said.shape} for {len(given)} plots; a teacher "
                "gives a number each"
            )
        return said.reshape(-1)


def write_teaching(path: Path, source: PlotSource, model: Regressor, column: str) -> int:
    """Write what a model says of the plots of a source, whole or not at all; the number of plots.

    Args:
        path: of the CSV: ``key``, and the column.
        source: of plots, whose band statistics (``rscovlm.reo.baselines``) are the features.
        model: fitted on plots of training alone.
        column: name of the numbers, such as ``agb_taught``, which ``heads.numbers.agb.teacher`` names.

    Raises:
        DataError: a name that plots have already, or a model that gives other than a number each.
    """
    if source.values(column) is not None:
        raise DataError(f"plots have a number {column} already; call the teacher's something else")
    said = np.asarray(model.predict(band_statistics(source)), np.float64).reshape(-1)
    if len(said) != len(source) or not np.isfinite(said).all():
        raise DataError(
            f"the teacher gives {len(said)} numbers, {int(np.isfinite(said).sum())} of them finite, "
            f"for {len(source)} plots; it has to give one each"
        )
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["key", column])
    rows.writerows([source.key(row), repr(float(value))] for row, value in enumerate(said))
    write_text(path, text.getvalue())
    return len(said)
