"""Benchmarks from the layouts that their authors publish; nothing is downloaded or shipped.

Each stands on the readers of training data (``rscovlm.data.readers``). A further one is a module beside
these; see docs/adding_a_benchmark.md.
"""

from __future__ import annotations

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.suites.detections import DIOR, DOTA, DOTA_15, FAIR1M_BENCH
from rscovlm.bench.suites.grounding import AVVG, DIOR_RSVG, GEOCHAT_VG, RSVG
from rscovlm.bench.suites.large import LRS_VQA, MME_REALWORLD_RS
from rscovlm.bench.suites.omniearth import OMNIEARTH_BENCH
from rscovlm.bench.suites.plots import AGBD, AGBD_LITE, REO_CHAIN, REO_INSTRUCT
from rscovlm.bench.suites.rsvqa import RSVQA_HR, RSVQA_LR
from rscovlm.bench.suites.scenes import AID, METER_ML, NWPU_RESISC45, UCMERCED, WHU_RS19
from rscovlm.bench.suites.synth import SYNTH
from rscovlm.bench.suites.vrsbench import VRSBENCH_CAPTION, VRSBENCH_VG, VRSBENCH_VQA
from rscovlm.bench.suites.xlrs import XLRS_BENCH, XLRS_BENCH_LITE

__all__ = ["SUITES"]

_ALL = (
    *(LRS_VQA, XLRS_BENCH, XLRS_BENCH_LITE, OMNIEARTH_BENCH, MME_REALWORLD_RS),
    *(VRSBENCH_VQA, VRSBENCH_VG, VRSBENCH_CAPTION, RSVQA_LR, RSVQA_HR),
    *(DIOR_RSVG, RSVG, GEOCHAT_VG, AVVG),
    *(AID, UCMERCED, METER_ML, NWPU_RESISC45, WHU_RS19),
    *(DOTA, DOTA_15, DIOR, FAIR1M_BENCH),
    *(AGBD, AGBD_LITE, REO_INSTRUCT, REO_CHAIN),
    SYNTH,
)

SUITES: dict[str, Benchmark] = {suite.name: suite for suite in _ALL}
"""The benchmarks by name."""
