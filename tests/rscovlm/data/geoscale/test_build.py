"""Building: balanced over answers and tiers, and written as samples that state the scale of their views."""

from collections import Counter

import pytest

from rscovlm.data.geoscale.build import BEGINNING, ScalePlan, balanced, build_scales
from rscovlm.data.geoscale.questions import ScaleQuestion
from rscovlm.data.geoscale.views import synthetic_views
from rscovlm.data.sample import Sample
from rscovlm.errors import UsageError


def asked(view, answer, tier, topic="width"):
    return ScaleQuestion(view, f"How wide, {view}?", answer, "discriminative", topic, tier)


def test_tiers_get_about_as_many_questions():
    many = [asked(f"a{i}", str(i % 4), "objects") for i in range(40)]
    few = [asked(f"b{i}", str(i % 4), "land cover") for i in range(8)]
    left_out = Counter()
    kept = balanced([*many, *few], ScalePlan(tier_ratio=1.5), left_out)
    assert Counter(question.tier for question in kept) == {"objects": 12, "land cover": 8}
    assert left_out["tier too frequent"] == 28


def test_no_answer_is_above_its_share_of_a_topic():
    questions = [asked(f"v{i}", "20 m" if i < 30 else f"{i} m", "objects") for i in range(40)]
    kept = balanced(questions, ScalePlan(max_answer_share=0.5), Counter())
    counts = Counter(question.answer for question in kept)
    assert counts["20 m"] <= 0.5 * sum(counts.values())


def test_which_questions_go_depends_on_the_seed_alone():
    questions = [asked(f"v{i}", "20 m" if i < 30 else "200 m", "objects") for i in range(40)]
    found = balanced(questions, ScalePlan(seed=3), Counter())
    assert set(found) == set(balanced(questions[::-1], ScalePlan(seed=3), Counter()))
    assert set(found) != set(balanced(questions, ScalePlan(seed=4), Counter()))


@pytest.fixture(scope="module")
def data():
    return build_scales(list(synthetic_views(30, 32, 1)), ScalePlan())


def test_samples_are_about_written_views_and_state_their_scale(data, tmp_path):
    data.write_images(tmp_path)
    known = {view.id: view for view in data.views}
    samples = list(data.samples())
    assert len(samples) == len({sample.id for sample in samples}) == len(data.questions)
    for sample, question in zip(samples, data.questions, strict=True):
        assert Sample.from_json(sample.to_json()) == sample
        assert sample.gsd_m == known[question.view].gsd_m
        assert (tmp_path / sample.images[0].path).is_file()
        assert sample.turns[1].text == question.answer
    stated = next(iter(data.samples(stated=True))).turns[0].text
    assert stated == BEGINNING + samples[0].turns[0].text.removeprefix("<image>")


def test_the_report_counts_what_is_there(data):
    assert data.report["samples"] == len(data.questions) == sum(data.report["tier"].values())
    assert set(data.report["kind"]) <= {"identification", "scale-specific", "discriminative"}
    tiers = data.report["tier"].values()
    assert max(tiers) <= 1.5 * min(tiers)


def test_a_build_is_a_function_of_views_and_seed(data):
    assert build_scales(list(synthetic_views(30, 32, 1)), ScalePlan()).questions == data.questions


def test_plans_that_make_nothing_are_refused():
    with pytest.raises(UsageError, match="ways guessing are unknown"):
        ScalePlan(ways=("guessing",))
    with pytest.raises(ValueError, match="needs a teacher"):
        build_scales([], ScalePlan(ways=("teacher",)))
