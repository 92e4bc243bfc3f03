"""Items made ready to be asked: words, views, and what cannot be asked."""

import pytest

from rscovlm.bench.runs.preparing import NOWHERE, PreparedBatch
from tests.rscovlm.bench.runs.asked import job_about, one_of_each, write_files


@pytest.fixture
def items(tmp_path):
    write_files(tmp_path)
    return one_of_each(tmp_path)


def prepared(tmp_path, items, **options):
    job = job_about(tmp_path, items, **options)
    with PreparedBatch(job.asking, items) as batch:
        return {question.item.key: question for question in batch.questions}


def test_a_question_that_may_be_looked_at_closer_has_no_request_yet(tmp_path, items):
    questions = prepared(tmp_path, items, mode="chain")
    assert {key for key, question in questions.items() if question.zooms} >= {"open", "count"}
    assert all(q.conversation is None and q.scene is not None for q in questions.values() if q.zooms)
    assert questions["class"].conversation is not None


def test_a_blind_question_shows_nothing_and_has_no_view_of_its_image(tmp_path, items):
    question = prepared(tmp_path, items, mode="off", blind="text")["open"]
    assert question.conversation.images == ()
    assert (question.tokens, question.views) == (0, ())
    seen = prepared(tmp_path, items, mode="off")["open"]
    assert len(seen.conversation.images) == 1
    assert seen.tokens == 64  # 128 x 128 px, 16 px cells
    assert seen.view != NOWHERE


def test_an_image_that_is_missing_is_an_error_of_its_items_alone(tmp_path, items):
    (tmp_path / items[0].images[0]).unlink()
    questions = prepared(tmp_path, items, mode="off")
    failed = {key for key, question in questions.items() if question.error is not None}
    assert failed == {item.key for item in items if items[0].images[0] in item.images}
