"""Dialects as data: what ships is read, what is wrong is one clear line."""

import numpy as np
import pytest

from configs import ConfigError
from detection_eval.text.coordinates import UNIT
from zoom_chain.calls import InvalidCall, ZoomCall, parse_zoom_call
from zoom_chain.chat import ImagePart
from zoom_chain.dialect import QWEN3_VL
from zoom_chain.dialect_files import dialect_names, load_dialect
from zoom_chain.settings import default_zoom_settings

WIDTH, HEIGHT = 800, 400
CROP = ImagePart(np.zeros((56, 84, 3), dtype=np.uint8))


def test_those_of_published_models_ship():
    expected = {"rscovlm", "qwen3-vl", "qwen3-vl-thinking", "deepeyes", "pixel-reasoner", "mini-o3"}
    assert expected <= set(dialect_names())


def test_a_file_may_say_only_what_differs_from_another_dialect(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("base: qwen3-vl\nuser_suffix: ' Look closely.'\n")
    mine = load_dialect(str(file))
    assert (mine.name, mine.user_suffix) == ("mine", " Look closely.")
    assert (mine.system_prompt, mine.space) == (QWEN3_VL.system_prompt, QWEN3_VL.space)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sistem_prompt: x", "did you mean system_prompt?"),
        ("tool_name: zoom", "box_key: is missing"),
        ("base: qwen3-vl\nspace: feet", "'feet' is unknown; choose from pixels, 0-1000"),
        ("base: qwen4", "dialect 'qwen4' is unknown; choose from rscovlm"),
        ("base: qwen3-vl\nstop: [a, b, c, d, e]", "at most 4 items"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, says):
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_dialect(str(file))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_deepeyes_writes_pixels_of_the_original_and_answers_in_tags():
    dialect = load_dialect("deepeyes")
    box = '{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [80, 100, 400, 200]}}'
    call = f"<think>look</think>\n<tool_call>{box}</tool_call>"
    assert parse_zoom_call(call, dialect, WIDTH, HEIGHT).box == (0.1, 0.25, 0.5, 0.5)
    assert dialect.frame == "original"


def test_pixel_reasoner_counts_images_from_one_in_fractions_or_pixels():
    dialect = load_dialect("pixel-reasoner")

    def read(box, image):
        call = (
            f'{{"name": "crop_image_normalized", "arguments": {{"bbox_2d": {box}, "target_image": {image}}}}}'
        )
        return parse_zoom_call(f"<tool_call>{call}</tool_call>", dialect, WIDTH, HEIGHT)

    assert dialect.space == UNIT
    assert read([0.1, 0.25, 0.5, 0.5], 1) == ZoomCall((0.1, 0.25, 0.5, 0.5), image_index=0)
    assert read([80, 100, 400, 200], 3) == ZoomCall((0.1, 0.25, 0.5, 0.5), image_index=2)
    assert isinstance(read([0.1, 0.2, 0.3, 0.4], 0), InvalidCall)
    shown = dialect.crop_turn(dialect.opening(CROP, "What?", zoom=True), CROP).messages[-1]
    assert shown.content == ("Here is the cropped image (Image Size: 84x56):", CROP)


def test_mini_o3_names_images_and_its_tag_may_be_a_stop_that_is_left_out():
    dialect = load_dialect("mini-o3")
    box = '"bbox_2d": [0.1, 0.25, 0.5, 0.5]'
    for source, index in (("original_image", 0), ("observation_2", 2)):
        call = parse_zoom_call(f'<grounding>{{{box}, "source": "{source}"}}', dialect, WIDTH, HEIGHT)
        assert (call.box, call.image_index) == ((0.1, 0.25, 0.5, 0.5), index)
    odd = parse_zoom_call(f'<grounding>{{{box}, "source": "the map"}}</grounding>', dialect, WIDTH, HEIGHT)
    assert "source" in odd.reason
    assert dialect.stop == ("</grounding>",)
    asked = dialect.opening(CROP, "What?", zoom=True)
    first = dialect.crop_turn(asked, CROP)
    assert first.messages[-1].text.startswith(
        "After the above Action 0, here is the the zoom-in image (Observation 1):"
    )
    assert "Action 1, here" in dialect.crop_turn(first, CROP).messages[-1].text


@pytest.mark.parametrize("name", dialect_names())
def test_zoom_settings_of_every_dialect_are_read(name):
    assert default_zoom_settings(name).policy.offers_tool
