"""Model text on a terminal: nothing in it steers the terminal, and any stream takes it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rscovlm.cli.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07red", "red"),
        ("\x1b]8;;http://evil\x1b\\red", "red"),
        ("a\x00b\x07c\x9bd", "abcd"),
        ("\u202edrowssap", "drowssap"),
        ("飞机 ✈️\n\tnext", "飞机 ✈️\n\tnext"),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_what_would_steer_a_terminal_is_left_out(text, shown):
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(codec=None)))
def test_whatever_is_left_prints_and_stays_as_it_is(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert "\x1b" not in shown
    shown.encode()


SAYS = "from rscovlm.cli import terminal; terminal.ready_streams(); print('飞机', flush=True)"


def test_an_ascii_stdout_gets_escapes_and_a_closed_one_nothing():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, env=environment)
    assert (done.returncode, done.stdout) == (0, b"\\u98de\\u673a\n")
    closed = subprocess.run(["sh", "-c", f'exec "{sys.executable}" -c "{SAYS}" >&-'], capture_output=True)
    assert (closed.returncode, closed.stderr) == (0, b"")


SET = (
    "import os, sys; from rscovlm.cli import main; sys.argv = ['rscovlm', '--version']; main(); "
    "assert 'torch' not in sys.modules; print(os.environ['OMP_WAIT_POLICY'])"
)


@pytest.mark.parametrize(("stated", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_the_environment_says_otherwise(stated, policy):
    bare = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", SET], capture_output=True, text=True, env=bare | stated)
    assert done.stdout.splitlines()[-1] == policy, done.stderr
