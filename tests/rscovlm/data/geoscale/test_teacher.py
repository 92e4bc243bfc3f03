"""A teacher is told the scale, and what it writes is filtered by form and asked again."""

import json
from collections import Counter

import pytest

from rscovlm.data.geoscale.teacher import filtered, kind_of, teach_scales
from rscovlm.data.zoom.teacher import Memory
from rscovlm.models.families import FAMILIES
from tests.rscovlm.data.geoscale.material import thing, view
from zoom_chain.chat import Reply

PAIRS = [
    {"question": "Which class of object is in the middle?", "answer": "ship"},
    {"question": "How long is the ship, in metres?", "answer": "80"},
]


class Teacher:
    """Proposes ``PAIRS``, and answers what it is asked again from a table."""

    family = FAMILIES["nano"]

    def __init__(self, again):
        self.again, self.asked = again, []

    def chat(self, conversations, options):
        self.asked += conversations
        return [Reply(self._said(conversation.messages[0].text)) for conversation in conversations]

    def _said(self, text):
        if "JSON" in text:
            return json.dumps(PAIRS)
        return next(answer for question, answer in self.again.items() if question in text)


SHOWN = view(2.0, thing("ship", 30, 40, 40, 10))


def test_the_teacher_is_told_scale_tier_and_annotation():
    teacher = Teacher({"Which class": "Ship.", "How long": "80"})
    teach_scales([SHOWN], teacher, Memory())
    told, image = teacher.asked[0].messages[0].text, teacher.asked[0].images[0]
    assert "One pixel of this image is 2 m on the ground" in told
    assert "200 m from edge to edge" in told
    assert SHOWN.tier.instruction in told
    assert "1 ship" in told
    # 100 px at 2 m, brought to a size that the model takes.
    assert image.gsd_m * image.size.width == pytest.approx(200)


def test_only_what_is_answered_alike_when_asked_again_stays():
    found = teach_scales([SHOWN], Teacher({"Which class": "ship", "How long": "300"}), Memory())
    assert [(q.answer, q.kind, q.tier, q.way) for q in found.questions] == [
        ("ship", "identification", "structures", "teacher")
    ]
    assert found.rejected == {"other answer when asked again": 1}


def test_what_is_kept_is_not_asked_again():
    store, again = Memory(), {"Which class": "ship", "How long": "80"}
    first = teach_scales([SHOWN], Teacher(again), store)
    teacher = Teacher(again)
    assert teach_scales([SHOWN], teacher, store).questions == first.questions
    assert teacher.asked == []


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("What is shown at a resolution of 2 m?", "port", "tells the scale"),
        ("How many pixels wide is the ship?", "40", "tells the scale"),
        ("What kind of ship is the cargo ship?", "cargo ship", "answer stands in the question"),
        ("What is it?", "I cannot tell", "a refusal"),
        ("What is it?", "one two three four five six", "too long"),
        ("Что это?", "ship", "not English"),
    ],
)
def test_what_cannot_be_used_is_counted_by_reason(question, answer, reason):
    rejected = Counter()
    assert filtered(json.dumps([{"question": question, "answer": answer}]), rejected) == []
    assert rejected == {reason: 1}


def test_a_reply_without_pairs_counts_as_malformed():
    rejected = Counter()
    assert filtered("no idea", rejected) == []
    assert rejected == {"malformed": 1}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How wide is the river?", "scale-specific"),
        ("Is this a village or a city?", "discriminative"),
        ("What crop grows here?", "identification"),
    ],
)
def test_kinds_are_told_by_words(question, kind):
    assert kind_of(question) == kind
