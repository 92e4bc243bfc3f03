"""Data of the experiment: views, questions about them, and how far an ideal reader of their pixels gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from detection_eval.files import write_json
from rscovlm.data.geoscale.build import ScaleData, ScalePlan, build_scales
from rscovlm.data.geoscale.questions import Rule
from rscovlm.data.geoscale.views import ScaleView, at_any_scale, drawn_scales, synthetic_views
from rscovlm.data.randomness import generator
from rscovlm.data.sample import Sample
from rscovlm.data.store import write_samples
from rscovlm.scale.conditions import Told, conditions
from rscovlm.scale.methods import CALIBRATION, IDEAL, STATED, TEST, TRAIN, Budget

CALIBRATION_SEED, TEST_SEED = 1 << 39, 1 << 40
"""Added to the seed of views that are not trained on."""

_PRIOR = 600  # scales from which one who is told none guesses


def write_data(folder: Path, budget: Budget) -> None:
    """Write all files of the experiment, unless they are there.

    Questions of training without and with the scale in words, views on which the head is calibrated, the
    test, and the answers of the ideal reader.
    """
    if (folder / IDEAL).is_file():
        return
    trained = _views(budget.train_views, budget, 0)
    training = _questions([view for view in trained if view.tier.name != budget.left_out], budget)
    calibration = _questions(_views(budget.calibration_views, budget, CALIBRATION_SEED), budget)
    test = _thinned(_questions(_views(budget.test_views, budget, TEST_SEED), budget), budget)
    for data in (training, calibration, test):
        data.write_images(folder)
    write_samples(folder / TRAIN, training.samples())
    write_samples(folder / STATED, training.samples(stated=True))
    write_samples(folder / CALIBRATION, one_of_each_view(calibration.samples()))
    write_samples(folder / TEST, test.samples())
    write_json(folder / IDEAL, ideal_hits(test, conditions(budget.seed), budget.seed), indent=1)


def one_of_each_view(samples: Iterable[Sample]) -> list[Sample]:
    """The last sample of each view."""
    return list({str(sample.attributes["scene"]): sample for sample in samples}.values())


def _views(count: int, budget: Budget, offset: int) -> Sequence[ScaleView]:
    """Views whose pixels tell their scale, or do not, as the budget says."""
    seed = budget.seed + offset
    views = synthetic_views(count, budget.side, seed)
    return list(views if budget.pixels == "telling" else at_any_scale(views, seed))


def _questions(views: Sequence[ScaleView], budget: Budget) -> ScaleData:
    data = build_scales(views, ScalePlan(seed=budget.seed))
    if budget.pixels == "telling":
        return data
    # Things of any size have no usual one at which they could be made out.
    return replace(data, questions=tuple(each for each in data.questions if each.topic != "legibility"))


def _thinned(data: ScaleData, budget: Budget) -> ScaleData:
    rng = generator(budget.seed, "scale test")
    kept = np.sort(rng.permutation(len(data.questions))[: budget.questions])
    return replace(data, questions=tuple(data.questions[int(place)] for place in kept))


def ideal_hits(data: ScaleData, told: Mapping[str, Told], seed: int) -> dict[str, list[bool]]:
    """Whether one who reads pixels without error, and believes what is told of the scale, answers rightly.

    Told nothing, that reader takes the answer that is most probable over the scales of synthetic views.

    Args:
        data: questions by templates, with their views.
        told: what is told, by condition.
        seed: of the scales that may be.

    Returns:
        of each condition, of each question in order.
    """
    prior = drawn_scales(_PRIOR, seed)
    views = {view.id: view for view in data.views}
    found: dict[str, list[bool]] = {}
    for name, tell in told.items():
        found[name] = []
        for question in data.questions:
            view, rule = views[question.view], question.rule
            assert rule is not None
            metres = tell(view.image, view.gsd_m)
            answer = _most_probable(rule, prior) if metres is None else rule(metres)
            found[name].append(answer == question.answer)
    return found


def _most_probable(rule: Rule, scales: Sequence[float]) -> str | None:
    found = Counter(answer for metres in scales if (answer := rule(metres)) is not None)
    return found.most_common(1)[0][0] if found else None
