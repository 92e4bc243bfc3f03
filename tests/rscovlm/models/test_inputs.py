"""How a checkpoint is shown patches, kept beside its weights."""

import json

import numpy as np
import pytest

from rscovlm.errors import ModelError
from rscovlm.models.inputs import (
    PatchInput,
    Scaling,
    Target,
    number_heads,
    read_inputs,
    tiles_used,
    write_inputs,
)

SAR = PatchInput(
    views=("sar",),
    scaling=Scaling(low={"HH": -20, "HV": -30, "mean": -25}, high={"HH": 0, "HV": -5, "mean": -2.5}),
    patch_px=25,
    gsd_m=25.0,
    side=64,
    prompt="How much biomass is at the middle?",
    targets={"agb": Target(unit="Mg ha-1", long_name="above-ground biomass density")},
    sensors=("alos2-palsar2",),
)


def test_what_is_written_is_read_and_other_entries_stay(tmp_path):
    (tmp_path / "rscovlm.json").write_text('{"family": "nano"}')
    write_inputs(tmp_path, SAR)
    assert read_inputs(tmp_path) == SAR
    assert json.loads((tmp_path / "rscovlm.json").read_text())["family"] == "nano"


def test_a_checkpoint_that_says_nothing_has_no_inputs(tmp_path):
    assert read_inputs(tmp_path) is None
    (tmp_path / "rscovlm.json").write_text('{"family": "nano"}')
    assert read_inputs(tmp_path) is None


def test_a_patch_becomes_one_image_for_each_composite_and_the_prompt():
    both = SAR.model_copy(update={"views": ("sar", "sar")})
    said = both.conversation(np.full((25, 25, 2), -20.0), ("HH", "HV"))
    assert [image.size for image in said.images] == [(64, 64)] * 2
    # HH at its low end, HV at 10 / 25 of its range, the mean at 5 / 22.5 of its own.
    assert said.images[0].read()[30, 30].tolist() == [0, 102, 57]
    assert said.messages[0].text.endswith("middle?")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"views": ["ndvi"]}, "no composite 'ndvi'"),
        ({"scaling": {"low": {"HH": 0}, "high": {"HH": 1}}}, "channel HV is missing"),
        ({"patch_px": "25"}, "patch_px"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_damaged_entry_is_one_clear_line(tmp_path, change, words):
    write_inputs(tmp_path, SAR)
    stored = json.loads((tmp_path / "rscovlm.json").read_text())
    (tmp_path / "rscovlm.json").write_text(json.dumps({"inputs": stored["inputs"] | change}))
    with pytest.raises(ModelError, match=words):
        read_inputs(tmp_path)


def test_heads_are_known_by_name_without_their_weights(tmp_path):
    assert number_heads(tmp_path) == {}
    heads = {"numbers": {"agb": {"target": "agb_mg_per_ha", "mean": 3}}, "cells": {"names": 1}}
    (tmp_path / "rscovlm.json").write_text(json.dumps({"heads": heads}))
    assert number_heads(tmp_path) == {"agb": "agb_mg_per_ha"}


def test_tiles_are_told_by_what_was_fitted_on_them(tmp_path):
    assert tiles_used(tmp_path) == {}
    entry = SAR.model_dump(mode="json")
    stored = {
        "inputs": {"a": entry | {"tiles": ["30UWB"]}, "b": entry | {"tiles": ["31UDQ"]}},
        "recalibration": {"agb": {"steps": [], "tiles": ["10SEG"]}},
        "heads": {
            "numbers": {"agb": {}},
            "ensembles": {"both": {"tiles": ["10SEH"]}, "plain": {"fuse": "mean"}},
        },
    }
    (tmp_path / "rscovlm.json").write_text(json.dumps(stored))
    assert tiles_used(tmp_path) == {
        "training": {"30UWB", "31UDQ"},
        "the recalibration of agb": {"10SEG"},
        "the weights of both": {"10SEH"},
    }
    (tmp_path / "rscovlm.json").write_text('{"recalibration": ["agb"]}')
    with pytest.raises(ModelError, match=r"rscovlm\.json: "):
        tiles_used(tmp_path)


def test_entries_of_the_sources_of_a_run_are_one_where_they_show_plots_alike(tmp_path):
    """``rscovlm train`` exports an entry for each source of plots."""
    entry = SAR.model_dump(mode="json")
    sources = {"a": entry | {"tiles": ["30UWB"]}, "b": entry | {"tiles": ["31UDQ", "30UWB"]}}
    (tmp_path / "rscovlm.json").write_text(json.dumps({"inputs": sources}))
    assert read_inputs(tmp_path) == SAR.model_copy(update={"tiles": ("30UWB", "31UDQ")})
    sources["b"]["side"] = 96
    (tmp_path / "rscovlm.json").write_text(json.dumps({"inputs": sources}))
    with pytest.raises(
        ModelError, match="b shows plots otherwise than a: side differs; list their files in one source"
    ):
        read_inputs(tmp_path)


def test_what_was_said_first_stands_between_the_images_and_the_number():
    first = SAR.model_copy(update={"knowledge": "What is the land cover?"})
    pixels, bands = np.full((25, 25, 2), -20.0), ("HH", "HV")
    assert first.question_first(pixels, bands).messages[0].text == "What is the land cover?"
    said = first.conversation(pixels, bands, "closed forest")
    assert [message.role for message in said.messages] == ["user", "assistant", "user"]
    assert [message.text for message in said.messages[1:]] == ["closed forest", SAR.prompt]
    assert len(said.images) == 1
    assert len(first.conversation(pixels, bands).messages) == 1, "nothing said, nothing shown"
