"""Configurations by name or path."""

from __future__ import annotations

import pytest

from configs import ConfigError, available, load_config, located


@pytest.mark.parametrize("name", ["default", "prompts/default", "default.yaml"])
def test_a_name_may_leave_out_its_folder_and_suffix(name):
    assert located(name, "prompts") == "prompts/default"


def test_a_file_goes_before_what_ships_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_text("a: 1")
    assert load_config(located("default", "prompts")) == {"a": 1}


def test_an_unknown_name_is_answered_with_those_of_its_folder_alone():
    with pytest.raises(ConfigError, match=r"^no configuration nano1: no such file, and") as error:
        located("nano1", "train")
    told = str(error.value).rpartition("shipped are ")[2].split(", ")
    assert [f"train/{name}" for name in told] == available("train/")


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(ConfigError, match="a folder, and no file"):
        located(tmp_path, "train")
