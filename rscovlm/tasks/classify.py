"""Classify scenes as a whole, from their overviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rscovlm.models.families import CLASSIFY
from rscovlm.scoring.answers import named_class
from rscovlm.tasks.task import Counts, Prompt, hit, rates
from tiling.errors import SceneError
from tiling.view import Size
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Conversation, Generation
from zoom_chain.keeping import chat_once
from zoom_chain.looks import image_of, scene_gsd

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from tiling.scene import Scene

TOGETHER = 16
"""Scenes of one batch, which are read in threads."""


@dataclass(frozen=True)
class Classification:
    """Which one of some classes does a scene show?

    Attributes:
        classes: to choose from, offered in this order.
        words: that ask, with ``{classes}`` in them.
        joiner: between the classes.

    Raises:
        ValueError: for an empty list of classes.
    """

    classes: tuple[str, ...]
    words: str = CLASSIFY
    joiner: str = ", "

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("there are no classes to choose from; give at least one")

    def prompt(self, subject: str = "") -> Prompt:
        """Ask for the class by name."""
        return Prompt(None, self.words.replace("{classes}", self.joiner.join(self.classes)))

    def parse(self, text: str, size: Size | None = None) -> str | None:
        """The class that the reply names; None where it names none of them, or several."""
        return named_class(spoken_text(text), self.classes)

    def score(self, parsed: str | None, truth: str | None) -> Counts:
        """``accuracy``; ``truth`` is written as in the list of classes."""
        return hit("accuracy", parsed is not None and parsed == truth)

    def aggregate(self, counts: Counts) -> dict[str, float]:
        """``accuracy`` in [0, 1]."""
        return rates(counts, "accuracy")


@dataclass(frozen=True)
class SceneClass:
    """The class that a model gave a scene.

    Attributes:
        source: the scene's.
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
) -> list[SceneClass]:
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
    family = engine.family
    task = Classification(tuple(classes), family.classification_prompt, family.class_joiner)
    options = options or Generation(max_new_tokens=32)
    done: list[SceneClass] = []
    with ThreadPoolExecutor(max_workers=4) as readers:
        for start in range(0, len(scenes), TOGETHER):
            batch = scenes[start : start + TOGETHER]
            questions = list(readers.map(lambda scene: _question(scene, engine, task), batch))
            asked = [question for question in questions if isinstance(question, Conversation)]
            replies = iter(chat_once(engine, asked, options))
            for scene, question in zip(batch, questions):
                if isinstance(question, SceneError):
                    done.append(SceneClass(scene.source, None, "", str(question)))
                    continue
                reply = next(replies)
                label = None if reply.error else task.parse(reply.text)
                done.append(SceneClass(scene.source, label, reply.text, reply.error))
            if progress:
                progress(len(done), len(scenes))
    return done


def _question(scene: Scene, engine: Engine, task: Classification) -> Conversation | SceneError:
    try:
        resolution = engine.family.resolution
        image = image_of(scene, scene.overview(resolution), scene_gsd(scene, engine, resolution))
    except SceneError as error:
        return error
    return Conversation().say("user", image, task.prompt().user)
