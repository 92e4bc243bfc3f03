"""What a run will cost: exact where nothing depends on the model, a range where it may look closer."""

from dataclasses import replace

import pytest

from rscovlm.bench.runs.estimate import estimate
from tests.rscovlm.bench.runs.asked import job_about, one_of_each, write_files


@pytest.fixture
def items(tmp_path):
    write_files(tmp_path)
    return one_of_each(tmp_path)


def cost(folder, items, **more):
    job = job_about(folder, items, **more)
    return job, estimate(job.asking, job.questions.items)


def test_without_zoom_requests_and_tokens_are_exact(tmp_path, items):
    _, found = cost(tmp_path, items, mode="off")
    # six items about 64 x 64 px (16 tokens), two about a scene shown at 128 x 128 px (64 tokens)
    assert found.visual_tokens == (6 * 16 + 2 * 64,) * 2
    assert found.requests == (8, 8)
    assert found.images == 4
    assert found.kinds["open"] == 1


def test_with_zoom_the_budget_bounds_them(tmp_path, items):
    job, found = cost(tmp_path, [items[1]], mode="chain")
    budget = job.asking.settings.budget
    assert found.requests == (1, 2 + budget.max_zooms - 1 + budget.max_refusals)
    assert found.visual_tokens[0] == 64
    assert found.visual_tokens[1] == 64 + 64 * budget.max_zooms


def test_a_run_without_pictures_has_no_visual_tokens(tmp_path, items):
    assert cost(tmp_path, items, blind="text")[1].visual_tokens == (0, 0)


def test_files_that_cannot_be_opened_are_named(tmp_path, items):
    gone = str(tmp_path / "gone.png")
    _, found = cost(tmp_path, [replace(items[0], images=(gone,)), items[2]], mode="off")
    assert list(found.unreadable) == [gone]
    assert found.visual_tokens == (16, 16)
