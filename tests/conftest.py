"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no defect: properties are about values, and speed is measured in benchmarks/.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def rasters() -> Path:
    """The folder of real rasters; RSCOVLM_RASTERS overrides where it is looked for."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "rasters"
    folder = Path(os.environ.get("RSCOVLM_RASTERS", default))
    if not folder.is_dir():
        pytest.skip(f"no real rasters in {folder.name}; set RSCOVLM_RASTERS to a folder that has them")
    return folder
