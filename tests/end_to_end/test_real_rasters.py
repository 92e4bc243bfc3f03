"""The verbs on real files, with a real model of random weights: what is shown, said and written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import geopandas
import pytest
import rasterio

from rscovlm.cli import main
from tests.rscovlm.checkpoints import tiny_qwen3_vl

ROOT = Path(__file__).resolve().parents[2]
READABLE = (
    "rasterio/RGB.byte.tif",
    "rasterio/RGB.byte.gcp.vrt",
    "rasterio/RGBA.uint16.tif",
    "rasterio/float_nan.tif",
    "rasterio/goes.tif",
    "rasterio/rotated.tif",
    "rasterio/389225main_sw_1965_1024.jpg",
    "rio-tiler/cog_dateline.tif",
    "rio-tiler/nocog.tif",
)
ORTHOPHOTO = "rio-tiler/201404_13SED190110_201404_0x1500m_CL_1.tif"


class Done(NamedTuple):
    """What a program left."""

    code: int
    out: str
    err: str


def program(*arguments: object) -> Done:
    """Run the command as a program."""
    command = [sys.executable, "-m", "rscovlm", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def rscovlm(capsys) -> Callable[..., Done]:
    """Run the command in this process, which has torch loaded already."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Random weights: what it says means nothing."""
    return tiny_qwen3_vl(tmp_path_factory.mktemp("checkpoint") / "tiny")


def test_a_question_about_the_whole_world_is_answered_with_a_trace_of_what_was_seen(
    rscovlm, rasters, model, tmp_path
):
    trace = tmp_path / "trace.html"
    scene = rasters / "rio-tiler" / "cog_world.tif"
    done = rscovlm(
        "ask", scene, "How many ships?", "--model", model, "--max-tokens", 16, "--trace", trace, "--json"
    )
    [answer] = json.loads(done.out)["answers"]
    # Random words often have no end, and an answer that was cut off is not complete.
    assert done.code == (1 if answer["stop_reason"] == "cut_off" else 0), done.err
    with rasterio.open(scene) as dataset:
        whole = {"x": 0, "y": 0, "width": dataset.width, "height": dataset.height}
    assert answer["views"][0]["window"] == whole
    # The checkpoint sees no more than 64 visual tokens of 32 x 32 px, about a world of two by one.
    width, height = (answer["views"][0]["size"][side] for side in ("width", "height"))
    assert width % 32 == height % 32 == 0
    assert width * height <= 64 * 32 * 32
    assert answer["visual_tokens"] >= width * height // 32**2
    page = trace.read_text(encoding="utf-8")
    assert "How many ships?" in page
    assert "<script" not in page


def test_a_part_of_an_orthophoto_becomes_a_map_layer_in_its_crs(rasters, model, tmp_path):
    scene, output = rasters / ORTHOPHOTO, tmp_path / "objects.gpkg"
    done = program(
        *("detect", scene, "--model", model, "--classes", "ship,plane", "--output", output),
        *("--overlay", tmp_path / "objects.png", "--window", "0,0,300,200", "--tile", 128, "--overlap", 28),
        *("--max-tokens", 16, "--allow-failed", "--json"),
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    # 300 px take tiles from 0, 100 and 172; 200 px from 0 and 72. Each is read pixel for pixel.
    assert found["tiles"] == found["parsing"]["responses"] == 6
    assert "seen at 128 x 128 px (0.15" in done.err
    with rasterio.open(scene) as dataset:
        assert geopandas.read_file(output, layer="tiles").crs == dataset.crs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects.gpkg", "objects.png", "objects.qml"]


def test_every_kind_of_raster_is_shown_to_the_model(rscovlm, rasters, model):
    scenes = [rasters / name for name in READABLE]
    done = rscovlm("classify", *scenes, "--model", model, "--classes", "water,forest,urban", "--json")
    found = json.loads(done.out)
    assert [entry["source"] for entry in found] == [str(scene) for scene in scenes]
    assert [entry["error"] for entry in found] == [None] * len(scenes)
    # Random words name no class, which is an incomplete result.
    assert done.code == (1 if any(entry["label"] is None for entry in found) else 0)


def test_a_raster_of_nodata_is_refused_in_one_line(rasters, model):
    done = program("ask", rasters / "rasterio" / "all-nodata.tif", "Anything?", "--model", model)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "no valid pixels" in done.err
