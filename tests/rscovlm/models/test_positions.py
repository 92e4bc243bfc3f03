"""M-RoPE positions from ids and grids, against transformers' own."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2_5_VLConfig, Qwen3VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel

from rscovlm.models.positions import RopeSpec, mrope_positions

IMAGE, VIDEO, START, END = 1000, 1001, 1002, 1003
SPECIAL = {"image_token_id": IMAGE, "video_token_id": VIDEO}


@cache
def reference(family):
    """A model without weights: ``get_rope_index`` reads its configuration alone."""
    kind, config = {
        "qwen2.5-vl": (Qwen2_5_VLModel, Qwen2_5_VLConfig(vision_config={"tokens_per_second": 2}, **SPECIAL)),
        "qwen3-vl": (Qwen3VLModel, Qwen3VLConfig(**SPECIAL)),
    }[family]
    model = kind.__new__(kind)
    torch.nn.Module.__init__(model)
    model.config = config
    return model


part = st.one_of(
    st.tuples(st.just("text"), st.integers(1, 40)),
    st.tuples(st.just("image"), st.integers(1, 9), st.integers(1, 9)),
    st.tuples(
        st.just("video"),
        st.integers(1, 5),
        st.integers(1, 6),
        st.integers(1, 6),
        st.floats(0.0625, 4, width=32),
    ),
)


def conversation(parts, split_frames):
    """Ids, image grids, video grids and seconds of a conversation described by ``part``."""
    ids, images, videos, seconds = [], [], [], []
    for kind, *shape in parts:
        if kind == "text":
            ids += list(range(1, shape[0] + 1))
        elif kind == "image":
            rows, columns = shape
            ids += [START, *[IMAGE] * (rows * columns), END]
            images.append((1, 2 * rows, 2 * columns))
        else:
            frames, rows, columns, second = shape
            videos.append((frames, 2 * rows, 2 * columns))
            seconds.append(second)
            if split_frames:
                for frame in range(frames):
                    ids += [*range(7, 8 + frame % 3), START, *[VIDEO] * (rows * columns), END]
            else:
                ids += [START, *[VIDEO] * (frames * rows * columns), END]
    return np.array(ids, dtype=np.int64), images, videos, seconds


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl"])
@given(parts=st.lists(part, min_size=1, max_size=8), timed=st.booleans())
@settings(max_examples=150, deadline=None)
def test_positions_equal_those_of_the_model_for_any_conversation(family, parts, timed):
    model = reference(family)
    ids, images, videos, seconds = conversation(parts, split_frames=family == "qwen3-vl")
    kinds = np.where(ids == IMAGE, 1, np.where(ids == VIDEO, 2, 0))
    timing = {"second_per_grid_ts": torch.tensor(seconds)} if timed and family == "qwen2.5-vl" else {}
    expected, _ = model.get_rope_index(
        torch.from_numpy(ids)[None],
        torch.from_numpy(kinds)[None],
        image_grid_thw=torch.tensor(images) if images else None,
        video_grid_thw=torch.tensor(videos) if videos else None,
        **timing,
    )
    found = mrope_positions(ids, images, RopeSpec.of_config(model.config), videos, seconds if timed else None)
    np.testing.assert_array_equal(found, expected[:, 0].numpy())


def test_text_goes_on_after_the_longer_side_of_an_image():
    ids = np.array([1, 2, *[IMAGE] * 6, 3])
    found = mrope_positions(ids, [(1, 4, 6)], RopeSpec(IMAGE))
    assert found.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5],
        [0, 1, 2, 2, 2, 3, 3, 3, 5],
        [0, 1, 2, 3, 4, 2, 3, 4, 5],
    ]


def test_frames_are_placed_by_their_seconds_in_single_precision_rounded_down():
    """50 frames of 0.06: 2.9999999 in double precision, 3 in single precision, as transformers has it."""
    ids, rope = np.array([VIDEO] * 51), RopeSpec(IMAGE, VIDEO, tokens_per_second=2)
    assert mrope_positions(ids, [], rope, [(51, 2, 2)], [0.03])[0, 50] == 3
    rope = RopeSpec(IMAGE, VIDEO, tokens_per_second=10)
    for seconds, expected in ((0.29, [0, 2, 5, 8]), (0.3, [0, 3, 6, 9]), (0.7, [0, 7, 14, 21])):
        times = mrope_positions(ids[:4], [], rope, [(4, 2, 2)], [seconds])[0]
        assert times.tolist() == expected


@pytest.mark.parametrize(
    ("ids", "grids"),
    [
        ([1, IMAGE, 2], [(1, 4, 4)]),
        ([1, IMAGE], [(1, 2, 2)] * 2),
        ([1, IMAGE, IMAGE], [(1, 2, 2)]),
        # Placeholders enough, but text between them.
        ([IMAGE, IMAGE, 2, IMAGE, IMAGE], [(1, 4, 4)]),
    ],
)
def test_placeholders_that_do_not_fit_the_grids_are_refused(ids, grids):
    with pytest.raises(ValueError, match="disagree"):
        mrope_positions(np.array(ids), grids, RopeSpec(IMAGE))
