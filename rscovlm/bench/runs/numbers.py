"""Numbers in benchmarks: plots as pictures, heads that answer in place of words, and chains of questions.

A question of a chain may hold the answers to earlier ones: the right ones (``oracle``, put in by the suite),
or those that the model gave in this very run (``predicted``, put in here).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.bench.item import Item
from rscovlm.bench.row import Row
from rscovlm.data.plot_prompts import is_plot, pixels_of, plot_named, seasoned
from rscovlm.data.plot_regions import region_of
from rscovlm.scoring.predictions import LEVELS
from rscovlm.synth.forest import SIDE
from rscovlm.tasks.regress import replies_first
from rscovlm.tasks.task import filled
from tiling.view import Size, View, Window
from zoom_chain.answers import spoken_text
from zoom_chain.chat import Conversation, ImagePart, Reply
from zoom_chain.trace import JsonView

if TYPE_CHECKING:
    from rscovlm.bench.runs.asking import Asking
    from rscovlm.data.agbd import Footprint
    from rscovlm.engines import Engine
    from rscovlm.models.inputs import PatchInput

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


def plots_seen(items: Sequence[Item], used: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Tell what a model was fitted on among the plots that it is to be scored on, one line for each fit.

    Args:
        items: ``extra["tile"]`` is the tile of a plot; items without one are about something else.
        used: tiles by what was fitted on them, as ``rscovlm.models.inputs.tiles_used`` gives them.
    """
    tiles = [item.extra["tile"] for item in items if item.extra.get("tile")]
    told = []
    for fit, own in used.items():
        shared = sorted(set(tiles) & set(own))
        if shared:
            more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
            held = f"{sum(tile in own for tile in tiles):,} of {counted(len(tiles), 'item')}"
            told.append(f"{fit} has seen the tiles {', '.join(shared[:3])}{more}, which {held} are of")
    return tuple(told)


def plot_prompt(
    item: Item, plot: Footprint, asking: Asking, system: str | None, user: str
) -> tuple[Conversation, View, int]:
    """The request about a plot, the view that it is, and its visual tokens.

    A number that a head gives is asked for in the words that the head learnt, unless the question holds more;
    where it learnt to be told something first, that is the request (see ``estimated``).
    """
    inputs = asking.inputs
    assert inputs is not None
    if asking.head_for(item) is not None and item.extra.get("plain"):
        system, user = None, inputs.knowledge or seasoned(inputs, plot).prompt
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


Shown = tuple[Item, Conversation, JsonView, int]
"""An item, its request, the view that it is of, and its visual tokens."""


def estimated(engine: Engine, head: str, shown: Sequence[Shown], inputs: PatchInput | None) -> list[Row]:
    """Rows of items that a head answers, in order; those of the same words go through the model together.

    Args:
        engine: with heads.
        head: name of it.
        shown: what is asked.
        inputs: of the model, where plots are shown; where they have ``knowledge``, what the model says of it
            stands in the prompt of the number (two-pass), as in ``rscovlm regress``.
    """
    replies = {} if inputs is None or inputs.knowledge is None else _first_pass(engine, shown)
    rows: dict[str, Row] = {}
    alike: dict[tuple[str, int], list[Shown]] = {}
    for item, conversation, view, tokens in shown:
        reply = replies.get(item.key)
        if reply is not None and inputs is not None:
            if (error := why_failed(reply)) is not None:
                rows[item.key] = Row(
                    item, reply.text, view, "error", error, user=conversation.messages[-1].text
                )
                continue
            own = seasoned(inputs, plot_named(item.images[0])) if inputs.seasonal else inputs
            conversation = own.after_knowledge(conversation, reply.text.strip())
        words = "".join(each.text for each in conversation.messages)
        alike.setdefault((words, len(conversation.images)), []).append((item, conversation, view, tokens))
    for together in alike.values():
        for row in _read(engine, head, together, inputs):
            rows[row.item.key] = _with_knowledge(row, replies.get(row.item.key))
    return [rows[item.key] for item, *_ in shown]


def _first_pass(engine: Engine, shown: Sequence[Shown]) -> dict[str, Reply]:
    """Replies to what is asked before the number, by key; questions that hold more are asked as they are."""
    first = [(item.key, conversation) for item, conversation, _, _ in shown if item.extra.get("plain")]
    replies = replies_first(engine, [conversation for _, conversation in first]) if first else []
    return {key: reply for (key, _), reply in zip(first, replies, strict=True)}


def _with_knowledge(row: Row, reply: Reply | None) -> Row:
    """A row that says what the model has said before its number, and at which cost."""
    if reply is None:
        return row
    numbers = {**(row.numbers or {}), "knowledge": reply.text.strip()}
    return replace(row, numbers=numbers, reply_tokens=reply.completion_tokens)


def _region(item: Item, inputs: PatchInput | None) -> str | None:
    """The region of a plot, for a model that learnt targets by region; None of one that it does not know."""
    if inputs is None or inputs.regions is None or not item.images:
        return None
    found = region_of(inputs.regions.by, plot_named(item.images[0])) if is_plot(item.images[0]) else None
    return found if found in inputs.regions.names else None


def _read(engine: Engine, head: str, together: Sequence[Shown], inputs: PatchInput | None) -> Iterator[Row]:
    """Rows of items whose requests are of the same words."""
    asked = [conversation for _, conversation, _, _ in together]
    regions = [_region(item, inputs) for item, *_ in together]
    known = None if inputs is None else inputs.numbers(regions)
    (found,) = engine.estimate(asked, [head], known)  # type: ignore[attr-defined]
    means = found.mean.double().cpu().tolist()
    deviations = found.variance.clamp(min=0).sqrt().double().cpu().tolist()
    levels = [found.quantile(level).double().cpu().tolist() for level in LEVELS]
    for index, (item, conversation, view, tokens) in enumerate(together):
        numbers: dict[str, Any] = {"target": head, "mean": means[index]}
        if known is not None:
            numbers["region"] = regions[index]
        if deviations[index] > 0:
            quantiles = [level[index] for level in levels]
            numbers |= {"deviation": deviations[index], "quantiles": quantiles}
        yield Row(
            item,
            f"{means[index]:.4g} {item.extra.get('unit', '')}".strip(),
            view,
            "head",
            user=conversation.messages[-1].text,
            visual_tokens=tokens,
            reply_tokens=0,
            views=(view,),
            numbers=numbers,
        )


def why_failed(reply: Reply) -> str | None:
    """What went wrong with a reply; None for nothing."""
    if reply.error is None and reply.stop_reason == "error":
        return "the model failed without saying why"
    return reply.error
