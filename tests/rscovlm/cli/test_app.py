"""The commands put together."""

import re

import pytest
import typer

from rscovlm.cli.app import app

VERBS = [
    *("ask", "bench", "classify", "data", "detect", "doctor", "export", "synth", "train", "zoom-data"),
]


def commands(group, path=()):
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(typer.main.get_command(app)))


def test_every_verb_is_there_and_says_what_it_does(run):
    assert set(VERBS) <= {words[0] for words in ALL}
    done = run("--help")
    assert done.code == 0
    for words in ALL:
        assert re.search(rf"(?m)^\W*{words[0]}\b", done.out), words


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_and_option_has_its_help(words):
    command = ALL[words]
    assert command.help
    silent = [option.name for option in command.params if not option.hidden and not option.help]
    assert silent == []


def test_the_version_is_printed_and_nothing_else_is_done(run, monkeypatch):
    monkeypatch.setattr("rscovlm.tasks.provenance.version", lambda: "1.2.3")
    assert run("--version") == (0, "rscovlm 1.2.3\n", "")


def test_an_unknown_verb_is_bad_usage_in_one_line(run):
    done = run("asc")
    assert done.code == 2
    assert "asc" in done.err
    assert done.err.count("\n") == 1
