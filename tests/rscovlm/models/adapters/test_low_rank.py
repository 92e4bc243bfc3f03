"""Low-rank adapters: what they compute, what of them learns, and that nothing is lost on the way to disk."""

import numpy as np
import pytest
import torch
from torch import nn

from rscovlm.errors import ModelError
from rscovlm.models.adapters.low_rank import Dora, Lora, Qlora

RANK, ALPHA = 2, 6.0


class Small(nn.Module):
    """Two linear layers of which one is adapted."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = {"model_type": "small", "tie_word_embeddings": False}
        self.first, self.second = nn.Linear(width, width, bias=False), nn.Linear(width, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))

    def prepare_inputs_for_generation(self, *_, **__):
        raise NotImplementedError("peft looks for it alone")


def learnt(kind, seed=1):
    """A model with adapters whose weights are no longer those at the start."""
    model, adapter = Small(), kind(RANK, ALPHA)
    adapter.apply(model, ["first"])
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if adapter.learns(name):
                parameter.add_(torch.rand_like(parameter))
    return model, adapter


X = torch.tensor(np.random.default_rng(0).normal(size=(5, 4)), dtype=torch.float32)


@pytest.mark.parametrize("kind", [Lora, Dora, Qlora])
def test_fresh_adapters_change_nothing(kind):
    model = Small()
    before = model(X)
    kind(RANK, ALPHA).apply(model, ["first"])
    torch.testing.assert_close(model(X), before)


def test_lora_adds_alpha_over_rank_times_the_product_of_b_and_a():
    model, _ = learnt(Lora)
    weights = dict(model.named_parameters())
    a, b = weights["first.lora_A.default.weight"], weights["first.lora_B.default.weight"]
    assert (a.shape, b.shape) == ((RANK, 4), (4, RANK))
    adapted = Small().first.weight + ALPHA / RANK * b @ a
    torch.testing.assert_close(model(X), X @ adapted.T @ model.second.weight.T)


def test_dora_learns_the_length_of_each_row_apart_from_its_direction():
    model, _ = learnt(Dora)
    weights = dict(model.named_parameters())
    a, b = weights["first.lora_A.default.weight"], weights["first.lora_B.default.weight"]
    turned = Small().first.weight + ALPHA / RANK * b @ a
    magnitude = weights["first.lora_magnitude_vector.default.weight"]
    # Liu et al. 2024, equation 5.
    adapted = magnitude[:, None] * turned / turned.norm(dim=1, keepdim=True)
    torch.testing.assert_close(model(X), X @ adapted.T @ model.second.weight.T)


@pytest.mark.parametrize("kind", [Lora, Dora])
def test_merged_layers_say_the_same_and_are_plain_again(kind):
    model, adapter = learnt(kind)
    before = model(X)
    merged = adapter.merge()
    torch.testing.assert_close(merged(X), before, rtol=1e-5, atol=1e-5)
    assert {name for name, _ in merged.named_parameters()} == {"first.weight", "second.weight"}


@pytest.mark.parametrize("kind", [Lora, Dora])
def test_what_is_saved_is_loaded_again(kind, tmp_path):
    model, adapter = learnt(kind)
    adapter.save(tmp_path)
    other, again = learnt(kind, seed=2)
    assert not torch.allclose(other(X), model(X))
    again.load(tmp_path)
    torch.testing.assert_close(other(X), model(X), rtol=0, atol=0)


def test_adapters_of_another_shape_or_kind_are_one_line(tmp_path):
    _, adapter = learnt(Lora)
    adapter.save(tmp_path)
    dora = learnt(Dora)[1]
    with pytest.raises(ModelError, match=r"are of other layers; .*lora_magnitude_vector"):
        dora.load(tmp_path)
    larger = Lora(RANK + 1, ALPHA)
    larger.apply(Small(), ["first"])
    with pytest.raises(ModelError, match=r"cannot be read: .*size mismatch") as caught:
        larger.load(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="cannot be read"):
        larger.load(tmp_path / "nowhere")


def test_only_qlora_holds_layers_in_four_bits():
    assert [kind.in_four_bits for kind in (Lora, Dora, Qlora)] == [False, False, True]
