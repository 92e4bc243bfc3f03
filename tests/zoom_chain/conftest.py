"""A scene whose pixels tell where they are, and a model that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.places import from_origin, unplaced
from tiling.resolution import Resolution
from tiling.scene import Scene
from zoom_chain.chat import Conversation, Generation, Reply

WIDTH, HEIGHT = 2048, 1024


class ScriptedModel:
    """Replies in the order scripted, one script per question; keeps what it was shown.

    A script is a list of texts or replies for each conversation, found by a word in its question.
    """

    def __init__(self, **scripts: Sequence[str | Reply]) -> None:
        self.scripts = {word: list(script) for word, script in scripts.items()}
        self.batches: list[list[Conversation]] = []

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        self.batches.append(list(conversations))
        return [self._reply(conversation) for conversation in conversations]

    def _reply(self, conversation: Conversation) -> Reply:
        question = next(message for message in conversation.messages if message.role == "user").text
        word = next(word for word in self.scripts if word in question)
        reply = self.scripts[word].pop(0)
        return reply if isinstance(reply, Reply) else Reply(reply)


@pytest.fixture(scope="session")
def scripted() -> Callable[..., ScriptedModel]:
    return ScriptedModel


def place_coded(width: int, height: int) -> np.ndarray:
    """(3, height, width): red x / 8, green y / 4, blue a checkerboard of single pixels, 0 and 250.

    Averaging two or more pixels turns the blue to 125, so that 0 and 250 prove full resolution.
    """
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 256 // width, y * 256 // height, (x + y) % 2 * 250]).astype(np.uint8)


@pytest.fixture(scope="session")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2048 x 1024 px GeoTIFF in UTM zone 33 at 0.5 m."""
    path = tmp_path_factory.mktemp("scene") / "coded.tif"
    profile = {
        "driver": "GTiff",
        "width": WIDTH,
        "height": HEIGHT,
        "count": 3,
        "dtype": "uint8",
        "tiled": True,
    }
    place = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, 0.5, 0.5)}
    with unplaced(), rasterio.open(path, "w", **profile, **place) as dataset:
        dataset.write(place_coded(WIDTH, HEIGHT))
    return path


@pytest.fixture(scope="session")
def scene(scene_path: Path) -> Iterator[Scene]:
    with Scene(scene_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def small() -> Resolution:
    """Views of 4 to 32 tokens of 32 x 32 px: the 2048 x 1024 px scene is seen at 256 x 128 px."""
    return Resolution(factor=32, min_pixels=4 * 32 * 32, max_pixels=32 * 32 * 32)
