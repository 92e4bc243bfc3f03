"""Words: an answer in the plural is the same answer."""

import pytest

from detection_eval.words import plural
from rscovlm.scoring.answers import same_answer


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("storage tank", "storage tanks"),
        ("bus", "buses"),
        ("baseball diamond", "baseball diamonds"),
        ("ground track field", "ground track fields"),
        ("ferry", "ferries"),
        ("bridge", "bridges"),
        ("bench", "benches"),
    ],
)
def test_plurals(noun, several):
    assert plural(noun) == several
    assert same_answer(noun, several)
