"""The head of ground sampling distance on images of known scale: how far off it is, and how sure of itself.

It is calibrated by split conformal prediction: its deviations are multiplied by one factor, with which nine
tenths of the errors on images that it was not trained on lie within its central 90 % intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from rscovlm.data.example import Key
from rscovlm.data.rendering import Rules, render_example
from rscovlm.data.store import SampleFile
from rscovlm.data.templates import load_templates
from rscovlm.models.families import ModelFamily
from rscovlm.models.heads.gsd import LogGsd
from rscovlm.scoring.distributions import Calibration
from rscovlm.scoring.recalibration import conformal_half_width
from tiling.errors import SceneError
from tiling.gsd import gsd_of_view, resolve_gsd
from tiling.scene import Scene
from zoom_chain.chat import ImagePart, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rscovlm.engines.transformers import TransformersEngine

SHARE = 0.9
"""Of true scales, that an interval of the head is to hold."""

_REACH = NormalDist().inv_cdf((1 + SHARE) / 2)  # deviations from its mean to its ends


@dataclass(frozen=True)
class Readings:
    """What the head says of n images of known scale, in log10 metres per pixel.

    Attributes:
        mean, deviation, truth: (n,) float64.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    truth: NDArray[np.float64]

    @classmethod
    def of(cls, said: Sequence[LogGsd], gsds_m: Sequence[float]) -> Readings:
        """From a distribution and the true metres per pixel of each image."""
        columns = np.array([[float(each.mean), float(each.deviation)] for each in said]).reshape(-1, 2)
        return cls(columns[:, 0], columns[:, 1], np.log10(gsds_m))

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def reach_decades(self) -> NDArray[np.float64]:
        """(n,) from end to end of the central 90 %."""
        return 2 * _REACH * self.deviation

    @property
    def factor(self) -> float:
        """What deviations have to be multiplied by, for nine tenths of new images to be within the ends."""
        return conformal_half_width(np.abs(self.truth - self.mean) / self.deviation, SHARE) / _REACH

    def widened(self, factor: float) -> Readings:
        """The same with deviations multiplied."""
        return replace(self, deviation=factor * self.deviation)

    def crossed(self) -> Readings:
        """Each half with deviations as the other half would have them multiplied."""
        half = np.arange(len(self)) % 2 == 0
        factors = np.where(half, self.part(~half).factor, self.part(half).factor)
        return replace(self, deviation=factors * self.deviation)

    def part(self, rows: NDArray[Any]) -> Readings:
        """Those of some images, by place or by whether they are among them."""
        return Readings(self.mean[rows], self.deviation[rows], self.truth[rows])

    def scores(self) -> dict[str, float]:
        """Mean error in decades beside that of the median, coverage of intervals, error over deviation."""
        away = self.truth - self.mean
        below = [NormalDist().cdf(z) for z in away / self.deviation]
        counted = Calibration.of(self.mean, self.deviation, self.truth, below)
        return {
            "images": float(len(self)),
            "error_decades": float(np.abs(away).mean()),
            "constant_decades": float(np.abs(self.truth - np.median(self.truth)).mean()),
            "coverage_50": counted.coverage(0.5),
            "coverage_90": counted.coverage(0.9),
            "calibration_ratio": counted.error_ratio,
        }


def read_images(estimate: Callable[[ImagePart], LogGsd], file: SampleFile, family: ModelFamily) -> Readings:
    """What a head says of the images of a file, each once, at the size at which the family shows them.

    Args:
        estimate: of the head, for one image.
        file: of samples; those that do not state the scale of their images are passed over.
        family: with bounds on sizes.

    Raises:
        DataError, SceneError: an image cannot be used.
    """
    pictures = dict.fromkeys(_pictures(file, family))
    said = [estimate(ImagePart.of(picture)) for picture in pictures]
    return Readings.of(said, [picture.gsd_m for picture in pictures if picture.gsd_m is not None])


def read_scenes(engine: TransformersEngine, sources: Iterable[str]) -> Readings:
    """What the head of a model says of the overviews of scenes whose scale is known, each once.

    Args:
        engine: with the head.
        sources: of scenes; what cannot be opened, or tells no scale, is passed over.
    """
    said, gsds_m = [], []
    for source in dict.fromkeys(sources):
        try:
            with Scene(source) as scene:
                view = scene.overview(engine.family.resolution)
                shown_m = gsd_of_view(scene, view, resolve_gsd(scene)).metres
                if shown_m is not None:
                    said.append(engine.gsd_of(ImagePart(scene.read(view).pixels)))
                    gsds_m.append(shown_m)
        except SceneError:
            continue
    return Readings.of(said, gsds_m)


def _pictures(file: SampleFile, family: ModelFamily) -> Iterator[Picture]:
    rules = Rules(family, family.resolution, load_templates("varied"))
    for index, sample in enumerate(file):
        shown = render_example(sample, rules, Key(sample.source, index, 0), 0, file.resolve)
        yield from (picture for picture in shown.conversation.images if picture.gsd_m is not None)
