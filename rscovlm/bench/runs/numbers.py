"""Numbers in benchmarks: plots as pictures, heads that answer in place of words, and chains of questions.

A question of a chain may hold the answers to earlier ones: the right ones (``oracle``, put in by the suite),
or those that the model gave in this very run (``predicted``, put in here).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rscovlm.bench.item import Item
from rscovlm.bench.row import Row
from rscovlm.data.plot_prompts import pixels_of
from rscovlm.scoring.predictions import LEVELS
from rscovlm.synth.forest import SIDE
from rscovlm.tasks.task import filled
from tiling.view import Size, View, Window
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Conversation, ImagePart
from zoom_chain.trace import JsonView

if TYPE_CHECKING:
    from rscovlm.bench.runs.asking import Asking
    from rscovlm.data.agbd import Footprint
    from rscovlm.engines import Engine

_MOST_SAID = 80  # characters of an earlier answer that a question holds
_UNKNOWN = "unknown"


def is_chained(item: Item) -> bool:
    """Whether a question holds answers that the model has yet to give."""
    return bool(item.extra.get("after"))


def in_waves(items: Sequence[Item]) -> list[list[Item]]:
    """A batch in parts, none of which holds a question together with one whose answer it holds."""
    waves: list[list[Item]] = [[]]
    for item in items:
        if {each.key for each in waves[-1]} & set(item.extra.get("after", {}).values()):
            waves.append([])
        waves[-1].append(item)
    return waves


def filled_in(items: Iterable[Item], said: Mapping[str, str]) -> list[Item]:
    """Items whose questions hold the model's own earlier answers.

    Args:
        items: ``extra["after"]`` has the key of the item that answers each ``{place}`` of its question.
        said: replies by key.
    """
    return [
        replace(item, subject=filled(item.subject, **_answers(item.extra["after"], said)))
        if is_chained(item)
        else item
        for item in items
    ]


def _answers(after: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    lines = {place: spoken_text(said.get(key, "")).strip().splitlines()[:1] for place, key in after.items()}
    return {place: (line[0][:_MOST_SAID] if line else _UNKNOWN) for place, line in lines.items()}


def plot_prompt(
    item: Item, plot: Footprint, asking: Asking, system: str | None, user: str
) -> tuple[Conversation, View, int]:
    """The request about a plot, the view that it is, and its visual tokens.

    A number that a head gives is asked for in the words that the head learnt, unless the question holds more.
    """
    inputs = asking.inputs
    assert inputs is not None
    if item.extra.get("plain") and asking.head_for(item) is not None:
        system, user = None, inputs.prompt
    images = [] if asking.blind == "text" else inputs.images(pixels_of(plot, inputs.bands), inputs.bands)
    if asking.blind == "gray":
        images = [ImagePart(_grey(image)) for image in images]
    start = Conversation() if system is None else Conversation().say("system", system)
    size = Size(inputs.side, inputs.side)
    tokens = len(images) * asking.resolution.tokens(size)
    return start.say("user", *images, user), View(Window(0, 0, SIDE, SIDE), size), tokens


def _grey(image: ImagePart) -> Any:
    pixels = image.read().copy()
    pixels[...] = 128
    return pixels


def estimated(
    engine: Engine, head: str, shown: Sequence[tuple[Item, Conversation | None, JsonView, int]]
) -> list[Row]:
    """Rows of items that a head answers, in order; those of the same words go through the model together.

    Args:
        engine: with heads.
        head: name of it.
        shown: item, request, view and visual tokens of each.
    """
    alike: dict[tuple[str, int], list[int]] = {}
    for place, (_, conversation, _, _) in enumerate(shown):
        assert conversation is not None
        words = "".join(each.text for each in conversation.messages)
        alike.setdefault((words, len(conversation.images)), []).append(place)
    rows: dict[int, Row] = {}
    for places in alike.values():
        asked = [shown[place][1] for place in places]
        (found,) = engine.estimate(asked, [head])  # type: ignore[attr-defined]
        means = found.mean.double().cpu().tolist()
        deviations = found.variance.clamp(min=0).sqrt().double().cpu().tolist()
        levels = [found.quantile(level).double().cpu().tolist() for level in LEVELS]
        for index, place in enumerate(places):
            item, conversation, view, tokens = shown[place]
            numbers: dict[str, Any] = {"target": head, "mean": means[index]}
            if deviations[index] > 0:
                quantiles = [level[index] for level in levels]
                numbers |= {"deviation": deviations[index], "quantiles": quantiles}
            assert conversation is not None
            user = conversation.messages[-1].text
            text = f"{means[index]:.4g} {item.extra.get('unit', '')}".strip()
            rows[place] = Row(
                item,
                text,
                view,
                "head",
                user=user,
                visual_tokens=tokens,
                reply_tokens=0,
                views=(view,),
                numbers=numbers,
            )
    return [rows[place] for place in range(len(shown))]
