"""Turns of training samples and the tasks that score them."""

from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.questions import ChoiceQuestion, NumericQuestion, OpenQuestion
from rscovlm.tasks.turns import task_of_turn
from rscovlm.tasks.zoom import ZoomRequest
from tests.rscovlm.tasks.replies import QUAD, SIZE
from zoom_chain.dialect import RSCOVLM


def test_a_turn_is_scored_as_the_task_that_it_belongs_to():
    def task(kind, expected):
        return task_of_turn(kind, expected, SIZE, QUAD, RSCOVLM)

    call = RSCOVLM.render_call((10, 10, 50, 50), SIZE.width, SIZE.height)
    assert task("zoom", call) == ZoomRequest(RSCOVLM)
    assert task("zoom", "A") == ChoiceQuestion()
    assert task("vqa", "3") == NumericQuestion()
    assert task("vqa", "red") == task("classification", "harbour") == OpenQuestion()
    assert task("detection", "There are none.") == Detection(QUAD)
    assert task("grounding", "10,10,50,10,50,50,10,50") == Grounding(QUAD)
    assert task("caption", "a long caption") is None
