"""What is known of a model by its name, against what its files say."""

import pytest

from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.families import FAMILIES, family_in, family_of


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
    ],
)
def test_a_name_tells_the_family_and_its_last_part_before_its_folders(name, family):
    assert family_in(name) == FAMILIES[family]


def test_a_name_that_tells_nothing_has_no_family():
    assert family_in("my-model") is None
