"""Forward passes over prompts of a batch: what is kept, padded or asked beside changes no number."""

import numpy as np
import pytest
import torch
from transformers import DynamicCache

from rscovlm.engines import load_model
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from zoom_chain.chat import Conversation, Generation, ImagePart


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with load_model(str(tiny_qwen3_vl(tmp_path_factory.mktemp("decoding") / "tiny")), device="cpu") as engine:
        yield engine


@pytest.fixture
def decoder(engine):
    return engine._decoder


@pytest.fixture
def prompts(engine):
    """Two of different lengths."""
    factor = engine.family.resolution.factor
    rng = np.random.default_rng(0)
    image = ImagePart(rng.integers(0, 256, (3 * factor, 4 * factor, 3), dtype=np.uint8))
    asked = Conversation().say("user", image, "How many ships are in the harbour?")
    return [engine.prompt(asked), engine.prompt(Conversation().say("user", "Red or blue?"))]


def prefilled(decoder, prompts):
    cache = DynamicCache(config=decoder.model.config.get_text_config())
    none = torch.zeros(len(prompts), 0, dtype=torch.long)
    with torch.inference_mode():
        logits, mask = decoder.prefill(prompts, [0] * len(prompts), cache, none)
    return logits, mask, cache


def test_rows_of_a_batch_do_not_see_each_other_nor_padding(decoder, prompts):
    together, mask, _ = prefilled(decoder, prompts)
    assert mask.sum(dim=1).tolist() == [len(prompt.ids) for prompt in prompts]
    for row, prompt in enumerate(prompts):
        alone, _, _ = prefilled(decoder, [prompt])
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


def test_answers_that_are_scored_leave_the_cache_as_it_was(decoder, prompts):
    logits, mask, cache = prefilled(decoder, prompts)
    length = cache.get_seq_length()
    with torch.inference_mode():
        scores = decoder.score(prompts, logits, cache, mask, ("no", "blue ships at the airport"))
    assert cache.get_seq_length() == length
    # More tokens are less likely, and each is less than certain.
    assert all(longer < shorter < 0 for shorter, longer in scores)


def test_a_reply_is_the_likeliest_token_after_the_likeliest_token(decoder, prompts):
    logits, mask, cache = prefilled(decoder, prompts[:1])
    with torch.inference_mode():
        found = decoder.generate(prompts[:1], logits, cache, mask, [0], Generation(max_new_tokens=4))
        ids = torch.from_numpy(prompts[0].ids)[None]
        expected = []
        for _ in range(4):
            output = decoder.model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                mm_token_type_ids=(ids == decoder.model.config.image_token_id).int(),
                **decoder.pixels(prompts[:1], [0]),
            )
            expected.append(int(output.logits[0, -1].argmax()))
            ids = torch.cat([ids, torch.tensor([[expected[-1]]])], dim=1)
    assert found.tokens == [expected]
