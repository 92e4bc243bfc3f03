"""Memory of a checkpoint, told from its files, against what it takes once loaded."""

import json
import shutil
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
from torch.profiler import ProfilerActivity, profile

from rscovlm.engines import load_model
from rscovlm.engines.transformers import TransformersEngine
from rscovlm.errors import ModelError
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.families import family_of
from rscovlm.models.memory import KEPT_TOKENS, estimate, lines, size
from tests.rscovlm.checkpoints import tiny_qwen3_vl, tiny_qwen3_vl_moe, tiny_qwen25_vl, tiny_qwen35
from zoom_chain.chat import Conversation, Generation, ImagePart

BUILDERS = [tiny_qwen25_vl, tiny_qwen3_vl, tiny_qwen3_vl_moe, tiny_qwen35]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_weights_and_cache_are_what_the_loaded_model_takes(build, tmp_path):
    folder = build(tmp_path / "tiny")
    told = estimate(folder, family_of(folder).resolution, "float32")
    with load_model(str(folder), device="cpu") as engine:
        assert told.weights == sum(part.numel() * 4 for part in engine.model.parameters())
        assert told.rows == engine.max_batch
        factor = engine._spec.factor
        image = ImagePart(np.zeros((4 * factor, 4 * factor, 3), np.uint8))
        engine.chat([Conversation().say("user", image, "?")], Generation(max_new_tokens=1))
        held = list(engine._memory._root.walk())
        if told.kept_tokens:
            bytes_held = sum(part.nbytes for pair in held[0].layers for part in pair)
            assert told.token_cache * len(held[0].keys) == bytes_held
        else:
            assert held == []


def test_half_the_precision_is_half_the_memory():
    bounds = family_of(NANO_FOLDER).resolution
    whole, half = (estimate(NANO_FOLDER, bounds, dtype) for dtype in ("float32", "bfloat16"))
    assert (half.weights * 2, half.token_cache * 2) == (whole.weights, whole.token_cache)
    assert whole.kept == whole.token_cache * KEPT_TOKENS
    assert whole.total == whole.weights + whole.kept + whole.batch


def test_weights_in_few_bits_count_as_they_are_stored(tmp_path):
    header = {
        "a": {"dtype": "I32", "shape": [10, 10], "data_offsets": [0, 400]},
        "b": {"dtype": "F8_E4M3", "shape": [100], "data_offsets": [400, 500]},
        "c": {"dtype": "F16", "shape": [10], "data_offsets": [500, 520]},
    }
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    bounds = family_of(NANO_FOLDER).resolution
    assert estimate(tmp_path, bounds, "float32").weights == 400 + 100 + 40


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 16, b"\x02" + b"\0" * 7 + b"[]"])
def test_what_is_no_safetensors_is_one_clear_line(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="is no safetensors file"):
        estimate(tmp_path, family_of(NANO_FOLDER).resolution, "float32")


def test_a_folder_without_weights_is_one_clear_line(tmp_path):
    shutil.copy(NANO_FOLDER / "config.json", tmp_path)
    with pytest.raises(ModelError, match="holds no safetensors"):
        estimate(tmp_path, family_of(NANO_FOLDER).resolution, "float32")


def test_sizes_are_told_in_words():
    assert [size(count) for count in (2048, 3 * 2**20, int(6.25 * 2**30))] == ["2 KiB", "3 MiB", "6.25 GiB"]
    told = dict(lines(estimate(NANO_FOLDER, family_of(NANO_FOLDER).resolution, "float32")))
    assert list(told) == ["weights", "cache", "batch", "total"]


def allocated_peak(work):
    """The most bytes that torch had allocated at a time for some work, beyond what it had before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = profiled.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(accumulate(change for _, change in changes))


def nano(folder):
    return NANO_FOLDER


@pytest.mark.parametrize("build", [nano, *BUILDERS], ids=lambda build: build.__name__)
def test_a_batch_takes_what_was_told(build, tmp_path):
    rows, side = 4, 16  # visual tokens along each side of an image
    folder = build(tmp_path / "tiny")
    family = family_of(folder)
    length = side * family.resolution.factor
    bounds = replace(family.resolution, min_pixels=length**2, max_pixels=length**2)
    image = ImagePart(np.zeros((length, length, 3), np.uint8))
    asked = [Conversation().say("user", image, f"{number}?") for number in range(rows)]
    options = Generation(max_new_tokens=1)
    with TransformersEngine.of_checkpoint(
        folder, replace(family, resolution=bounds), "it", device="cpu", keep_tokens=0
    ) as engine:
        engine.chat(asked[:1], options)
        text_tokens = len(engine.prompt(asked[0]).ids) - side**2
        taken = allocated_peak(lambda: engine.chat(asked, options))
    told = estimate(folder, bounds, "float32", rows=rows, text_tokens=text_tokens)
    assert told.batch == pytest.approx(taken, rel=0.15)
