"""nano's shape, and what its weights start from."""

import json

import pytest
import torch

from rscovlm.models.families import family_of
from rscovlm.models.patches import PatchSpec
from rscovlm.nano.model import Shape, build_config, build_model, fourier_features, write_sidecars
from rscovlm.nano.tokenizer import number_tokens
from tests.rscovlm.nano.material import SMALL, SPEC


def test_neighbouring_positions_have_like_features_and_distant_ones_do_not():
    features = fourier_features(torch.arange(101) / 100, 64, octaves=7)
    assert features.shape == (101, 64)
    assert features.std().item() == pytest.approx(1, abs=1e-5)
    like = torch.nn.functional.cosine_similarity(features[50], features, dim=1)
    assert like[50].item() == pytest.approx(1, abs=1e-5)
    assert like[50] > like[51] > like[55] > like[75]


def test_numbers_and_places_start_as_fourier_features(tokenizer):
    ids = number_tokens(tokenizer)
    model = build_model(SMALL, tokenizer, ids, seed=0)
    words = model.get_input_embeddings().weight
    like = torch.nn.functional.cosine_similarity(words[ids[500]], words[ids], dim=1)
    assert like[500] > like[505] > like[800]
    places = model.model.visual.pos_embed.weight.unflatten(0, (8, 8))
    # The first half of a place says its row, the second its column.
    assert torch.equal(places[2, :, :16], places[2, :1, :16].expand(8, 16))
    assert torch.equal(places[:, 5, 16:], places[:1, 5, 16:].expand(8, 16))
    assert not torch.equal(places[2, 0, :16], places[3, 0, :16])


def test_the_same_seed_gives_the_same_weights(tokenizer):
    ids = number_tokens(tokenizer)
    first, again, other = (build_model(SMALL, tokenizer, ids, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_vocabulary_is_padded_to_a_multiple_of_64_and_a_token_is_one_patch(tokenizer):
    config = build_config(Shape(), tokenizer)
    assert config.text_config.vocab_size % 64 == 0
    assert 0 <= config.text_config.vocab_size - len(tokenizer) < 64
    assert config.vision_config.num_position_embeddings == (128 / 16) ** 2
    assert config.image_token_id == tokenizer.convert_tokens_to_ids("<|image_pad|>")


def test_the_files_beside_the_weights_say_what_the_project_reads_from_them(tokenizer, tmp_path):
    build_config(SMALL, tokenizer).save_pretrained(tmp_path)
    write_sidecars(tmp_path, detect_gsd_m=0.7)
    family = family_of(tmp_path)
    assert (family.name, family.detect_gsd_m) == ("nano", 0.7)
    assert (family.resolution.min_pixels, family.resolution.max_pixels) == (64 * 64, 128 * 128)
    assert PatchSpec.of_checkpoint(tmp_path, build_config(SMALL, tokenizer).vision_config) == SPEC
    assert json.loads((tmp_path / "preprocessor_config.json").read_text())["merge_size"] == 1
