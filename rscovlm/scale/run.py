"""The experiment from data to results; what is there already is not done again.

| in the folder | holds |
|---|---|
| ``settings.json`` | the budget |
| ``train.jsonl``, ``train_stated.jsonl``, ``test.jsonl``, ``images/`` | questions and views |
| ``METHOD/`` | the training run of a method, its export ``model/``, and ``results.json`` |
| ``results.json``, ``index.html`` | everything that was measured, and its page |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from detection_eval.files import write_json
from rscovlm.data.geoscale.build import ScaleData, ScalePlan, build_scales
from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.data.geoscale.views import synthetic_views
from rscovlm.data.randomness import generator
from rscovlm.data.store import SampleFile, write_samples
from rscovlm.errors import UsageError
from rscovlm.scale import measure
from rscovlm.scale.conditions import conditions
from rscovlm.scale.methods import METHODS, STATED, TEST, TRAIN, Budget, Method, configuration
from rscovlm.training.export import export_run
from rscovlm.training.run import run_training
from tiling.gsd import Range

SETTINGS, RESULTS, MODEL = "settings.json", "results.json", "model"
TEST_SEED = 1 << 40
"""Added to the seed of test views, of which none is trained on."""

BAKED_M = (0.3, 1.0, 10.0)
WIDEST = 4.0
"""Largest ratio of the ends of a prediction that is still taken, as of ``tiling.gsd.resolve_gsd``."""

Say = Callable[[str], None]


def run_experiment(
    folder: Path, budget: Budget, names: Sequence[str] | None = None, say: Say = lambda line: None
) -> dict[str, Any]:
    """Train and measure methods; an interrupted experiment goes on.

    Args:
        folder: of the experiment.
        budget: of each method.
        names: of the methods; None takes all. CS-HLoRA comes first, whose head gives the predicted scales.
        say: told what is begun.

    Raises:
        UsageError: the folder holds an experiment of another budget, or a method is unknown.
    """
    chosen = _chosen(names)
    _settle(folder, budget)
    _write_data(folder, budget, say)
    items = measure.read_items(list(SampleFile(folder / TEST)), folder)
    results: dict[str, Any] = {"budget": asdict(budget), "test": len(items), "methods": {}}
    predicted: dict[str, float | None] = {}
    for method in chosen:
        place = folder / method.name
        if not (place / RESULTS).is_file():
            _train(method, budget, folder, place, say)
            say(f"{method.name}: measuring")
            write_json(place / RESULTS, _measured(method, budget, place, items, predicted), indent=1)
        found = json.loads((place / RESULTS).read_text(encoding="utf-8"))
        predicted = predicted or found.get("predicted", {})
        results["methods"][method.name] = found
        write_json(folder / RESULTS, results, indent=1)
    return results


def _chosen(names: Sequence[str] | None) -> list[Method]:
    known = {method.name: method for method in METHODS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(f"method {unknown[0]!r} is unknown; choose from {', '.join(known)}")
    return [method for method in METHODS if not names or method.name in names]


def _settle(folder: Path, budget: Budget) -> None:
    """Make the folder one of this budget."""
    stated = json.loads(json.dumps(asdict(budget)))
    file = folder / SETTINGS
    if file.is_file():
        if json.loads(file.read_text(encoding="utf-8")) != stated:
            raise UsageError(f"{folder} holds an experiment of another budget; give another --output")
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no experiment; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, stated, indent=1)


def _write_data(folder: Path, budget: Budget, say: Say) -> None:
    if (folder / TEST).is_file():
        return
    say(f"rendering {budget.train_views + budget.test_views} views from 0.1 to 30 m per pixel")
    plan = ScalePlan(seed=budget.seed)
    training = build_scales(list(synthetic_views(budget.train_views, budget.side, budget.seed)), plan)
    seed = budget.seed + TEST_SEED
    held_out = build_scales(list(synthetic_views(budget.test_views, budget.side, seed)), plan)
    for data in (training, held_out):
        data.write_images(folder)
    write_samples(folder / TRAIN, training.samples())
    write_samples(folder / STATED, training.samples(stated=True))
    write_samples(folder / TEST, _thinned(held_out, budget).samples())


def _thinned(data: ScaleData, budget: Budget) -> ScaleData:
    rng = generator(budget.seed, "scale test")
    kept = np.sort(rng.permutation(len(data.questions))[: budget.questions])
    return replace(data, questions=tuple(data.questions[int(place)] for place in kept))


def _train(method: Method, budget: Budget, folder: Path, place: Path, say: Say) -> None:
    config = configuration(method, budget, folder)
    say(f"{method.name}: training for {budget.steps} steps")
    run_training(config, place, going_on=True)
    export_run(place, place / MODEL, replace=True)


def _measured(
    method: Method,
    budget: Budget,
    place: Path,
    items: Sequence[measure.TestItem],
    predicted: dict[str, float | None],
) -> dict[str, Any]:
    """Everything about a trained method, as JSON holds it."""
    results: dict[str, Any] = {"accuracy": {}}
    with measure.open_trained(place / MODEL, budget.side) as engine:
        ranges = measure.predictions(engine, items)
        if ranges:
            results["head"] = measure.head_scores(ranges, items)
            predicted = {view: _taken(Range(*ends)) for view, ends in ranges.items()}
            results["predicted"] = predicted
        for name, told in conditions(budget.seed, predicted).items():
            if name == "oracle" or (method.told and (name != "predicted" or predicted)):
                right = measure.hits(engine, method, items, told)
                results["accuracy"][name] = measure.accuracy(right, items)
        gates = measure.gates_of(engine)
        if method.told and gates:
            results["thresholds"] = measure.thresholds(gates)
            results["without_tier"] = {}
            for number, tier in enumerate(TIERS):
                with measure.without_tier(gates, number):
                    right = measure.hits(engine, method, items, lambda view, gsd_m: gsd_m)
                results["without_tier"][tier.name] = measure.accuracy(right, items)
    if method.told and gates:
        gap = export_run(place, place / "baked", replace=True, gsds_m=BAKED_M).gap
        results["gap"] = None if gap is None else {"baked_m": BAKED_M, **asdict(gap)}
    return results


def _taken(found: Range) -> float | None:
    return found.middle if found.high <= WIDEST * found.low else None
