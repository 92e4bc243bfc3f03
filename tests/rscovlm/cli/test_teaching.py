"""Steps of commands with a teacher: when one is needed, and what its journal goes by."""

from types import SimpleNamespace

import numpy as np
import pytest

from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.teaching import (
    check_taught,
    check_teacher,
    digest_of,
    require_replies,
    teacher_journal,
    teacher_named,
)
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


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"resume": True, "overwrite": True}, "give one of them"),
        ({"resume": False, "overwrite": False}, "add --overwrite"),
        ({"resume": False, "overwrite": True}, "is what is read"),
    ],
)
def test_files_are_checked_before_anybody_is_asked(tmp_path, flags, message):
    output = tmp_path / "a.jsonl"
    output.touch()
    with pytest.raises(UsageError, match=message):
        check_taught(output, None, [output] if flags["overwrite"] else [], **flags)
    with pytest.raises(UsageError, match="is a folder; give the name of a file"):
        check_taught(tmp_path / "b.jsonl", tmp_path, [], resume=False, overwrite=False)


def test_requests_that_failed_are_incomplete_and_may_be_asked_again():
    require_replies(SimpleNamespace(failed=0, error=None))
    with pytest.raises(Incomplete, match=r"2 requests to the teacher failed \(busy\); --resume asks again"):
        require_replies(SimpleNamespace(failed=2, error="busy"))


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
