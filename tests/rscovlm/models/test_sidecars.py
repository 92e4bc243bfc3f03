"""The JSON files beside a checkpoint's weights."""

import json

import pytest

from rscovlm.errors import ModelError
from rscovlm.models.sidecars import image_processor, read_sidecar, spoken_facts


def test_a_file_that_is_not_there_says_nothing(tmp_path):
    assert read_sidecar(tmp_path, "rscovlm.json") is None
    (tmp_path / "rscovlm.json").write_text('{"family": "nano", "dialect": "größer"}', encoding="utf-8")
    assert read_sidecar(tmp_path, "rscovlm.json") == {"family": "nano", "dialect": "größer"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"family": ', "rscovlm.json is not readable JSON"),
        (b"\xff\xfe", "rscovlm.json is not readable JSON"),
        (b'["nano"]', "rscovlm.json holds a list; a JSON object is needed"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path, content, message):
    (tmp_path / "rscovlm.json").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_sidecar(tmp_path, "rscovlm.json")
    assert message in str(caught.value)


def test_how_images_are_wanted_is_read_from_either_file_and_the_older_one_counts(tmp_path):
    assert image_processor(tmp_path) is None
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": {"patch_size": 16}}))
    assert image_processor(tmp_path) == {"patch_size": 16}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"patch_size": 14}))
    assert image_processor(tmp_path) == {"patch_size": 14}


def test_a_processor_without_images_says_nothing_about_them(tmp_path):
    (tmp_path / "processor_config.json").write_text(json.dumps({"processor_class": "Qwen3VLProcessor"}))
    assert image_processor(tmp_path) is None


def test_what_stands_beside_the_weights_is_not_said_of_others(tmp_path):
    assert spoken_facts(tmp_path) == {}
    stated = {"family": "nano", "detect_gsd_m": 1.2, "heads": {"numbers": {}}, "inputs": {"views": []}}
    (tmp_path / "rscovlm.json").write_text(json.dumps(stated))
    assert spoken_facts(tmp_path) == {"family": "nano", "detect_gsd_m": 1.2}
