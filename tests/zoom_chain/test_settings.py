"""Zoom settings and the resolver of shipped configurations."""

import pytest

from configs import ConfigError, available, load_config
from zoom_chain.budget import Budget
from zoom_chain.looks import CropRule
from zoom_chain.policies import CHAIN, OFF, SINGLE
from zoom_chain.settings import ZoomSettings, default_zoom_settings, load_zoom_settings, zoom_settings


@pytest.mark.parametrize("name", available("zoom/"))
def test_every_shipped_zoom_configuration_loads(name):
    assert isinstance(load_zoom_settings(name), ZoomSettings)


def test_the_default_says_what_the_code_does_but_for_the_token_bound():
    assert load_zoom_settings() == ZoomSettings(CHAIN, Budget(max_visual_tokens=32768), CropRule())


def test_rscovlm_zooms_once_and_reads_boxes_as_written():
    settings = load_zoom_settings("zoom/rscovlm")
    assert (settings.policy, settings.budget.max_zooms) == (SINGLE, 1)
    assert settings.crops == CropRule(margin=0, min_side_px=1, max_aspect=200, min_gain=0)


def test_a_dialect_has_its_own_settings_or_the_default():
    assert default_zoom_settings("nano") == load_zoom_settings("zoom/nano")
    assert default_zoom_settings("qwen3-vl-plain") == load_zoom_settings("zoom/default")


def test_qwen3_crops_as_qwen_agent_does():
    crops = load_zoom_settings("zoom/qwen3-vl").crops
    assert crops == CropRule(margin=0, min_side_px=32, max_aspect=200, min_gain=0, min_visual_tokens=256)


def test_a_path_works_as_a_name_does(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("policy: off\nbudget: {max_zooms: 2}\n")
    assert load_zoom_settings(path) == ZoomSettings(OFF, Budget(max_zooms=2), CropRule())


def test_an_empty_file_is_all_defaults(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_zoom_settings(tmp_path / "empty.yaml") == ZoomSettings()


def test_all_problems_are_named_in_one_message():
    wrong = {
        "polcy": "chain",
        "policy": "forest",
        "budget": {"max_zoom": 3, "max_zooms": 2.5, "max_seconds": "long"},
        "crops": {"margin": -1, "repeat_iou": 2},
    }
    with pytest.raises(ConfigError) as error:
        zoom_settings(wrong, "mine.yaml")
    message = str(error.value)
    assert message.startswith("mine.yaml: ")
    for part in (
        "mine.yaml: polcy: unknown setting; did you mean policy?",
        "mine.yaml: policy: 'forest' is unknown; choose from off, single, chain",
        "mine.yaml: budget.max_zoom: unknown setting; did you mean max_zooms?",
        "mine.yaml: budget.max_zooms: input should be a valid integer, not 2.5",
        "mine.yaml: budget.max_seconds: input should be a valid number, not 'long'",
        "mine.yaml: crops: margin -1",
        "repeat_iou 2.0 is not above 0",
    ):
        assert part in message


@pytest.mark.parametrize(
    "data",
    [{"policy": ["chain"]}, {"budget": [1]}, {"crops": "wide"}, {7: 8}, {"budget": {"max_zooms": True}}],
)
def test_wrong_kinds_are_explained(data):
    with pytest.raises(ConfigError):
        zoom_settings(data)


def test_an_unknown_name_lists_what_ships():
    with pytest.raises(
        ConfigError,
        match=r"no configuration zoom/missing: .*zoom/default, .*zoom/nano",
    ):
        load_config("zoom/missing")


@pytest.mark.parametrize("name", ["../configs/zoom/default", "/etc/hostname/x", "zoom", ""])
def test_a_name_reaches_nothing_but_shipped_configurations(name):
    with pytest.raises(ConfigError, match="no configuration"):
        load_config(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1", "not valid YAML"), ("- 1\n- 2\n", "holds a list"), ("!!python/name:os.system", "YAML")],
)
def test_files_that_hold_no_mapping_are_refused(tmp_path, text, said):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "bad.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "bad.yaml")
