"""Plans that several tests look at."""

import pytest

from rscovlm.synth.catalogue import LAND_COVERS
from rscovlm.synth.world import plan_world


@pytest.fixture(scope="session")
def worlds():
    """Two scenes of each class, 1.2 km a side."""
    return [plan_world(seed, 4096, 4096, cover=cover) for seed in (3, 4) for cover in LAND_COVERS]
