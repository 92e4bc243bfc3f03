"""Gated adapters in the engine: each image at its own scale, with and without a kept cache."""

import numpy as np
import pytest
import torch

from rscovlm.engines.transformers import TransformersEngine
from rscovlm.models.adapters.scaled import CsHlora
from rscovlm.models.families import FAMILIES
from rscovlm.models.patches import PatchSpec
from rscovlm.models.weights import read_tokenizer, read_weights
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from zoom_chain.chat import Conversation, Generation, ImagePart

SHORT = Generation(max_new_tokens=4, logprobs=True)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))
    model = read_weights(folder, torch.float32)
    layers = [name for name, _ in model.named_modules() if name.endswith("_proj") and "visual" not in name]
    adapter = CsHlora(3, 12.0)
    adapter.apply(model, layers)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3)
    model.eval()
    spec = PatchSpec.of_checkpoint(folder, model.config.vision_config)
    family = FAMILIES["qwen3-vl"]
    return TransformersEngine(model, read_tokenizer(folder), spec, family, "gated", max_batch=4)


def shown(gsd_m, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return ImagePart(pixels, gsd_m=gsd_m)


def asked(*gsds_m):
    return Conversation().say("user", *(shown(gsd_m, seed) for seed, gsd_m in enumerate(gsds_m)), "what?")


def logprobs(engine, conversations):
    engine._memory.clear()
    return [reply.logprobs for reply in engine.chat(conversations, SHORT)]


def test_the_same_pixels_are_answered_otherwise_at_another_scale(engine):
    fine, coarse = logprobs(engine, [asked(0.1)]), logprobs(engine, [asked(30.0)])
    assert not np.allclose(fine[0][0], coarse[0][0], atol=1e-3)


def test_each_of_a_batch_is_answered_at_its_own_scale(engine):
    scales = (0.1, 30.0, None)
    together = logprobs(engine, [asked(gsd_m) for gsd_m in scales])
    for gsd_m, found in zip(scales, together, strict=True):
        np.testing.assert_allclose(found, logprobs(engine, [asked(gsd_m)])[0], atol=1e-4)


def test_an_image_of_unknown_scale_is_read_at_the_neutral_one(engine):
    np.testing.assert_allclose(
        logprobs(engine, [asked(None)])[0], logprobs(engine, [asked(1.0)])[0], atol=1e-5
    )


def test_a_chain_is_the_same_with_keys_and_values_kept_as_prefilled_anew(engine):
    first = asked(3.0)
    engine._memory.clear()
    (said,) = engine.chat([first], SHORT)
    further = first.say("assistant", said.text).say("user", shown(0.3, 5), "and now?")
    (kept,) = engine.chat([further], SHORT)
    assert kept.prefilled_tokens < kept.prompt_tokens
    np.testing.assert_allclose(kept.logprobs, logprobs(engine, [further])[0], atol=1e-4)


def test_what_was_kept_at_one_scale_is_not_taken_at_another(engine):
    engine._memory.clear()
    engine.chat([asked(0.1)], SHORT)
    (other,) = engine.chat([asked(30.0)], SHORT)
    assert other.prefilled_tokens == other.prompt_tokens
