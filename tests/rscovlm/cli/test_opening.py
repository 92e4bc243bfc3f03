"""Scenes and models are looked at before long work."""

from __future__ import annotations

import pytest

from rscovlm.cli.opening import open_model, open_scene, placed
from rscovlm.cli.option_groups import SceneOptions
from rscovlm.errors import UsageError
from rscovlm.models.checkpoints import resolve
from tests.rscovlm.painted import paint
from tiling.errors import SceneUnreadable


def test_a_scene_without_its_last_rows_is_refused_when_it_is_opened(tmp_path):
    whole = paint(tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneUnreadable, match="may be corrupt or cut off"):
        open_scene(str(tmp_path / "cut.tif"), SceneOptions())


def test_warnings_of_a_scene_are_told_once_with_its_name(tmp_path, capsys):
    path = paint(tmp_path / "a.tif")
    with open_scene(str(path), SceneOptions(assume_crs="EPSG:32601")) as scene:
        told = [f"rscovlm: warning: {path}: {warning}" for warning in scene.warnings]
    assert any("EPSG:32601" in line for line in told)
    assert capsys.readouterr().err.splitlines() == told


def test_a_device_that_is_not_there_is_refused_before_weights_are_read():
    with pytest.raises(UsageError, match="--device teapot cannot be used"):
        open_model(resolve("nano"), "teapot")


def test_where_a_model_runs_is_known_in_process_only():
    assert placed(resolve("nano"), "cpu") == ("cpu", "float32")
    assert placed(resolve("http://127.0.0.1:9/v1#model", family="qwen3-vl"), None) == (None, None)
