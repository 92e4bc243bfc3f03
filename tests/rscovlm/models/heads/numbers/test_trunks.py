"""Trunks of number heads, by their limits."""

from dataclasses import replace

import pytest
import torch

from rscovlm.models.heads.numbers.trunks import TRUNKS, Attention, Experts, Gated, Mixer, Parallel
from tests.rscovlm.models.heads.material import states


def make(name, **settings):
    torch.manual_seed(0)
    own = {"vision_width": 6} if name == "mixer" else {}
    return TRUNKS[name](8, **own, **settings).eval()


@pytest.mark.parametrize("name", TRUNKS)
def test_a_sample_is_read_the_same_alone_and_beside_others(name):
    trunk, together = make(name), states()
    alone = replace(
        together,
        **{
            field: getattr(together, field)[1:2]
            for field in ("visual", "weights", "words", "is_word", "tapped")
        },
    )
    torch.testing.assert_close(trunk(alone).value[0], trunk(together).value[1])


@pytest.mark.parametrize("name", TRUNKS)
def test_padding_changes_nothing(name):
    trunk, short = make(name), states()

    def longer(tensor):
        return torch.cat([tensor, torch.zeros_like(tensor[:, :2])], dim=1)

    padded = replace(
        short,
        **{
            field: longer(getattr(short, field))
            for field in ("visual", "weights", "words", "is_word", "tapped")
        },
    )
    torch.testing.assert_close(trunk(padded).value, trunk(short).value)


@pytest.mark.parametrize("name", TRUNKS)
def test_training_and_inference_give_the_same_value(name):
    trunk = make(name)
    torch.testing.assert_close(trunk.train()(states()).value, trunk.eval()(states()).value)


def test_embed_is_the_readout_and_has_no_weights():
    trunk = make("embed")
    torch.testing.assert_close(trunk(states()).value, states().pooled())
    assert not list(trunk.parameters())


def test_without_layers_the_parallel_trunk_is_the_normalised_readout():
    trunk = Parallel(8, depth=0)
    torch.testing.assert_close(trunk(states()).value, trunk.norm(states().pooled()))


def test_masked_words_get_no_weight_at_all():
    trunk = make("attention", heads=2, reads="words")
    here = states()
    changed = replace(here, words=torch.where(here.is_word[..., None], here.words, 1e3))
    torch.testing.assert_close(trunk(changed).value, trunk(here).value, atol=0, rtol=0)


def test_a_query_that_asks_nothing_takes_the_readout_and_the_words_half_and_half():
    trunk, here = make("attention", heads=2), states()
    torch.nn.init.zeros_(trunk.query)
    torch.nn.init.eye_(trunk.values.weight)
    torch.nn.init.eye_(trunk.out.weight)
    for layer in (trunk.values, trunk.out):
        torch.nn.init.zeros_(layer.bias)
    normed = replace(here, visual=trunk.norm(here.visual), words=trunk.norm(here.words))
    torch.testing.assert_close(trunk(here).value, (normed.pooled() + normed.said()) / 2)


def test_visual_tokens_that_the_readout_leaves_out_get_no_attention():
    trunk, here = make("attention", heads=2), states()
    middle = replace(here, weights=torch.zeros_like(here.weights).index_fill_(1, torch.tensor([0]), 1.0))
    changed = replace(middle, visual=torch.where(middle.weights[..., None] > 0, middle.visual, 1e3))
    torch.testing.assert_close(trunk(changed).value, trunk(middle).value, atol=0, rtol=0)


def test_attention_to_one_kind_does_not_see_the_other():
    here = states()
    blind = replace(here, visual=torch.randn_like(here.visual) * (here.weights > 0)[..., None])
    words = make("attention", heads=2, reads="words")
    torch.testing.assert_close(words(blind).value, words(here).value, atol=0, rtol=0)
    both = make("attention", heads=2, reads="both")
    assert not torch.allclose(both(blind).value, both(here).value)


def test_a_sample_without_tokens_attends_to_nothing_and_is_finite():
    trunk = Attention(8, heads=2, reads="words")
    nothing = replace(states(), is_word=torch.zeros(3, 4, dtype=torch.bool))
    assert trunk(nothing).value.isfinite().all()


@pytest.mark.parametrize(("bias", "source"), [(100.0, "vision"), (-100.0, "words")])
def test_a_gate_at_its_end_leaves_one_source(bias, source):
    trunk = Gated(8, depth=0)
    torch.nn.init.zeros_(trunk.gate.weight)
    torch.nn.init.constant_(trunk.gate.bias, bias)
    here = states()
    expected = trunk.vision_norm(here.pooled()) if source == "vision" else trunk.words_norm(here.said())
    torch.testing.assert_close(trunk(here).value, expected)


def test_all_experts_are_the_dense_mixture():
    trunk, here = make("experts", experts=4, top_k=4), states()
    sources = trunk.vision_norm(here.pooled()), trunk.words_norm(here.said())
    share = trunk.router(torch.cat(sources, dim=1)).softmax(dim=1)
    dense = sum(share[:, i, None] * expert(sources[i % 2]) for i, expert in enumerate(trunk.experts))
    torch.testing.assert_close(trunk(here).value, dense)


def test_one_expert_a_sample_is_that_expert():
    trunk, here = make("experts", experts=4, top_k=1), states()
    sources = trunk.vision_norm(here.pooled()), trunk.words_norm(here.said())
    best = trunk.router(torch.cat(sources, dim=1)).argmax(dim=1)
    expected = torch.stack([trunk.experts[int(e)](sources[int(e) % 2])[i] for i, e in enumerate(best)])
    torch.testing.assert_close(trunk(here).value, expected)


def test_experts_that_are_used_alike_cost_their_balance_and_a_single_favourite_more():
    trunk = Experts(8, experts=4, top_k=4, balance=0.5)
    torch.nn.init.zeros_(trunk.router.weight)
    torch.nn.init.zeros_(trunk.router.bias)
    assert trunk(states()).extra.item() == pytest.approx(0.5)
    favourite = Experts(8, experts=4, top_k=1, balance=0.5)
    torch.nn.init.zeros_(favourite.router.weight)
    with torch.no_grad():
        favourite.router.bias.copy_(torch.tensor([50.0, 0, 0, 0]))
    assert favourite(states()).extra.item() == pytest.approx(2)


def test_the_mixer_needs_the_vision_tower():
    with pytest.raises(ValueError, match="vision tower"):
        Mixer(8, 6)(replace(states(), tapped=None))


def test_the_mixer_lets_tokens_know_of_each_other():
    trunk, here = make("mixer"), states()
    changed = replace(here, tapped=here.tapped.clone())
    changed.tapped[0, 1] += 5
    tokens = trunk.back(trunk.norm(here.visual)) + trunk.tapped_norm(here.tapped)
    other = trunk.back(trunk.norm(changed.visual)) + trunk.tapped_norm(changed.tapped)
    layer = trunk.layers[0]
    assert not torch.allclose(layer(tokens, here.weights)[0, 0], layer(other, here.weights)[0, 0])
    torch.testing.assert_close(layer(tokens, here.weights)[1], layer(other, here.weights)[1])


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("experts", {"top_k": 5}, "top_k 5"),
        ("experts", {"experts": 1, "top_k": 1}, "at least 2"),
        ("attention", {"heads": 3}, "do not divide"),
    ],
)
def test_settings_that_make_no_trunk_are_refused(name, settings, words):
    with pytest.raises(TypeError, match=words):
        make(name, **settings)
