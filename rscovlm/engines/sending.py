"""Bodies of requests that are sent piece by piece, so that the images of many are not in memory as text."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import zip_longest
from typing import Any
from uuid import uuid4

from rscovlm.engines.openai import URL_START, chat_request, png_file
from zoom_chain.chat import Conversation, Generation, Picture

_PIECE = 3 << 16
"""Bytes of a file that are text at a time; of three bytes each, no padding comes in between."""


class RequestBody:
    """The body of a request for one reply, sent piece by piece: its images are never all in memory as text.

    May be sent several times. The arguments are those of ``chat_request``.

    Attributes:
        headers: of the request: the type and the length of the body.

    Raises:
        ModelError: for an image that this engine cannot send.
    """

    def __init__(
        self, conversation: Conversation, model: str, options: Generation, seed: int, extra: Mapping[str, Any]
    ) -> None:
        files: list[bytes] = []
        mark = uuid4().hex  # stands for an image; in no text

        def place(picture: Picture) -> str:
            files.append(png_file(picture))
            return mark

        body = chat_request(conversation, model, options, seed, extra, place)
        self._texts = [text.encode() for text in json.dumps(body).split(mark)]
        self._files = files
        encoded = sum(len(URL_START) + 4 * math.ceil(len(file) / 3) for file in files)
        length = sum(map(len, self._texts)) + encoded
        self.headers = {"Content-Type": "application/json", "Content-Length": str(length)}

    def pieces(self) -> Iterator[bytes]:
        """The body, in order."""
        for text, file in zip_longest(self._texts, self._files):
            yield text
            if file is not None:
                yield URL_START.encode()
                for start in range(0, len(file), _PIECE):
                    yield base64.b64encode(file[start : start + _PIECE])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece
