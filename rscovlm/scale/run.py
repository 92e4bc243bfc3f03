"""The experiment from data to results; what is there already is not done again.

| in the folder | holds |
|---|---|
| ``settings.json`` | the budget |
| ``train*.jsonl``, ``calibration.jsonl``, ``test.jsonl``, ``images/`` | questions and views |
| ``ideal.json`` | which questions of the test an ideal reader answers rightly under each condition |
| ``METHOD/`` | the training run of a method, its export ``model/``, and ``results.json`` |
| ``results.json``, ``index.html`` | everything that was measured, and its page |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from detection_eval.files import write_json
from rscovlm.data.geoscale.tiers import TIERS
from rscovlm.data.store import SampleFile
from rscovlm.errors import RscovlmError, UsageError
from rscovlm.models.heads import calibrate_gsd
from rscovlm.models.scale.routes import Routes
from rscovlm.scale import measure
from rscovlm.scale.conditions import conditions
from rscovlm.scale.data import write_data
from rscovlm.scale.head import Readings, read_images
from rscovlm.scale.methods import CALIBRATION, IDEAL, METHODS, OURS, TEST, Budget, Method, configuration
from rscovlm.training.export import export_run
from rscovlm.training.run import run_training
from tiling.gsd import Range

if TYPE_CHECKING:
    from rscovlm.models.heads.gsd import GsdHead

SETTINGS, RESULTS, MODEL = "settings.json", "results.json", "model"
BAKED_M = (0.3, 1.0, 10.0)
WIDEST = 4.0
"""Largest ratio of the ends of a prediction that is still taken, as of ``tiling.gsd.resolve_gsd``."""

Say = Callable[[str], None]


class Stopped(RscovlmError):
    """Training was told to stop; what is done is saved, and the same command goes on."""


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
        Stopped: by a signal while it trained.
    """
    chosen = _chosen(names)
    _settle(folder, budget)
    if not (folder / IDEAL).is_file():
        say(f"rendering {budget.views} views from 0.1 to 30 m per pixel")
        write_data(folder, budget)
    items = measure.read_items(list(SampleFile(folder / TEST)), folder)
    results: dict[str, Any] = {"budget": asdict(budget), "test": len(items), "ideal": _ideal(folder, items)}
    results["methods"] = {}
    predicted: dict[str, float | None] = {}
    for method in chosen:
        place = folder / method.name
        if not (place / RESULTS).is_file():
            _train(method, budget, folder, place, say)
            say(f"{method.name}: measuring")
            write_json(place / RESULTS, _measured(method, budget, folder, items, predicted), indent=1)
        found = json.loads((place / RESULTS).read_text(encoding="utf-8"))
        predicted = predicted or found.get("predicted", {})
        results["methods"][method.name] = found
        results["lead"] = _leads(results["methods"], items)
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


def _ideal(folder: Path, items: Sequence[measure.TestItem]) -> dict[str, Any]:
    """Accuracy of the ideal reader under each condition."""
    right = json.loads((folder / IDEAL).read_text(encoding="utf-8"))
    return {"accuracy": {name: measure.accuracy(hits, items) for name, hits in right.items()}}


def _leads(methods: Mapping[str, Any], items: Sequence[measure.TestItem]) -> dict[str, Any]:
    """How much more often CS-HLoRA answers rightly than each other method, all told the truth."""
    if OURS not in methods:
        return {}
    right = {name: found["accuracy"]["oracle"]["right"] for name, found in methods.items()}
    return {name: measure.lead(right[OURS], own, items) for name, own in right.items() if name != OURS}


def _train(method: Method, budget: Budget, folder: Path, place: Path, say: Say) -> None:
    config = configuration(method, budget, folder)
    say(f"{method.name}: training for {budget.steps} steps")
    ending = run_training(config, place, going_on=True)
    if ending.stopped_by is not None:
        raise Stopped(f"stopped by {ending.stopped_by} after step {ending.step} of {method.name}")
    export_run(place, place / MODEL, replace=True)


def _measured(
    method: Method,
    budget: Budget,
    folder: Path,
    items: Sequence[measure.TestItem],
    predicted: dict[str, float | None],
) -> dict[str, Any]:
    """Everything about a trained method, as JSON holds it."""
    place = folder / method.name
    results: dict[str, Any] = {"accuracy": {}}
    if method.heads:
        _calibrate(place / MODEL, budget, folder)
    with measure.open_trained(place / MODEL, budget.side) as engine:
        said = measure.predictions(engine, items)
        if said:
            truth = {item.view: item.gsd_m for item in items}
            found = Readings.of(list(said.values()), [truth[view] for view in said])
            factor = cast("GsdHead", engine.heads["gsd"]).settings["calibration"]
            results["head"] = {**found.scores(), "calibration": factor}
            results["head_as_trained"] = found.widened(1 / factor).scores()
            predicted = {view: _taken(own.interval(0)) for view, own in said.items()}
            results["predicted"] = predicted
        for name, told in conditions(budget.seed, predicted).items():
            if name == "oracle" or method.told:
                right = measure.hits(engine, method, items, told)
                results["accuracy"][name] = measure.accuracy(right, items)
        gates = measure.gates_of(engine)
        if method.told and gates:
            routes = Routes.of(BAKED_M, 10 ** gates[0].neutral)
            right = measure.hits(engine, method, items, lambda view, gsd_m: routes.route(gsd_m).gsd_m)
            results["routed"] = measure.accuracy(right, items)
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


def _calibrate(model: Path, budget: Budget, folder: Path) -> None:
    """Make the intervals of a head hold on views of scenes that are neither trained on nor tested."""
    with measure.open_trained(model, budget.side) as engine:
        found = read_images(engine.gsd_of, SampleFile(folder / CALIBRATION), engine.family)
    calibrate_gsd(model, found.factor)


def _taken(found: Range) -> float | None:
    return found.middle if found.high <= WIDEST * found.low else None
