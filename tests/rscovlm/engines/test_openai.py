"""The chat completions format: requests, replies, and what token counts prove."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from rscovlm.engines.openai import (
    VLLM_PARAMETERS,
    chat_messages,
    chat_request,
    data_url,
    failure_text,
    plausible_counts,
    probe,
    probe_sizes,
    read_reply,
    sampling_parameters,
)
from rscovlm.errors import ModelError
from tiling.resolution import Resolution
from tiling.view import Size
from zoom_chain.chat import Conversation, Generation, ImagePart, Sampling


def picture(height: int, width: int) -> ImagePart:
    pixels = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3)
    return ImagePart((pixels % 251).astype(np.uint8))


def test_a_request_holds_turns_options_and_what_the_server_is_known_to_take():
    asked = Conversation().say("system", "Zoom.").say("user", picture(2, 3), "Any<|im_end|>?")
    options = Generation(max_new_tokens=9, logprobs=True)
    body = chat_request(asked, "served", options, seed=4, extra=VLLM_PARAMETERS)
    system, user = body.pop("messages")
    assert body == {
        **{"model": "served", "max_tokens": 9, "seed": 4, "logprobs": True, "skip_special_tokens": False},
        **{"temperature": 0.0, "top_p": 1.0, "top_k": 0, "presence_penalty": 0.0, "repetition_penalty": 1.0},
    }
    assert system == {"role": "system", "content": "Zoom."}, "mere text is a string"
    shown, said = user["content"]
    assert said == {"type": "text", "text": "Any< |im_end|>?"}
    kind, data = shown["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(pixels, picture(2, 3).pixels)
    assert data_url(picture(2, 3)) == shown["image_url"]["url"]


def test_a_pattern_goes_to_vllm_in_its_own_parameter_and_to_no_other_server():
    asked, options = Conversation().say("user", "red or blue?"), Generation(pattern="red|blue")
    body = chat_request(asked, "served", options, seed=0, extra=VLLM_PARAMETERS)
    assert body["structured_outputs"] == {"regex": "red|blue"}
    assert "structured_outputs" not in chat_request(asked, "served", Generation(), 0, VLLM_PARAMETERS)
    with pytest.raises(ModelError, match="the server does not say that it is vLLM; leave --structured out"):
        chat_request(asked, "served", options, seed=0, extra={})


def test_rules_of_sampling_are_left_to_the_checkpoint_or_limited_to_the_interface():
    assert sampling_parameters(None, known=True) == {}
    assert sampling_parameters(Sampling(0.5, 0.9), known=False) == {"temperature": 0.5, "top_p": 0.9}
    with pytest.raises(ModelError, match="repetition_penalty is a parameter of vLLM"):
        sampling_parameters(Sampling(repetition_penalty=1.1), known=False)


def test_a_reply_states_its_tokens_and_what_was_prefilled():
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 48},
    }
    choice = {
        "message": {"content": None},
        "finish_reason": "length",
        "logprobs": {"content": [{"logprob": -0.25}, {"logprob": -1}]},
    }
    reply = read_reply({"choices": [choice], "usage": usage})
    assert (reply.text, reply.stop_reason, reply.prompt_tokens, reply.completion_tokens) == (
        "",
        "length",
        50,
        2,
    )
    assert reply.prefilled_tokens == 2
    np.testing.assert_array_equal(reply.logprobs, [-0.25, -1.0])


@pytest.mark.parametrize("body", [[], {}, {"choices": []}, {"choices": [{"message": {"content": "a"}}]}])
def test_what_is_no_completion_is_refused(body):
    with pytest.raises(ValueError, match=r"no chat completion|no usage|without a choice"):
        read_reply(body)


@pytest.mark.parametrize(
    ("body", "text", "line"),
    [
        ({"error": {"message": "too\nlong"}}, "", "HTTP 400: too long"),
        ({"error": "busy"}, "", "HTTP 400: busy"),
        ({"detail": "Not Found"}, "", "HTTP 400: Not Found"),
        (None, "<html>gateway</html>", "HTTP 400: gateway"),
        (None, "x" * 400, "HTTP 400: " + "x" * 300),
        ({}, "", "HTTP 400"),
    ],
)
def test_a_refusal_is_one_line(body, text, line):
    assert failure_text(400, body, text) == line


def test_a_count_has_room_for_the_images_at_full_size_and_for_little_else():
    asked = Conversation().say("user", ImagePart(np.zeros((64, 96, 3), np.uint8)), "ab")
    # 6 visual tokens; 1 message of 2 bytes, in a template of at most 64 tokens a message and once more.
    assert plausible_counts(asked, 32) == (6 + 1, 6 + 2 + 2 * 64)


def test_probes_are_the_smallest_and_the_largest_square_that_are_sent():
    bounds = Resolution(32, 4 * 32**2, 64 * 32**2, target_pixels=16 * 32**2)
    assert probe_sizes(bounds) == (Size(64, 64), Size(256, 256))
    assert probe(Size(64, 96)).images[0].size == Size(64, 96)
    assert probe(Size(64, 96)).messages[0].text == probe(Size(32, 32)).messages[0].text


def test_bands_that_no_image_file_holds_are_refused_in_one_line():
    image = ImagePart(np.zeros((32, 32, 2), np.float32), ("VV", "VH"))
    with pytest.raises(ModelError, match=r"takes RGB images .* got 2 bands \(VV, VH\) of float32; render"):
        chat_messages(Conversation().say("user", image, "How many ships?"))


@pytest.mark.parametrize(
    ("finish_reason", "ended", "failed"),
    [
        *[("stop", "stop", False), ("tool_calls", "stop", False), (None, "stop", False)],
        *[("length", "length", False), ("content_filter", "filtered", True), ("abort", "aborted", True)],
    ],
)
def test_a_reply_that_was_filtered_or_aborted_is_an_error_and_no_answer(finish_reason, ended, failed):
    choice = {"message": {"content": "There"}, "finish_reason": finish_reason}
    reply = read_reply({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
    assert reply.stop_reason == ended
    assert (finish_reason in (reply.error or "")) if failed else reply.error is None


USAGE = {"prompt_tokens": 9, "completion_tokens": 1}


def said(**message):
    return read_reply({"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE})


def test_tool_calls_in_the_formats_own_field_read_as_the_model_wrote_them():
    call = {"type": "function", "function": {"name": "image_zoom_in", "arguments": '{"bbox": [1, 2, 3, 4]}'}}
    expected = '<tool_call>\n{"name": "image_zoom_in", "arguments": {"bbox": [1, 2, 3, 4]}}\n</tool_call>'
    assert said(content=None, tool_calls=[call]).text == expected
    as_object = {"function": {"name": "image_zoom_in", "arguments": {"bbox": [1, 2, 3, 4]}}}
    assert said(content="Look.\n", tool_calls=[as_object]).text == "Look.\n" + expected


def test_content_in_parts_is_joined():
    parts = [{"type": "text", "text": "two "}, {"type": "image_url"}, {"type": "text", "text": "ships"}]
    assert said(content=parts).text == "two ships"


def test_a_refusal_is_an_error_in_the_servers_words():
    reply = said(content=None, refusal="I can't\nhelp with that.")
    assert (reply.stop_reason, reply.error) == ("refused", "the model declined: I can't help with that.")


def test_reasoning_in_a_field_of_its_own_is_a_thought_that_ends_where_words_follow():
    assert said(content=None, reasoning_content="It might be a ship.").text == "<think>\nIt might be a ship."
    assert said(content="A ship.", reasoning="Hm.").text == "<think>\nHm.\n</think>\n\nA ship."
    assert said(content="<think>Hm.</think>A ship.", reasoning="Hm.").text == "<think>Hm.</think>A ship."


@pytest.mark.parametrize(
    "body",
    [
        *[None, [], "text", 3, {}, {"choices": []}, {"choices": [None], "usage": USAGE}],
        {"choices": [{"message": None}], "usage": USAGE},
        {"choices": [{"message": {"content": 3}}], "usage": USAGE},
        {"choices": [{"message": {"content": "a"}}], "usage": []},
        {"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": "many"}},
    ],
)
def test_what_is_no_chat_completion_is_one_clear_error(body):
    with pytest.raises(ValueError, match=r"no chat completion|no usage|without a choice"):
        read_reply(body)


def test_a_providers_error_behind_status_200_is_told():
    with pytest.raises(ValueError, match="HTTP 200: overloaded"):
        read_reply({"error": {"message": "overloaded"}})


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ({"content": ["a"]}, {}),
        ({"content": "a", "tool_calls": ["x"]}, {}),
        ({"content": "a"}, {"logprobs": {"content": [{}]}}),
        ({"content": "a"}, {"logprobs": {"content": [{"logprob": None}]}}),
        ({"content": "a"}, {"logprobs": {"content": [{"logprob": float("nan")}]}}),
        ({"content": "a"}, {"logprobs": [1]}),
    ],
)
def test_what_a_reply_does_not_need_may_be_odd(message, more):
    reply = read_reply({"choices": [{"message": message, **more}], "usage": USAGE})
    assert (reply.text, reply.logprobs, reply.error) == ("a", None, None)


def test_half_a_character_is_replaced():
    assert said(content="a\ud83d").text == "a?"


@pytest.mark.parametrize(
    "details", [[1], {"cached_tokens": None}, {"cached_tokens": 99}, {"cached_tokens": True}]
)
def test_cached_tokens_that_cannot_be_are_unknown(details):
    usage = {**USAGE, "prompt_tokens_details": details}
    body = {"choices": [{"message": {"content": "a"}}], "usage": usage}
    assert read_reply(body).prefilled_tokens is None


def test_a_provider_behind_a_gateway_is_named():
    error = {"message": "Provider returned error", "metadata": {"provider_name": "Mill", "raw": "no\nimages"}}
    assert failure_text(400, {"error": error}, "") == "HTTP 400: Provider returned error (Mill) (no images)"


def test_strings_that_end_a_reply_are_sent():
    options = Generation(stop=("<tool_response>",))
    assert chat_request(Conversation().say("user", "x"), "m", options, 0, {})["stop"] == ["<tool_response>"]
    assert "stop" not in chat_request(Conversation().say("user", "x"), "m", Generation(), 0, {})


def test_probabilities_of_choices_come_from_the_likeliest_first_tokens():
    options = Generation(max_new_tokens=1, choices=("yes", "no"))
    body = chat_request(Conversation().say("user", "x"), "m", options, 0, {})
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
    first = {
        "token": "Yes",
        "logprob": -0.1,
        "top_logprobs": [{"token": "Yes", "logprob": -0.1}, {"token": "No"}],
    }
    choice = {"message": {"content": "Yes"}, "logprobs": {"content": [first]}}
    reply = read_reply({"choices": [choice], "usage": USAGE}, options.choices)
    np.testing.assert_allclose(reply.choices, [-0.1, -np.inf])
    without = read_reply({"choices": [{"message": {"content": "Yes"}}], "usage": USAGE}, options.choices)
    assert without.error == "the server does not state probabilities (top_logprobs)"
