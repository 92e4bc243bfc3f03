"""Faster ways to compute the same."""

import pytest
import torch

from rscovlm.data.packing import collate, model_inputs
from rscovlm.training.speedups import patch_embed_as_matmul
from tests.rscovlm.data.examples import encoded, load_subject


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl"])
def test_the_patch_embedding_is_the_same_as_a_matmul(family, tmp_path, monkeypatch):
    subject = load_subject(tmp_path, family)
    pack = collate(
        [encoded(subject.spec, subject.rope, index, images=((2, 3),)) for index in range(2)],
        subject.spec,
        subject.rope.image_token_id,
    )

    def convolution(*_):
        raise AssertionError("a convolution was computed")

    with torch.no_grad():
        before = subject.model.model(**model_inputs(pack)).last_hidden_state
        patch_embed_as_matmul(subject.model)
        monkeypatch.setattr(torch.nn.Conv3d, "_conv_forward", convolution)
        after = subject.model.model(**model_inputs(pack)).last_hidden_state
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
