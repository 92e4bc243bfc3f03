"""Items of a benchmark made ready to be asked: their images opened, their first views read, their words set.

One item that cannot be asked says why; the others of its batch go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from detection_eval.closing import Closing
from detection_eval.errors import DetectionError
from rscovlm.bench.item import Item
from rscovlm.bench.runs.asking import Asking
from rscovlm.bench.runs.detecting import plan_image
from rscovlm.bench.runs.looking import first_view, gray
from rscovlm.bench.runs.numbers import plot_prompt
from rscovlm.data.agbd import Footprint
from rscovlm.data.plot_prompts import is_plot, plot_named
from rscovlm.errors import DataError, UsageError
from rscovlm.tasks.detection_run import DetectionRun
from tiling.errors import SceneError
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, ImagePart
from zoom_chain.looks import image_of

READERS = 4
"""Images that are opened and read at once."""

NOWHERE = View(Window(0, 0, 1, 1), Size(1, 1))
"""The view of an item without an image."""


@dataclass(frozen=True)
class Prepared:
    """An item that is ready to be asked.

    Attributes:
        item: the item.
        conversation: the request; None where closer looks make one, or tiles several.
        view: of the image that it is about.
        views: those that the request shows.
        tokens: visual tokens of the request.
        scene: the image, for closer looks and tiles.
        error: why it cannot be asked.
        run: how objects are looked for in the image.
    """

    item: Item
    conversation: Conversation | None = None
    view: View = NOWHERE
    views: tuple[View, ...] = ()
    tokens: int = 0
    scene: Scene | None = None
    error: str | None = None
    run: DetectionRun | None = None

    @property
    def in_tiles(self) -> bool:
        """Whether it is examined tile by tile rather than in one look."""
        return self.run is not None and self.conversation is None

    @property
    def zooms(self) -> bool:
        """Whether the model may look closer."""
        return self.conversation is None and self.run is None


class PreparedBatch(Closing):
    """Questions that are asked together, and the scenes that they are about."""

    def __init__(self, asking: Asking, items: Sequence[Item]) -> None:
        self._files = ExitStack()
        self._asking = asking
        sources = dict.fromkeys(source for item in items for source in self._images(item))
        with ThreadPoolExecutor(max_workers=READERS) as readers:
            opened = list(readers.map(_opened, sources))
            self._scenes = dict(zip(sources, opened, strict=True))
            for scene in opened:
                if isinstance(scene, Scene):
                    self._files.callback(scene.close)
            self.questions = list(readers.map(self._question, items))

    def close(self) -> None:
        """Close the scenes."""
        self._files.close()

    def _images(self, item: Item) -> tuple[str, ...]:
        return self._asking.images.get(item.key, item.images)

    def _question(self, item: Item) -> Prepared:
        scenes = [self._scenes[source] for source in self._images(item)]
        for scene in scenes:
            if isinstance(scene, SceneError):
                return Prepared(item, error=str(scene))
        try:
            if scenes and isinstance(scenes[0], Footprint):
                return _plot(item, scenes[0], self._asking)
            return _looked_at(item, [scene for scene in scenes if isinstance(scene, Scene)], self._asking)
        except (SceneError, UsageError) as error:
            return Prepared(item, error=str(error))


def _opened(source: str) -> Scene | Footprint | SceneError:
    try:
        return plot_named(source) if is_plot(source) else Scene(source)
    except SceneError as error:
        return error
    except DataError as error:
        return SceneError(str(error))


def _plot(item: Item, plot: Footprint, asking: Asking) -> Prepared:
    """An item about a plot, shown as the model has learnt to see plots."""
    assert asking.inputs is not None, "plots need inputs"
    system, user = asking.profile.prompt(item)
    conversation, view, tokens = plot_prompt(item, plot, asking, system, user)
    return Prepared(item, conversation, view, (view,), tokens)


def _looked_at(item: Item, scenes: Sequence[Scene], asking: Asking) -> Prepared:
    """An item with its first views read, but for one whose chain or tiles are read later.

    Raises:
        SceneError: where an image cannot be read.
        UsageError: for classes that the model does not know.
    """
    if asking.in_tiles(item) and scenes:
        return _examined(item, scenes[0], asking)
    views = tuple(first_view(scene, item, asking.mode, asking.resolution) for scene in scenes)
    place = views[0] if views else NOWHERE
    if asking.blind in ("none", "shuffle") and asking.zooms(item):
        return Prepared(item, view=place, scene=scenes[0])
    try:
        system, user = asking.profile.prompt(item)
    except (ValueError, DetectionError) as error:  # no classes to choose from, no word for "everything"
        return Prepared(item, error=str(error))
    if asking.blind == "text":
        return Prepared(item, _said(system, user), place)
    if asking.blind == "gray":
        pictures = [ImagePart(gray(view)) for view in views]
    else:
        pictures = [image_of(scene, view) for scene, view in zip(scenes, views)]
    tokens = sum(asking.resolution.tokens(view.size) for view in views)
    first = scenes[0] if scenes else None
    return Prepared(item, _said(system, user, *pictures), place, views[:1], tokens, first)


def _said(system: str | None, user: str, *pictures: ImagePart) -> Conversation:
    start = Conversation() if system is None else Conversation().say("system", system)
    return start.say("user", *pictures, user)


def _examined(item: Item, scene: Scene, asking: Asking) -> Prepared:
    """An image in which objects are to be found; read here where one tile holds it."""
    run = plan_image(scene, item, asking)
    if len(run.looks) > 1:
        return Prepared(item, scene=scene, run=run)
    (look,) = run.looks
    plan = run.plans[look.plan]
    conversation = _said(*run.task_of(plan).prompt(), ImagePart(scene.read(look.view).pixels))
    return Prepared(item, conversation, look.view, (look.view,), plan.visual_tokens, scene, run=run)
