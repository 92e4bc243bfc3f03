"""What a run will cost, from the headers of its images: requests and visual tokens, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rscovlm.bench.item import Item
from rscovlm.bench.runs.asking import Asking
from rscovlm.bench.runs.detecting import plan_image
from rscovlm.bench.runs.looking import first_view
from rscovlm.bench.runs.preparing import READERS
from tiling.errors import SceneError
from tiling.scene import Scene


@dataclass(frozen=True)
class Estimate:
    """The cost of asking some items.

    Attributes:
        items: in all, and by kind of task.
        kinds: number of each kind of task.
        images: files that are looked at.
        unreadable: files that cannot be opened, with the first reason.
        requests: least and most number of requests.
        visual_tokens: least and most, of all prompts that are new to a model which keeps its cache.
        reply_tokens: most.
    """

    items: int
    kinds: dict[str, int]
    images: int
    unreadable: dict[str, str]
    requests: tuple[int, int]
    visual_tokens: tuple[int, int]
    reply_tokens: int

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


class _Looks(NamedTuple):
    """First looks at an image: how many, their visual tokens, and the most tokens of the replies."""

    requests: int
    visual_tokens: int
    reply_tokens: int


def estimate(asking: Asking, items: Sequence[Item]) -> Estimate:
    """The cost of asking some items as ``asking`` says; nothing but headers and masks is read."""
    by_image: dict[str, list[Item]] = {}
    for item in items:
        for source in asking.images.get(item.key, item.images):
            by_image.setdefault(source, []).append(item)
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        found = list(readers.map(lambda pair: _first_looks(asking, *pair), by_image.items()))
    unreadable = {source: each for source, each in zip(by_image, found) if isinstance(each, str)}
    first = [each for each in found if not isinstance(each, str)]
    least = 0 if asking.blind == "text" else sum(each.visual_tokens for each in first)
    budget, policy = asking.settings.budget, asking.settings.policy
    zooms = min(bound for bound in (budget.max_zooms, policy.max_zooms) if bound is not None)
    closer = sum(asking.zooms(item) for item in items)
    largest = asking.family.resolution.max_pixels // asking.family.resolution.factor**2
    more = zooms * largest
    if budget.max_visual_tokens is not None:
        more = min(more, budget.max_visual_tokens)
    turns = zooms + 1 + budget.max_refusals
    said = sum(
        asking.generation(item.kind).max_new_tokens * (turns if asking.zooms(item) else 1)
        for item in items
        if not asking.in_tiles(item)
    )
    asked = sum(not asking.in_tiles(item) for item in items) + sum(each.requests for each in first)
    return Estimate(
        len(items),
        dict(Counter(item.kind for item in items)),
        len(by_image),
        unreadable,
        (asked, asked + closer * (turns - 1)),
        (least, least + closer * more),
        said + sum(each.reply_tokens for each in first),
    )


def _first_looks(asking: Asking, source: str, items: Sequence[Item]) -> _Looks | str:
    """First looks at an image, of tiles alone with requests and replies; or why there are none."""
    tiled = [item for item in items if asking.in_tiles(item)]
    whole = [item for item in items if not asking.in_tiles(item)]
    try:
        with Scene(source) as scene:
            runs = [plan_image(scene, item, asking) for item in tiled]
            tokens = sum(plan.visual_tokens for run in runs for plan in run.plans)
            looks = sum(len(run.looks) for run in runs)
            if asking.mode != "oracle":
                view = scene.view(scene.window, asking.resolution)
                tokens += len(whole) * asking.resolution.tokens(view.size)
            else:
                views = (first_view(scene, item, asking.mode, asking.resolution) for item in whole)
                tokens += sum(asking.resolution.tokens(view.size) for view in views)
    except SceneError as error:
        return str(error)
    return _Looks(looks, tokens, looks * asking.generation("detect").max_new_tokens)
