"""Steps of commands with a teacher: when one is needed, and what its journal goes by."""

import numpy as np
import pytest

from rscovlm.cli.failures import Interrupted
from rscovlm.cli.teaching import check_teacher, digest_of, teacher_journal, teacher_named
from rscovlm.data.annotations import Annotated, Thing
from rscovlm.errors import UsageError


def test_a_teacher_is_needed_where_it_is_asked_and_only_there():
    check_teacher(("templates",), None)
    check_teacher(("templates", "teacher"), "nano")
    with pytest.raises(UsageError, match="needs a model"):
        check_teacher(("teacher",), None)
    with pytest.raises(UsageError, match="has nothing to do"):
        check_teacher(("templates",), "nano")
    assert teacher_named(None, None) is None
    assert teacher_named("nano", None).family.name == "nano"


def test_nobody_is_journalled_where_nobody_is_asked(tmp_path):
    with teacher_journal(tmp_path / "a.jsonl", None, resume=False, overwrite=False) as journal:
        assert journal is None
    assert not list(tmp_path.iterdir())


def test_an_interruption_keeps_replies_and_says_how_to_go_on(tmp_path):
    output, parameters = tmp_path / "a.jsonl", {"teacher": "nano"}

    def interrupted():
        with teacher_journal(output, parameters, resume=False, overwrite=False) as journal:
            journal.append({"key": "reply"})
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="1 reply is kept, go on with --resume"):
        interrupted()
    with teacher_journal(output, parameters, resume=True, overwrite=False) as journal:
        assert journal.done == {"key": "reply"}


def test_a_digest_changes_with_what_is_known(tmp_path):
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)

    def image(name):
        return Annotated("a", tmp_path / "a.png", 10, 10, (Thing(name, square),))

    assert digest_of([image("ship")]) == digest_of([image("ship")])
    assert digest_of([image("ship")]) != digest_of([image("plane")])
