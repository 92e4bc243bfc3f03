"""Jobs about small files for tests, asked of a scripted engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.prompts import load_profile
from rscovlm.bench.protocols.strict import generic
from rscovlm.bench.runs.job import Job, plan_job, read_questions
from rscovlm.models.checkpoints import resolve
from rscovlm.tasks.recipe import Recipe
from tests.rscovlm.bench.made import picture
from tests.rscovlm.scripted import write_raster

BOX = np.array([[(10, 10), (40, 10), (40, 40), (10, 40)]], dtype=float)
CHECKPOINT = resolve("http://scripted/v1#nano")


def write_files(folder: Path) -> None:
    for number in range(3):
        picture(folder / f"{number}.png", value=60 + 40 * number)
    write_raster(folder / "large.tif", 1024, 1024)


def one_of_each(folder: Path) -> list[Item]:
    """An item of each kind about small pictures, and two about a large scene."""
    small, large = str(folder / "0.png"), str(folder / "large.tif")
    words = {"category": "words"}
    return [
        Item("class", (small,), "classify", "", Truth(("sea",)), ("sea", "sand"), words),
        Item("open", (large,), "open", "What colour?", Truth(("red",)), groups={"category": "colour"}),
        Item("number", (small,), "number", "How wide?", Truth(("10",)), groups=words),
        Item("count", (large,), "count", "How many?", Truth(("2",)), groups={"category": "count"}),
        Item("choice", (str(folder / "1.png"),), "choice", "Which?", Truth(("B",)), ("x", "y"), words),
        Item("ground", (small,), "ground", "ship", Truth(polygons=BOX, labels=("ship",))),
        Item("detect", (small,), "detect", "", Truth(polygons=BOX, labels=("ship",)), ("ship",)),
        Item("caption", (str(folder / "2.png"),), "caption", "", Truth(("a ship",))),
    ]


def benchmark(items) -> Benchmark:
    """A benchmark that reads what it is given."""
    return Benchmark(
        "made",
        "Made for tests",
        "anything",
        "these tests",
        "Apache-2.0",
        ("test", "val"),
        lambda root, split: iter(items),
        generic("made"),
        {"test": 9},
    )


def job_about(folder: Path, items, *, limit=None, checkpoint=CHECKPOINT, recipe=None, **more) -> Job:
    """A job about some items."""
    questions = read_questions(benchmark(items), folder, limit=limit)
    return plan_job(questions, checkpoint, recipe or Recipe(), load_profile("default"), **more)
