"""nano's tokenizer: numbers are single tokens, and text survives."""

from types import SimpleNamespace

import pytest

from rscovlm.nano.tokenizer import SPECIAL_TOKENS, number_tokens


def test_every_number_from_0_to_1000_is_one_token_and_text_survives_a_round_trip(tokenizer):
    assert len(set(number_tokens(tokenizer))) == 1001
    text = (
        '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0, 37, 1000, 512]}}</tool_call>'
    )
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert (
        tokenizer.decode(tokenizer.encode("Größe? 1234 m²\n", add_special_tokens=False)) == "Größe? 1234 m²\n"
    )


def test_a_tokenizer_that_splits_numbers_is_refused():
    digits = SimpleNamespace(encode=lambda text, add_special_tokens: [int(digit) for digit in text])
    with pytest.raises(ValueError, match=r"numbers \[10, 11, 12, 13, 14\] are not single tokens"):
        number_tokens(digits)


def test_control_tokens_and_the_tags_of_a_call_are_one_token_each(tokenizer):
    ids = [tokenizer.encode(token, add_special_tokens=False) for token in SPECIAL_TOKENS]
    assert [len(each) for each in ids] == [1] * len(SPECIAL_TOKENS)
    assert len({each[0] for each in ids}) == len(SPECIAL_TOKENS)


def test_the_chat_template_writes_turns_images_and_the_beginning_of_the_reply(tokenizer):
    turns = [
        {"role": "system", "content": "Zoom."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Any?"}]},
    ]
    written = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert written == (
        "<|im_start|>system\nZoom.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Any?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
