"""``rscovlm detect`` killed for real: a resumed run gives the very file of one that was left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rscovlm.painted import TRUTH, paint

ROOT = Path(__file__).resolve().parents[2]

# The command with a model that finds painted squares, and takes its time over each batch.
PROGRAM = """
import signal, sys, time
import rscovlm.engines
from rscovlm.cli import main
from tests.rscovlm.painted import find_squares
from tests.rscovlm.scripted import ScriptedEngine

class Slow(ScriptedEngine):
    def chat(self, conversations, options):
        time.sleep(float(sys.argv[1]))
        print("asked", len(conversations), file=sys.stderr)
        return super().chat(conversations, options)

# Whoever started the tests may ignore Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
rscovlm.engines.load_model = lambda spec, **_: Slow(find_squares)
sys.exit(main(sys.argv[2:]))
"""


def start(seconds: float, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(seconds), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for_tiles(journal: Path, count: int, process: subprocess.Popen) -> None:
    """Until the journal holds so many tiles."""
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no tiles were recorded within a minute"
        time.sleep(0.02)


def asked(err: str) -> int:
    return sum(int(line.split()[1]) for line in err.splitlines() if line.startswith("asked"))


@pytest.fixture
def command(tmp_path):
    """The arguments of a detection in 25 batches of one, into a folder of its own."""
    scene = paint(tmp_path / "squares.tif")

    def build(folder: str) -> tuple[object, ...]:
        (tmp_path / folder).mkdir(exist_ok=True)
        output = tmp_path / folder / "boxes.json"
        return (
            *("detect", scene, "--model", "http://scripted/v1#nano", "--output", output),
            *("--batch-size", 1),
        )

    return build


def test_a_killed_run_resumes_to_the_same_file_asking_only_what_is_left(command, tmp_path):
    code, _, err = finish(start(0, *command("whole")))
    assert code == 0, err
    tiles = asked(err)
    expected = (tmp_path / "whole" / "boxes.json").read_bytes()
    assert len(json.loads(expected)["annotations"]) == len(TRUTH)

    output = tmp_path / "killed" / "boxes.json"
    journal = output.with_name("boxes.json.journal.jsonl")
    process = start(0.15, *command("killed"))
    wait_for_tiles(journal, 4, process)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    assert process.returncode == -signal.SIGKILL
    assert not output.exists()
    # As if it had died in the middle of a line.
    with journal.open("ab") as file:
        file.write(b'{"key": "0,0,1')
    recorded = journal.read_bytes().count(b"\n") - 1
    assert 4 <= recorded < tiles

    code, _, err = finish(start(0, *command("killed")))
    assert code == 2
    assert "--resume" in err.splitlines()[-1]

    code, _, err = finish(start(0, *command("killed"), "--tile", "256", "--resume"))
    assert code == 2
    assert "tile was 128, now 256" in err.splitlines()[-1]

    code, _, err = finish(start(0, *command("killed"), "--resume"))
    assert code == 0, err
    assert asked(err) == tiles - recorded
    assert output.read_bytes() == expected
    assert sorted(path.name for path in output.parent.iterdir()) == ["boxes.json"]


@pytest.mark.parametrize("output", ["all.json", "{name}.json"])
def test_several_scenes_killed_in_the_second_resume_to_the_same_files(tmp_path, output):
    scenes = [paint(tmp_path / f"{name}.tif") for name in ("a", "b", "c")]

    def command(folder: str) -> tuple[object, ...]:
        (tmp_path / folder).mkdir(exist_ok=True)
        model = ("--model", "http://scripted/v1#nano", "--batch-size", 1)
        return ("detect", *scenes, *model, "--output", tmp_path / folder / output)

    code, _, err = finish(start(0, *command("whole")))
    assert code == 0, err
    tiles = asked(err)

    second = "all.json.b" if output == "all.json" else "b.json"
    process = start(0.1, *command("killed"))
    wait_for_tiles(tmp_path / "killed" / f"{second}.journal.jsonl", 3, process)
    os.kill(process.pid, signal.SIGKILL)
    _, _, err = finish(process)
    recorded = sum(
        path.read_bytes().count(b"\n") - 1 for path in (tmp_path / "killed").glob("*.journal.jsonl")
    )
    assert tiles / 3 < recorded < 2 * tiles / 3
    code, _, err = finish(start(0, *command("killed"), "--resume"))
    assert code == 0, err
    assert asked(err) == tiles - recorded
    whole, killed = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("whole", "killed")
    )
    assert killed == whole


def test_ctrl_c_keeps_the_journal_and_says_how_to_resume(command, tmp_path):
    journal = tmp_path / "stopped" / "boxes.json.journal.jsonl"
    process = start(0.15, *command("stopped"))
    wait_for_tiles(journal, 2, process)
    os.kill(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "--resume" in err.splitlines()[-1]
    assert sorted(path.name for path in journal.parent.iterdir()) == [journal.name]
