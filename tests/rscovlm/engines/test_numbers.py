"""Number heads at inference: the same numbers alone, in a batch and in a pack."""

import numpy as np
import pytest
import torch
from torch import nn

from rscovlm.data.packing import collate, model_inputs
from rscovlm.engines.numbers import distributions_of, encoded_prompt, head_of, prompts_of
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import resolve
from rscovlm.models.heads.numbers.head import NumberHead
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen25_vl
from zoom_chain.chat import Conversation, ImagePart

SIDES = {"qwen3-vl": 64, "qwen2.5-vl": 56}


@pytest.fixture(scope="module", params=list(SIDES))
def engine(request, tmp_path_factory):
    make = {"qwen3-vl": tiny_qwen3_vl, "qwen2.5-vl": tiny_qwen25_vl}[request.param]
    folder = make(tmp_path_factory.mktemp("model"))
    family = resolve(str(folder), family=request.param).family
    with TransformersEngine.of_checkpoint(folder, family, "tiny", device="cpu") as made:
        torch.manual_seed(1)
        heads = {
            "agb": NumberHead(64, "agb_mg_per_ha", output={"name": "gaussian"}, mean=100.0, deviation=50.0),
            "height": NumberHead(
                64,
                "height",
                {"name": "mixer", "layers": 2},
                {"name": "quantiles"},
                taps=(1, 3),
                vision_width=32,
            ),
        }
        made.heads = nn.ModuleDict(heads).eval()
        yield made


def asked(engine, count: int, words: str = "How much biomass?") -> list[Conversation]:
    side = SIDES[engine.family.name]
    draw = np.random.default_rng(0)
    return [
        Conversation().say(
            "user",
            *(ImagePart(draw.integers(0, 255, (side, side, 3), dtype=np.uint8)) for _ in range(2)),
            words,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("target", ["agb", "height"])
def test_a_batch_gives_each_what_it_gets_alone(engine, target):
    conversations = asked(engine, 3)
    together = engine.estimate(conversations, [target])[0].mean
    alone = torch.cat([engine.estimate([each], [target])[0].mean for each in conversations])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)
    assert together.std() > 0


def test_the_statistics_of_a_region_take_the_place_of_the_heads_own(engine):
    asked_of = asked(engine, 2)
    own = engine.estimate(asked_of, ["agb"])[0]
    regional = {"region_mean/agb_mg_per_ha": 10.0, "region_deviation/agb_mg_per_ha": 5.0}
    found = engine.estimate(asked_of, ["agb"], [regional] * 2)[0]
    torch.testing.assert_close((found.mean - 10) / 5, (own.mean - 100) / 50, rtol=1e-4, atol=1e-5)
    of_height = {"region_mean/height": 10.0, "region_deviation/height": 5.0}
    other = engine.estimate(asked_of, ["agb"], [of_height] * 2)
    torch.testing.assert_close(other[0].mean, own.mean)
    mixed = engine.estimate(asked_of, ["agb"], [regional, of_height])[0]
    torch.testing.assert_close(mixed.mean, torch.stack([found.mean[0], own.mean[1]]))


def test_a_head_that_follows_another_asks_it_by_itself(engine, monkeypatch):
    """Biomass is moved by what the head of height says, which reads layers of the tower; asked alone."""
    plain = engine.heads["agb"]
    own = {**plain.settings, "monotone": {"along": "height", "knots": 3}}
    following = NumberHead(64, **own).eval()
    following.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        following.shift.rises.fill_(1.5)
    heads = nn.ModuleDict({"agb": following, "height": engine.heads["height"]})
    following.bind(dict(heads.items()))
    height = engine.estimate(asked(engine, 3), ["height"])[0].mean
    before = engine.estimate(asked(engine, 3), ["agb"])[0]
    monkeypatch.setattr(engine, "heads", heads)
    after = engine.estimate(asked(engine, 3), ["agb"])[0]
    torch.testing.assert_close(after.mean - before.mean, 50 * following.shift(height), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after.variance, before.variance)
    assert (after.mean - before.mean).abs().min() > 1


@pytest.mark.parametrize("target", ["agb", "height"])
def test_it_is_what_training_sees_in_a_pack(engine, target):
    from rscovlm.models.taps import tapped

    prompts = prompts_of(engine._prompter, asked(engine, 2))
    head, model = head_of(engine.heads, target), engine.model
    pack = collate(
        [encoded_prompt(each, engine._spec) for each in prompts], engine._spec, model.config.image_token_id
    )
    with torch.inference_mode(), tapped(model, head.settings["taps"]) as taps:
        hidden = model.model(**model_inputs(pack)).last_hidden_state
        features = taps.features(pack.image_grid_thw) if taps.layers else None
        packed = head(head.states(model, [hidden], pack, features))
    (batched,) = distributions_of(model, [head], prompts, engine._spec)
    torch.testing.assert_close(batched.mean, packed.mean, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(batched.variance, packed.variance, rtol=1e-3, atol=1e-3)


def test_prompts_tokenised_once_are_those_tokenised_each(engine):
    conversations = [*asked(engine, 2), *asked(engine, 1, "How high?")]
    for quick, slow in zip(prompts_of(engine._prompter, conversations), map(engine.prompt, conversations)):
        assert quick.ids.tolist() == slow.ids.tolist()
        assert (quick.images, quick.spans, quick.grids) == (slow.images, slow.spans, slow.grids)
        assert quick.keys.tolist() == slow.keys.tolist()


def test_a_target_without_a_head_and_prompts_of_two_lengths_are_refused(engine):
    with pytest.raises(
        ModelError, match="no number head is called 'age'; those of this checkpoint are agb, height"
    ):
        engine.estimate(asked(engine, 1), ["age"])
    assert head_of(engine.heads, "agb") is head_of(engine.heads, "agb_mg_per_ha")
    with pytest.raises(ModelError, match="this checkpoint has none"):
        head_of(nn.ModuleDict(), "agb")
    mixed = [*asked(engine, 1), *asked(engine, 1, "How much biomass is there in the middle?")]
    with pytest.raises(ModelError, match="of one length"):
        engine.estimate(mixed, ["agb"])
