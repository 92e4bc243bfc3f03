"""No command destroys what it reads, or what it was not told to replace."""

import os

import pytest

from rscovlm.cli.outputs import check_outputs
from rscovlm.errors import UsageError
from tests.rscovlm.cli.conftest import MODEL
from tests.rscovlm.painted import paint


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_output_that_is_an_input_is_refused_however_it_is_spelt(here):
    (here / "a.tif").write_text("scene")
    (here / "link.png").symlink_to("a.tif")
    os.link(here / "a.tif", here / "hard.png")
    for name in ("a.tif", "./a.tif", "link.png", "hard.png", f"../{here.name}/a.tif"):
        with pytest.raises(UsageError, match=r"--overlay .* is what is read"):
            check_outputs({"--overlay": here / name}, ["a.tif"], overwrite=True)


def test_two_outputs_that_are_one_file_are_refused(here):
    with pytest.raises(UsageError, match="--output and --trace are both"):
        check_outputs({"--output": here / "a", "--trace": here / "b" / ".." / "a"}, (), overwrite=True)


def test_what_exists_is_replaced_on_demand_only(here):
    (here / "a.json").write_text("kept")
    with pytest.raises(UsageError, match=r"--output .*a\.json exists; add --overwrite"):
        check_outputs({"--output": here / "a.json"}, (), overwrite=False)
    check_outputs({"--output": here / "a.json"}, (), overwrite=True)
    check_outputs({"--output": here / "a.json"}, (), overwrite=False, resume=True)
    check_outputs({"--output": here / "new.json", "--trace": None}, (), overwrite=False)


def test_what_is_said_to_be_replaceable_is_replaced_but_never_an_input(here):
    for name in ("a.qml", "b.qml"):
        (here / name).write_text("style")
    check_outputs({"--output": here / "a.qml"}, (), overwrite=False, replaceable=lambda path: True)
    outputs = {"--output": here / "a.qml", "--tiles": here / "b.qml"}
    with pytest.raises(UsageError, match=r"b\.qml exists"):
        check_outputs(outputs, (), overwrite=False, replaceable=lambda path: path.name == "a.qml")
    with pytest.raises(UsageError, match="is what is read"):
        check_outputs({"--output": here / "a.qml"}, ["a.qml"], overwrite=False, replaceable=lambda path: True)


def test_a_folder_counts_as_soon_as_it_holds_something(here):
    (here / "out").mkdir()
    check_outputs({"--output": here / "out"}, (), overwrite=False)
    (here / "out" / "a").touch()
    with pytest.raises(UsageError, match="is a folder with files in it"):
        check_outputs({"--output": here / "out"}, (), overwrite=False)


@pytest.mark.parametrize("source", ["/vsicurl/http://host/a.tif", "NETCDF:x.nc:var", "x" * 5000])
def test_inputs_that_are_no_path_of_this_machine_are_passed_over(here, source):
    check_outputs({"--output": here / "a.json"}, [source, None], overwrite=False)


@pytest.mark.parametrize(
    "words",
    [
        "detect scene.png --overlay scene.png",
        "detect scene.png --overlay scene.png --overwrite",
        "detect scene.png --output labels.txt",
        "ask scene.png any? --questions q.jsonl --output q.json --trace q.json",
        "ask scene.png --questions q.txt --output q.txt --overwrite",
        "ask scene.png any? --output labels.txt",
        "ask scene.png any? --output labels.txt --resume",
        "detect scene.png --output labels.txt --resume",
        "regress scene.png --output map.tif --resume",
        "geoscale labels.txt:dota --output s.jsonl --resume",
        "zoom-data labels.txt --output s.jsonl --resume",
        "bench convert labels.txt:dota --output labels.txt --overwrite",
        "data convert s.jsonl --from chat --output s.jsonl --overwrite",
        "data preview s.jsonl --output kept.png",
        "zoom-data labels.txt --output s.jsonl",
        "synth scene scene.tif --size 64",
    ],
)
def test_every_command_leaves_files_as_they_are(run, no_model, here, words):
    for name in ("labels.txt", "q.jsonl", "q.txt", "s.jsonl", "kept.png", "map.tif", "scene.questions.jsonl"):
        (here / name).write_text("kept")
    paint(here / "scene.tif").rename(here / "scene.png")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    model = ["--model", MODEL] if words.startswith(("detect", "ask")) else []
    done = run(*words.split(), *model)
    assert done.code == 2, done.err
    assert done.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before
