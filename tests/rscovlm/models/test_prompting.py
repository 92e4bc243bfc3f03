"""Conversations to token ids: placeholders, their places, and what two prompts have in common."""

import numpy as np
import pytest

from rscovlm.errors import ModelError
from rscovlm.models.families import FAMILIES
from rscovlm.models.prompting import (
    Prompt,
    PromptError,
    expand_images,
    image_positions,
    inert,
    pad_left,
    prompter_of,
    template_messages,
    token_grid,
    token_scales,
)
from rscovlm.nano.tokenizer import build_tokenizer
from tests.rscovlm.checkpoints import WORDS
from tiling.view import Size
from zoom_chain.chat import Conversation, ImagePart

IMAGE = 7


def picture(value: int, height: int = 32, width: int = 48) -> ImagePart:
    return ImagePart(np.full((height, width, 3), value, dtype=np.uint8))


def prompt(*words: int | ImagePart) -> Prompt:
    """Tokens, each picture of 32 x 48 px as 2 x 3 visual tokens of 16 px."""
    images = tuple(word for word in words if isinstance(word, ImagePart))
    ids = np.array([IMAGE if isinstance(word, ImagePart) else word for word in words])
    grids = ((2, 3),) * len(images)
    expanded = expand_images(ids, IMAGE, grids)
    return Prompt(expanded.ids, images, expanded.spans, grids)


def test_a_placeholder_is_repeated_once_for_each_visual_token():
    expanded = expand_images(np.array([1, IMAGE, 2, IMAGE]), IMAGE, [(1, 2), (2, 2)])
    assert expanded.ids.tolist() == [1, IMAGE, IMAGE, 2, IMAGE, IMAGE, IMAGE, IMAGE]
    assert expanded.repeats.tolist() == [1, 2, 1, 4]
    assert expanded.spans == ((1, 3), (4, 8))
    with pytest.raises(PromptError, match="wrote 2 placeholders for 1 images"):
        expand_images(np.array([IMAGE, IMAGE]), IMAGE, [(1, 2)])


def test_text_after_an_image_goes_on_after_its_longer_side():
    # A token, an image of 2 x 3 tokens, two more tokens: 1 + max(2, 3) = 4 comes next.
    assert image_positions(9, [(1, 7)], [(2, 3)]).tolist() == [
        [0, 1, 1, 1, 1, 1, 1, 4, 5],
        [0, 1, 1, 1, 2, 2, 2, 4, 5],
        [0, 1, 2, 3, 1, 2, 3, 4, 5],
    ]


def test_the_grid_of_an_image_is_rows_by_columns_and_has_no_rest():
    assert token_grid(Size(height=64, width=96), 32) == (2, 3)
    for size in (Size(64, 100), Size(60, 96)):
        with pytest.raises(PromptError, match=f"{size.width} x {size.height} px does not divide"):
            token_grid(size, 32)


def test_a_beginning_holds_an_image_whole_or_not_at_all():
    first = prompt(1, 2, picture(5), 3, 4)  # an image of six tokens after two
    assert [first.whole_beginning(length) for length in range(11)] == [0, 1, 2, 2, 2, 2, 2, 2, 8, 9, 10]


def test_tokens_of_different_images_have_different_identities():
    keys = [prompt(1, 2, picture(seed), 3).keys for seed in (5, 5, 6)]
    np.testing.assert_array_equal(keys[0], keys[1])
    assert (keys[0] != keys[2]).tolist() == [False] * 2 + [True] * 6 + [False]


def test_pictures_have_identities_that_no_token_has():
    found = prompt(1, picture(5), 2, picture(6))
    assert (found.keys[1:7] > 1 << 62).all()
    assert len(set(found.keys.tolist())) == 4
    assert found.keys[0] == 1


def test_text_cannot_forge_control_tokens_and_pictures_are_parts():
    assert inert("a<|im_end|>") == "a< |im_end|>"
    assert template_messages(Conversation().say("user", picture(0), "<|image_pad|>")) == [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "< |image_pad|>"}]}
    ]


def test_rows_are_aligned_at_their_ends():
    assert pad_left([np.array([1, 2]), np.array([3])], fill=9).tolist() == [[1, 2], [9, 3]]
    positions = [np.ones((3, 1), dtype=int), np.ones((3, 2), dtype=int)]
    assert pad_left(positions, fill=0)[0].tolist() == [[0, 1]] * 3


def test_a_prompter_needs_the_tokenizers_files_alone(tmp_path):
    build_tokenizer([WORDS], tmp_path)
    written = prompter_of(tmp_path, FAMILIES["nano"]).prompt(
        Conversation().say("user", picture(0, 32, 48), "How many ships?")
    )
    assert written.grids == ((2, 3),)
    start, end = written.spans[0]
    assert end - start == 6
    assert len(set(written.ids[start:end])) == 1
    with pytest.raises(ModelError, match="cannot be read"):
        prompter_of(tmp_path / "nowhere", FAMILIES["nano"])


def test_a_token_has_the_scale_of_the_latest_image_and_of_the_first_before_it():
    # 2 words, an image, a word, an image of unknown scale, a word.
    scales = token_scales(8, [(2, 4), (5, 7)], [0.1, None])
    np.testing.assert_array_equal(scales, np.float32([-1, -1, -1, -1, -1, np.nan, np.nan, np.nan]))
    assert np.isnan(token_scales(3, [], [])).all()


def test_a_beginning_that_was_read_at_another_scale_is_not_shared():
    pixels = np.zeros((2, 2, 3), np.uint8)

    def prompt(gsd_m):
        return Prompt(np.arange(6), (ImagePart(pixels, gsd_m=gsd_m),), ((2, 4),), ((1, 2),))

    def differ(one, other):
        return (prompt(one).keys != prompt(other).keys).tolist()

    assert differ(0.3, 0.3) == differ(None, None) == [False] * 6
    assert differ(0.3, 3.0) == [True] * 4 + [False] * 2  # nothing after a beginning that is another
