"""Every command and the Python of the README, run as written on files of the names that it uses.

What stands in for a reader's own files and models, and only that:

- ``scene.tif``, ``landsat.tif``, ``scenes/``: synthetic scenes of 256 to 512 px; ``questions.jsonl``: two of
  their questions;
- ``trainval/``: a synthetic scene of 2048 px; ``mix.yaml``: one sample of them;
- ``bench-synth/``, ``runs/zoom``, ``runs/blind``: six synthetic items and two runs of them;
- ``labelTxt/``, ``results.pkl``, ``inference_results.json``: boxes of six images;
- ``s2.tif``, ``palsar.tif``, ``runs/agb``, ``runs/agb-sar``: a small scene of 12 bands, radar of its corner,
  and tiny random checkpoints with a head;
- models named in ``STAND_INS``: a tiny random checkpoint, whose replies may be cut off (exit code 1).

Commands that are not run stand in ``NOT_RUN``, each with the reason; a new command is run unless it is added.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from detection_eval.detections import Detections
from detection_eval.formats import Collection, ImageBoxes, write
from detection_eval.formats.class_lists import classes as class_list
from rscovlm.cli import main
from tests.detection_eval.problem import problem
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.regression import number_checkpoint, plateau, radar
from tests.rscovlm.regression import scene as multispectral

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

NOT_RUN = {
    "make demo": "reads 67 million pixels; its verbs are run here on a small scene",
    "make test": "is this suite",
    "mkdir data": "is there already: each command is run by itself",
    "torchrun --nproc-per-node 8": "needs eight GPUs; tests/rscovlm/training trains on two processes",
    "vllm serve": "needs vLLM; make test-vllm starts it",
    "--model http://localhost:8000": "needs that server; tests/rscovlm/engines/test_http.py starts one",
    "--model vllm:": "needs vLLM; see make test-vllm",
}
STAND_INS = (
    *("Qwen/Qwen2.5-VL-7B-Instruct", "path/to/RSCoVLM-7B", "path/to/checkpoint"),
    "runs/rscovlm-7b/model",
)
SHORT = ["--max-tokens", "4", "--max-pixels", "16384"]
"""Added where a random checkpoint answers: it does not know when to stop."""


def commands() -> list[str]:
    """The lines after ``$`` in console blocks, continued lines joined and comments removed."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s# .*", "", line[2:]).strip() for line in lines if line.startswith("$ ")]


def reason_not_to_run(command: str) -> str | None:
    return next((reason for part, reason in NOT_RUN.items() if part in command), None)


RUN = [command for command in commands() if reason_not_to_run(command) is None]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with every file that the README names."""
    folder = tmp_path_factory.mktemp("readme")
    assert main(["synth", "scene", str(folder / "scene.tif"), "--size", "512", "--seed", "3"]) == 0
    (folder / "scenes").mkdir()
    for name in ("a", "b"):
        target = str(folder / "scenes" / f"{name}.tif")
        assert main(["synth", "scene", target, "--size", "256", "--seed", "3"]) == 0
    (folder / "questions.jsonl").write_text('{"question": "How many ships?"}\n{"question": "Any planes?"}\n')
    bands = np.random.default_rng(0).integers(0, 255, (4, 256, 256), dtype=np.uint8)
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 4, "dtype": "uint8"}
    with rasterio.open(folder / "landsat.tif", "w", **profile) as target:
        target.write(bands)
    _detections(folder)
    dataset = ["synth", "dataset", str(folder / "trainval"), "--count", "1", "--size", "2048", "--seed", "8"]
    assert main(dataset) == 0
    (folder / "mix.yaml").write_text("root: data\nsources: [trial]\n")
    sample = {
        "id": "a",
        "task": "vqa",
        "images": [{"path": "../trainval/images/scene_8_00000.tif", "size": {"width": 2048, "height": 2048}}],
        "turns": [["user", "<image>Any ship?"], ["assistant", "no"]],
    }
    (folder / "data").mkdir()
    (folder / "data" / "trial.jsonl").write_text(json.dumps(sample) + "\n")
    tiny_qwen3_vl(folder / "tiny")
    multispectral(folder / "s2.tif", plateau(3, 4)[1])
    radar(folder / "palsar.tif", 30)
    for name, views in (("agb", ("natural",)), ("agb-sar", ("natural", "sar"))):
        (folder / "runs" / name).mkdir(parents=True)
        number_checkpoint(folder / "runs" / name / "model", views)
    items = str(folder / "bench-synth")
    assert main(["synth", "benchmark", items, "--each", "1", "--scenes", "0"]) == 0
    for name, blind in (("zoom", "none"), ("blind", "text")):
        made = ["--data", items, "--blind", blind, "--output", str(folder / "runs" / name)]
        assert main(["bench", "run", "synth", *made]) == 0
    return folder


def _detections(folder: Path) -> None:
    classes = class_list("dota-v1.0")

    def named(boxes: Detections) -> Detections:
        return Detections(boxes.polygons, boxes.labels, classes, boxes.scores)

    truth, detector, model = problem(6)
    objects = {i: ImageBoxes(named(t.objects), t.difficulty, size=t.size) for i, t in truth.items()}
    write(folder / "labelTxt", Collection(objects, classes), "dota")
    scored = {i: ImageBoxes(named(boxes), size=(1024, 1024)) for i, boxes in detector.items()}
    write(folder / "results.pkl", Collection(scored, classes, truth=objects), "mmrotate-1.x")
    written = {i: ImageBoxes(named(boxes), size=(1024, 1024)) for i, boxes in model.items()}
    write(folder / "inference_results.json", Collection(written, classes), "rscovlm")


def test_each_command_is_run_or_has_a_reason_not_to_be():
    every = commands()
    assert len(every) > 25
    assert len(RUN) >= 20
    for part in NOT_RUN:
        assert any(part in command for command in every), f"{part!r} is no longer in the README"


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_readme_does_what_it_says(command, prepared, tmp_path, monkeypatch, capsys):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, copy_function=os.link)
    monkeypatch.chdir(tmp_path)
    if "data/zoom.jsonl" in command and "preview" in command:
        shutil.copy("data/trial.jsonl", "data/zoom.jsonl")
    words = shlex.split(command)
    assert words.pop(0) == "rscovlm"
    random = [word for word in words if word in STAND_INS]
    words = [str(prepared / "tiny") if word in STAND_INS else word for word in words]
    if words[:2] == ["train", "one-gpu-lora"]:
        words.append(f"model={prepared / 'tiny'}")
        words.append("family=null")
    if words[0] == "zoom-data":
        words += ["--max-pixels", "50176"]  # a scene of 2048 px is then as much too large as DOTA's are
    if random and "--family" in words:
        place = words.index("--family")
        del words[place : place + 2]  # the stand-in's family is not the published model's
    if words[:2] == ["bench", "run"] and "--output" in words:
        shutil.rmtree(words[words.index("--output") + 1])  # made for the commands after it
    code = main([*words, *(SHORT if random and words[0] != "doctor" else [])])
    told = capsys.readouterr()
    assert code in ((0, 1) if random else (0,)), told.err
    for option in ("--output", "--trace", "--overlay"):
        if option in words and "--dry-run" not in words:
            output = words[words.index(option) + 1]
            for name in ("a", "b"):  # the scenes of the folder
                assert Path(output.replace("{name}", name)).exists()
    if words[:2] == ["bench", "detections"]:
        assert Path("report/report.html").is_file()


def test_the_python_of_the_readme_runs(prepared, monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    monkeypatch.chdir(prepared)
    exec(compile(block, "README.md", "exec"), {})
    assert "objects," in capsys.readouterr().out
