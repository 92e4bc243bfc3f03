"""Bodies that are sent piece by piece are those that would be sent whole."""

import asyncio
import json

import numpy as np
import pytest

from rscovlm.engines.openai import chat_request
from rscovlm.engines.sending import RequestBody
from rscovlm.errors import ModelError
from zoom_chain.chat import Conversation, Generation, ImagePart, PngPart

IMAGES = [
    ImagePart(np.random.default_rng(seed).integers(0, 256, (5 + seed, 7, 3), dtype=np.uint8))
    for seed in (1, 2)
]
ASKED = (
    Conversation()
    .say("user", IMAGES[0], 'Where? "left" or \\ right, Größe?')
    .say("assistant", "there")
    .say("user", PngPart.of(IMAGES[1]), "And here?")
)
ARGUMENTS = ("served", Generation(choices=("yes", "no")), 3, {"x": 1})


def test_the_pieces_are_the_whole_body_and_its_length_is_stated():
    body = RequestBody(ASKED, *ARGUMENTS)
    sent = b"".join(body.pieces())
    assert json.loads(sent) == chat_request(ASKED, *ARGUMENTS)
    assert body.headers["Content-Length"] == str(len(sent))
    assert b"".join(body.pieces()) == sent  # again, for another attempt


def test_they_come_one_by_one_to_an_event_loop_too():
    async def collect():
        return [piece async for piece in RequestBody(ASKED, *ARGUMENTS)]

    pieces = asyncio.run(collect())
    assert len(pieces) == 3 + 2 * 2
    assert b"".join(pieces) == b"".join(RequestBody(ASKED, *ARGUMENTS).pieces())


def test_what_cannot_be_sent_is_said_before_anything_is():
    bands = ImagePart(np.zeros((4, 4, 5), np.float32))
    with pytest.raises(ModelError, match="RGB images of uint8"):
        RequestBody(Conversation().say("user", bands), *ARGUMENTS)
