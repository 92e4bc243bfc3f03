"""The journal beside an output: where it lies, when it goes, and what is said when it stays."""

from __future__ import annotations

import pytest

from rscovlm.cli.failures import Incomplete, Interrupted
from rscovlm.cli.reply_journal import end_of_run, incomplete, journal_beside, kept_replies
from rscovlm.errors import UsageError


def test_it_lies_beside_the_first_file_that_is_written(tmp_path):
    outputs = {"--output": None, "--trace": tmp_path / "trace.html"}
    found = journal_beside(outputs, resume=False, overwrite=False)
    assert found == tmp_path / "trace.html.journal.jsonl"
    assert journal_beside({"--output": None}, resume=False, overwrite=False) is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"resume": True, "overwrite": False}, "--resume needs the --output or --trace of the run"),
        ({"resume": True, "overwrite": True}, "give one of them"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, message):
    with pytest.raises(UsageError, match=message):
        journal_beside({"--output": None, "--trace": None}, **flags)


def test_ctrl_c_says_how_many_replies_are_kept_and_an_empty_one_does_not_stay(tmp_path):
    path = tmp_path / "out.journal.jsonl"
    flags = {"resume": False, "overwrite": False}
    stopped = kept_replies(path, {}, **flags)
    stopped.__enter__().append({"key": 1})
    with pytest.raises(Interrupted, match="after 1 reply"):
        stopped.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert path.exists()
    path.unlink()
    with pytest.raises(OSError, match="gone"), kept_replies(path, {}, **flags):
        raise OSError("gone")
    assert not path.exists()


def test_it_goes_when_nothing_is_missing_and_stays_with_what_to_do_when_something_is(tmp_path):
    path = tmp_path / "out.journal.jsonl"
    path.touch()
    with pytest.raises(Incomplete, match=r"^2 of 3 failed; --resume asks again about what has no reply$"):
        end_of_run(path, "2 of 3 failed", unasked=True)
    with pytest.raises(Incomplete, match=r"^2 of 3 say nothing$"):  # asking again would give the same
        end_of_run(path, "2 of 3 say nothing", unasked=False)
    assert path.exists()
    end_of_run(path, None, unasked=False)
    assert not path.exists()
    end_of_run(None, None, unasked=False)
    with pytest.raises(Incomplete, match=r"^2 of 3 failed$"):  # without a journal there is nothing to resume
        end_of_run(None, "2 of 3 failed", unasked=True)


def test_the_sentence_is_the_same_for_several_journals():
    assert str(incomplete("x", resumable=True)).startswith("x; --resume")
