"""Plans that several tests look at."""

import pytest

from rscovlm.synth.world import plan_world


@pytest.fixture(scope="session")
def worlds():
    return [plan_world(seed, 4096, 4096) for seed in range(12)]
