"""Chat protocol of vision-language models: conversations in, replies out."""

from __future__ import annotations

import hashlib
import io
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tiling.view import Size
from zoom_chain.errors import require

Role = Literal["system", "user", "assistant"]


Pixels: TypeAlias = NDArray[np.uint8 | np.float32]
"""Pixels of an image in a message: (height, width, bands)."""


class Picture(Protocol):
    """An image inside a message, at the size that the model consumes; it may be read when it is needed."""

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        ...

    @property
    def gsd_m(self) -> float | None:
        """Metres on the ground per pixel as it is shown; None where unknown."""
        ...

    def read(self) -> Pixels:
        """(height, width, bands) uint8 or float32; three uint8 bands are red, green and blue.

        Raises:
            DataError, SceneError, OSError: it cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class ImagePart:
    """A picture whose pixels are in memory.

    Attributes:
        pixels: (height, width, bands) uint8 or float32; three uint8 bands are red, green and blue.
        bands: names of the bands; () where they have none.
        gsd_m: metres on the ground per pixel; None where unknown.
    """

    pixels: Pixels
    bands: tuple[str, ...] = ()
    gsd_m: float | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"image is {self.pixels.dtype} {self.pixels.shape}; "
                "a message takes (height, width, bands) of uint8 or float32"
            )
        if self.bands and self.pixels.shape[2] != len(self.bands):
            raise ValueError(
                f"image has {self.pixels.shape[2]} bands and {len(self.bands)} names; name each band or none"
            )

    @classmethod
    def of(cls, picture: Picture) -> ImagePart:
        """A picture read into memory.

        Raises:
            DataError, SceneError, OSError: it cannot be read.
        """
        return picture if isinstance(picture, cls) else cls(picture.read(), gsd_m=picture.gsd_m)

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return Size(*self.pixels.shape[:2])

    @property
    def is_rgb(self) -> bool:
        """Whether the pixels are uint8 red, green and blue, which is all that image files can hold."""
        return self.pixels.dtype == np.uint8 and self.pixels.shape[2] == 3

    def read(self) -> Pixels:
        """The pixels."""
        return self.pixels

    @cached_property
    def digest(self) -> str:
        """A stable identity of the pixels and their scale, for caches and journals."""
        shape = np.asarray(self.pixels.shape, dtype=np.int64).tobytes()
        scale = b"" if self.gsd_m is None else np.float64(self.gsd_m).tobytes()
        return hashlib.sha256(shape + np.ascontiguousarray(self.pixels).tobytes() + scale).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImagePart) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, eq=False)
class PngPart:
    """A picture that is kept as a PNG file, as servers take it, in a fraction of the memory of its pixels.

    Attributes:
        png: the file, without loss.
        size: height and width in pixels.
        digest: identity of the pixels and their scale, that of the ``ImagePart`` of them.
        gsd_m: metres on the ground per pixel; None where unknown.
    """

    png: bytes
    size: Size
    digest: str
    gsd_m: float | None = None

    @classmethod
    def of(cls, image: ImagePart) -> PngPart:
        """An image of uint8 red, green and blue."""
        return cls(png_of(image.pixels), image.size, image.digest, image.gsd_m)

    def read(self) -> Pixels:
        """The pixels."""
        return np.asarray(Image.open(io.BytesIO(self.png)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PngPart) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def png_of(pixels: Pixels) -> bytes:
    """A PNG file of (height, width, 3) uint8 pixels, quickly made rather than small."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def digest_of(picture: Picture) -> str:
    """The identity of the pixels of a picture."""
    return picture.digest if isinstance(picture, PngPart) else ImagePart.of(picture).digest


Part = str | Picture


@dataclass(frozen=True)
class Message:
    """One turn: text and pictures in reading order."""

    role: Role
    content: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts joined."""
        return "".join(part for part in self.content if isinstance(part, str))

    @property
    def images(self) -> tuple[Picture, ...]:
        """The pictures in order."""
        return tuple(part for part in self.content if not isinstance(part, str))


@dataclass(frozen=True)
class Conversation:
    """Turns so far; immutable, so that an engine may key its cache by a prefix of it.

    The one conversation of the project: what is asked of a model, and what one is trained on.
    """

    messages: tuple[Message, ...] = ()

    @property
    def images(self) -> tuple[Picture, ...]:
        """The pictures of all messages in order."""
        return tuple(image for message in self.messages for image in message.images)

    def say(self, role: Role, *content: Part) -> Conversation:
        """This conversation with one more turn."""
        return Conversation((*self.messages, Message(role, content)))

    def turns_of(self, role: Role) -> tuple[int, ...]:
        """The places of the turns of a role."""
        return tuple(place for place, message in enumerate(self.messages) if message.role == role)

    def leads_to(self, other: Conversation) -> bool:
        """Whether another one goes on from this one: it has the same turns, and maybe more."""
        mine, theirs = self.messages, other.messages
        return len(mine) <= len(theirs) and all(map(operator.is_, mine, theirs))


@dataclass(frozen=True)
class Sampling:
    """Sampling: choice of the next token. Penalties come first, then temperature, ``top_k`` and ``top_p``.

    Attributes:
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: the smallest set of likeliest tokens whose probabilities reach this sum; 1 keeps all.
        top_k: number of likeliest tokens; 0 keeps all.
        presence_penalty: subtracted from the logits of tokens that this reply holds already.
        repetition_penalty: divides positive and multiplies negative logits of tokens that the prompt or
            this reply holds; 1 changes nothing.

    Raises:
        ValueError: naming all values out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            f"temperature {self.temperature} is not between 0 and 10": 0 <= self.temperature <= 10,
            f"top_p {self.top_p} is not above 0 and at most 1": 0 < self.top_p <= 1,
            f"top_k {self.top_k} is negative": self.top_k >= 0,
            f"presence_penalty {self.presence_penalty} is not between -2 and 2": (
                -2 <= self.presence_penalty <= 2
            ),
            f"repetition_penalty {self.repetition_penalty} is not above 0": self.repetition_penalty > 0,
        }
        require(checks)


GREEDY = Sampling()
"""The likeliest token each time, with no penalty."""


@dataclass(frozen=True)
class Generation:
    """Options for generating replies.

    Attributes:
        max_new_tokens: hard limit of one reply; 0 has an engine that keeps keys and values compute those of
            the prompt but for its last token, which what follows is computed from.
        sampling: how tokens are chosen; None leaves it to the checkpoint's own ``generation_config.json``,
            as servers do for requests that state nothing.
        seed: random seed of sampling; request i of a batch uses seed + i.
        logprobs: whether replies carry the log-probability of each generated token, before penalties.
        stop: strings that end a reply and are no part of it; at most four, as servers take them.
        choices: answers whose log-probabilities replies carry, for models that state them (``scores``).
        pattern: regular expression that whole replies match, for models that can be held to one (vLLM);
            None lets them say what they like.
    """

    max_new_tokens: int = 512
    sampling: Sampling | None = GREEDY
    seed: int = 0
    logprobs: bool = False
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    pattern: str | None = None


StopReason = Literal["stop", "length", "error", "filtered", "refused", "aborted"]


@dataclass(frozen=True)
class Reply:
    """Reply of a model to one conversation.

    Attributes:
        text: the generated text without end-of-turn markers.
        stop_reason: ``stop`` at the end of turn, ``length`` when cut by ``max_new_tokens``,
            ``error`` when this request failed (``error`` says how) while others of the batch went on. A
            server's content filter (``filtered``), a refusal of the model in words of the format itself
            (``refused``), and a reply broken off (``aborted``) are failures too.
        prompt_tokens: tokens of the whole prompt, visual tokens included.
        completion_tokens: generated tokens.
        prefilled_tokens: prompt tokens that were really computed for this turn; below
            ``prompt_tokens`` where a kept key-value cache served the rest. None where unknown.
        logprobs: (completion_tokens,) float64, or None.
        error: one line, or None.
        choices: (choices,) float64 log-probability of each of ``Generation.choices`` as the beginning of the
            reply, before sampling rules; None where none were asked for. -inf where a model that states the
            likeliest tokens alone does not state it.
    """

    text: str
    stop_reason: StopReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prefilled_tokens: int | None = None
    logprobs: NDArray[np.float64] | None = None
    error: str | None = None
    choices: NDArray[np.float64] | None = None


class ChatModel(Protocol):
    """A batch of conversations in, a batch of replies out, in the same order.

    A model that takes requests one by one, from several threads at once, has an attribute ``in_flight``: how
    many. One that keeps keys and values between calls has ``kept_tokens``, of how many tokens, and may have
    ``release(conversations, shared)``, which gives back those of conversations that do not go on, see
    ``zoom_chain.keeping.release``. One that states probabilities has an attribute ``scores``, see
    ``zoom_chain.scores``.
    """

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """One reply for each conversation; a failed request is a reply with ``error``, not an exception."""
        ...
