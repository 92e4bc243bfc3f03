"""Fixtures of data that training shares."""

from tests.rscovlm.data.conftest import model

__all__ = ["model"]
