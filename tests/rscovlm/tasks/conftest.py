"""Multi-band scenes of the tests of regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from rscovlm.models.sensors import open_as, read_sensor
from tests.rscovlm.regression import scene
from tiling.overrides import AS_STORED
from tiling.stack import Stack


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[np.ndarray], Stack]]:
    """Makes a Sentinel-2 scene of a given green band, opened until the test ends."""
    with ExitStack() as held:

        def make(green: np.ndarray) -> Stack:
            path = scene(tmp_path / "s.tif", green)
            stack = Stack((open_as(path, read_sensor("sentinel2-l2a"), AS_STORED),))
            held.callback(stack.close)
            return stack

        yield make
