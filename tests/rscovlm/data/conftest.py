"""A tiny model that mixes are loaded for."""

import pytest
from transformers import AutoConfig, AutoTokenizer

from rscovlm.data.encoding import Encoder
from rscovlm.models.families import family_of
from rscovlm.models.patches import PatchSpec
from tests.rscovlm.checkpoints import tiny_qwen3_vl


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The family of a checkpoint, and its encoder."""
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))
    spec = PatchSpec.of_checkpoint(folder, AutoConfig.from_pretrained(folder).vision_config)
    return family_of(folder), Encoder(AutoTokenizer.from_pretrained(folder), spec)
