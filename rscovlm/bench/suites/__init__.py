"""Benchmarks by name, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.suites.synth import SYNTH

SUITES: Mapping[str, Benchmark] = MappingProxyType({each.name: each for each in (SYNTH,)})
"""All benchmarks, as ``rscovlm bench`` takes them by name."""
