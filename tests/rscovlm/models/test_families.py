"""What is known of a model by its name, against what its files say."""

import json
from dataclasses import replace

import pytest

from rscovlm.errors import ModelError, UsageError
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.families import FAMILIES, family_in, family_of
from tiling.resolution import Resolution


def test_nano_behind_a_server_is_seen_as_nano_in_process():
    assert FAMILIES["nano"] == family_of(NANO_FOLDER)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("qwen3_vl_finetuned", "qwen3-vl"),
        ("Qingyun/RSCoVLM-7B", "rscovlm"),
        ("/models/RSCoVLM/checkpoint-7000/", "rscovlm"),
        ("/opt/rscovlm/assets/nano", "nano"),
        ("/opt/rscovlm/Qwen3-VL-8B", "qwen3-vl"),
        ("qwen2.5vl:7b", "qwen2.5-vl"),
        ("qwen3-vl:8b-instruct", "qwen3-vl"),
        ("Qwen/Qwen2___5-VL-7B-Instruct", "qwen2.5-vl"),
        ("Qwen2_5-VL-72B-Instruct-AWQ", "qwen2.5-vl"),
    ],
)
def test_a_name_tells_the_family_and_its_last_part_before_its_folders(name, family):
    assert family_in(name) == FAMILIES[family]


@pytest.mark.parametrize(
    "name",
    ["my-model", "gpt-5-nano", "nvidia/Nemotron-Nano-12B-v2-VL", "qwen3-8b", "myrscovlmx"],
)
def test_a_name_that_says_no_family_has_none(name):
    assert family_in(name) is None


@pytest.fixture
def checkpoint(tmp_path):
    def make(name, config, **files):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in {"config": config, **files}.items():
            (folder / f"{file}.json").write_text(json.dumps(content))
        return folder

    return make


QWEN25 = {"model_type": "qwen2_5_vl", "vision_config": {"patch_size": 14, "spatial_merge_size": 2}}
HUB_SIZE = {"size": {"shortest_edge": 3136, "longest_edge": 12845056}}


def test_a_hub_id_is_known_in_a_folder_named_by_a_commit(checkpoint):
    folder = checkpoint("0f3ab1c2", QWEN25, preprocessor_config=HUB_SIZE)
    assert family_of(folder).name == "qwen2.5-vl"
    assert family_of(folder, "Qingyun/RSCoVLM-7B").name == "rscovlm"


def test_rscovlm_is_shown_up_to_the_1296_tokens_that_it_was_trained_with(checkpoint):
    folder = checkpoint("RSCoVLM", QWEN25, preprocessor_config=HUB_SIZE)
    assert family_of(folder).resolution == Resolution(28, 3136, 1296 * 28**2)


def test_bounds_that_a_training_run_stated_hold_also_above_the_default(checkpoint):
    own = {"min_pixels": 64 * 28**2, "max_pixels": 3000 * 28**2}
    folder = checkpoint("trained", QWEN25, preprocessor_config=HUB_SIZE, rscovlm=own)
    assert family_of(folder).resolution == Resolution(28, 64 * 28**2, 3000 * 28**2)


def test_the_image_processor_may_stand_in_the_processors_file(checkpoint):
    size = {"shortest_edge": 28**2, "longest_edge": 100 * 28**2}
    folder = checkpoint("new", QWEN25, processor_config={"image_processor": {"size": size}})
    assert family_of(folder).resolution == Resolution(28, 28**2, 100 * 28**2)


@pytest.mark.parametrize("text", ["[]", "{"])
def test_a_damaged_file_is_named(checkpoint, text):
    folder = checkpoint("broken", QWEN25)
    (folder / "rscovlm.json").write_text(text)
    with pytest.raises(ModelError, match=r"rscovlm\.json"):
        family_of(folder)


def test_a_checkpoint_may_state_the_scale_of_each_class(checkpoint):
    own = {"detect_gsd_m": 1.0, "class_gsd_m": {"small-vehicle": 0.3}}
    family = family_of(checkpoint("trained", QWEN25, rscovlm=own))
    assert [family.gsd_of(name) for name in ("Small Vehicle", "plane")] == [0.3, 1.0]
    assert hash(family) == hash(replace(family, class_gsd_m=None))
    assert FAMILIES["nano"].gsd_of("plane") == 0.75
    assert FAMILIES["nano"].gsd_of("small vehicle") == 0.3
    assert FAMILIES["qwen3-vl"].gsd_of("plane") is None


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"detect_gsd_m": "1.2"}, r"detect_gsd_m '1\.2' in .*rscovlm\.json"),
        ({"class_gsd_m": {"plane": 0}}, "plane 0 in"),
        ({"class_gsd_m": {"plane": True}}, "plane True in"),
        ({"class_gsd_m": [0.3]}, r"class_gsd_m \[0\.3\] in .* is no mapping"),
        ({"closer_looks": 1.5}, r"closer_looks 1\.5 in .* is no number of looks"),
        ({"closer_looks": True}, "closer_looks True in"),
    ],
)
def test_scales_in_a_checkpoints_file_that_are_none_are_named(checkpoint, own, words):
    with pytest.raises(ModelError, match=words):
        family_of(checkpoint("trained", QWEN25, rscovlm=own))


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("qwen2_vl", "qwen2-vl"),
        ("qwen3_vl_moe", "qwen3-vl"),
        ("qwen3_5", "qwen3-vl"),
        ("qwen3_5_moe", "qwen3-vl"),
    ],
)
def test_later_and_earlier_architectures_have_a_family(tmp_path, architecture, family):
    (tmp_path / "config.json").write_text(f'{{"model_type": "{architecture}"}}')
    assert family_of(tmp_path).name == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen2-VL-7B-Instruct", "qwen2-vl"),
        ("Qwen3-VL-30B-A3B", "qwen3-vl"),
        ("Qwen3.5-9B", "qwen3-vl"),
    ],
)
def test_their_names_tell_them(name, family):
    assert family_in(name).name == family


def test_classes_are_known_as_they_are_spoken():
    nano = FAMILIES["nano"]
    nano.check_known(("tennis-court", "Small_Vehicle"), nano.classes)
    with pytest.raises(UsageError, match="does not know the classes tennis; choose from"):
        nano.check_known(("tennis-court", "tennis"), nano.classes)
