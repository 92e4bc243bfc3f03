"""Classify scenes as a whole, from their overviews."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rscovlm.prompts import classification_prompt
from tiling.errors import SceneError
from zoom_chain.chat import Conversation, Generation, ImagePart

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from tiling.scene import Scene

TOGETHER = 16
"""Scenes of one batch, which are read in threads."""


@dataclass(frozen=True)
class Classification:
    """What a model took a scene for.

    Attributes:
        source: of the scene.
        label: one of the classes as they were given; None where the reply names none of them, or several.
        text: the reply.
        error: one line where the scene could not be read or the model failed, else None.
    """

    source: str
    label: str | None
    text: str
    error: str | None = None


def classify_scenes(
    scenes: Sequence[Scene],
    engine: Engine,
    classes: Sequence[str],
    *,
    options: Generation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Classification]:
    """The class of each scene, in order, as the model sees its overview.

    Args:
        scenes: to classify.
        engine: the model.
        classes: to choose from, offered in this order.
        options: how replies are generated.
        progress: called with (scenes classified, scenes in all).

    Raises:
        ValueError: for an empty list of classes.
    """
    if not classes:
        raise ValueError("there are no classes to choose from; give at least one")
    options = options or Generation(max_new_tokens=32)
    done: list[Classification] = []
    with ThreadPoolExecutor(max_workers=4) as readers:
        for start in range(0, len(scenes), TOGETHER):
            batch = scenes[start : start + TOGETHER]
            questions = list(readers.map(lambda scene: _question(scene, engine, classes), batch))
            asked = [question for question in questions if isinstance(question, Conversation)]
            replies = iter(engine.chat(asked, options) if asked else [])
            for scene, question in zip(batch, questions):
                if isinstance(question, SceneError):
                    done.append(Classification(scene.source, None, "", str(question)))
                    continue
                reply = next(replies)
                label = None if reply.error else named_class(reply.text, classes)
                done.append(Classification(scene.source, label, reply.text, reply.error))
            if progress:
                progress(len(done), len(scenes))
    return done


def named_class(text: str, classes: Sequence[str]) -> str | None:
    """The one class that a reply names, as it stands in the list; None where it names none or several.

    Case and hyphens do not matter. Where one name is part of another ("vehicle", "small vehicle"), the longer
    one counts.
    """
    words = _spoken(text)
    for name in classes:
        if _spoken(name) == words.strip(" .\"'"):
            return name
    found = []
    for name in sorted(classes, key=len, reverse=True):
        words, times = re.subn(rf"(?<!\w){re.escape(_spoken(name))}(?!\w)", "|", words)
        if times:
            found.append(name)
    return found[0] if len(found) == 1 else None


def _spoken(text: str) -> str:
    return " ".join(re.sub(r"[-_]", " ", text).casefold().split())


def _question(scene: Scene, engine: Engine, classes: Sequence[str]) -> Conversation | SceneError:
    try:
        image = scene.read(scene.overview(engine.family.resolution))
    except SceneError as error:
        return error
    return Conversation().say("user", ImagePart(image.pixels), classification_prompt(classes))
