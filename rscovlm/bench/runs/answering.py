"""Answers to the items of a benchmark: they go to a model in batches, and come back as rows.

One item that fails (its image cannot be read, its request is refused) is a row with an error; the others go
on. Each kind of item is asked for by the same ``Task`` as elsewhere, looked at closer through ``tasks.ask``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rscovlm.bench.item import Item
from rscovlm.bench.prompts import task_of
from rscovlm.bench.row import Found, Row
from rscovlm.bench.runs.asking import Asking
from rscovlm.bench.runs.detecting import ask_in_tiles, boxes_in_look, boxes_of
from rscovlm.bench.runs.numbers import estimated, filled_in, in_waves, is_chained, why_failed
from rscovlm.bench.runs.preparing import NOWHERE, Prepared, PreparedBatch
from rscovlm.tasks.ask import ask_each
from rscovlm.tasks.asking import TileReply
from rscovlm.tasks.detect import found_in
from zoom_chain.chat import Generation, Reply

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.families import ModelFamily
    from zoom_chain.controller import Answer


def ask_items(
    engine: Engine,
    asking: Asking,
    batches: Sequence[Sequence[Item]],
    journals: Path | None = None,
    known: Mapping[str, Row] | None = None,
) -> Iterator[list[Row]]:
    """Rows of items as they are answered, batch by batch; the next batch is read while the model works.

    Those of a batch come together, in order, and then each image that is examined tile by tile.

    Args:
        engine: the model.
        asking: how items are put to it.
        batches: items that are asked together.
        journals: folder for the replies about tiles of images that are not finished; None keeps none.
        known: rows of earlier batches by key, whose answers later questions may hold.

    Raises:
        ModelError: what concerns every request.
    """
    with ThreadPoolExecutor(max_workers=1) as ahead:
        batches = [wave for items in batches for wave in in_waves(items)]
        said = {key: row.text for key, row in (known or {}).items()}
        coming: list[Future[PreparedBatch]] = []
        try:
            for number, items in enumerate(batches):
                batch = coming.pop().result() if coming else PreparedBatch(asking, filled_in(items, said))
                following = batches[number + 1] if number + 1 < len(batches) else ()
                if following and not any(map(is_chained, following)):
                    coming.append(ahead.submit(PreparedBatch, asking, following))
                with batch:
                    for rows in _answered(engine, asking, batch.questions, journals):
                        said |= {row.item.key: row.text for row in rows}
                        yield rows
        finally:
            for future in coming:
                future.result().close()


def _answered(
    engine: Engine, asking: Asking, questions: Sequence[Prepared], journals: Path | None
) -> Iterator[list[Row]]:
    """A row for each question: those that are asked together in order, then each image with tiles."""
    rows: dict[str, Row] = {}
    alike: dict[tuple[bool, Generation], list[Prepared]] = {}
    headed: dict[str, list[Prepared]] = {}
    for question in questions:
        if question.error is not None:
            rows[question.item.key] = Row(question.item, "", NOWHERE, "error", error=question.error)
        elif (head := asking.head_for(question.item)) is not None and question.conversation is not None:
            headed.setdefault(head, []).append(question)
        elif not question.in_tiles:
            place = (question.zooms, asking.generation(question.item.kind))
            alike.setdefault(place, []).append(question)
    for (zoomed, options), together in alike.items():
        ask = _zoomed if zoomed else _shown
        rows |= {row.item.key: row for row in ask(engine, asking, options, together)}
    for head, together in headed.items():
        rows |= {row.item.key: row for row in _headed(engine, asking, head, together)}
    if rows:
        yield [rows[question.item.key] for question in questions if question.item.key in rows]
    for question in questions:
        if question.in_tiles and question.scene is not None and question.run is not None:
            contract = question.run.task.contract.name
            yield [ask_in_tiles(engine, question.scene, question.item, question.run, contract, journals)]


def _headed(engine: Engine, asking: Asking, head: str, questions: Sequence[Prepared]) -> list[Row]:
    """Questions whose number a head of the model gives."""
    began = time.monotonic()
    shown = [
        (each.item, each.conversation, each.view, each.tokens)
        for each in questions
        if each.conversation is not None
    ]
    rows = estimated(engine, head, shown, asking.inputs)
    share = round((time.monotonic() - began) / len(questions), 4)
    return [replace(row, seconds=share) for row in rows]


def _shown(engine: Engine, asking: Asking, options: Generation, questions: Sequence[Prepared]) -> list[Row]:
    """Questions that are answered from what they show."""
    began = time.monotonic()
    conversations = [question.conversation for question in questions if question.conversation is not None]
    replies = engine.chat(conversations, options)
    share = (time.monotonic() - began) / len(questions)
    rows = []
    for question, reply in zip(questions, replies, strict=True):
        system, user = asking.profile.prompt(question.item)
        contract = asking.profile.contract_of(question.item.kind)
        error = why_failed(reply)
        rows.append(
            Row(
                question.item,
                reply.text,
                question.view,
                reply.stop_reason,
                error,
                system,
                user,
                reply.prompt_tokens,
                question.tokens,
                reply.completion_tokens,
                round(share, 4),
                "" if contract is None else contract.name,
                question.views,
                found=None if error else _found(question, asking, reply),
            )
        )
    return rows


def _found(question: Prepared, asking: Asking, reply: Reply) -> Found | None:
    """The boxes that a look at an image found; None of another kind of question, or without its image."""
    item, scene = question.item, question.scene
    if item.kind != "detect" or scene is None or asking.blind in ("text", "gray"):
        return None
    if question.run is None:
        task = task_of(item, asking.profile.contract_of("detect"))
        return boxes_in_look(scene, question.view, task.parse(reply.text, question.view.size))
    return boxes_of(found_in(scene, question.run, [TileReply.of(reply)]))


def _zoomed(engine: Engine, asking: Asking, options: Generation, questions: Sequence[Prepared]) -> list[Row]:
    """Questions about which the model may look closer."""
    began = time.monotonic()
    prompts = [asking.profile.prompt(question.item) for question in questions]
    answers = ask_each(
        [(question.scene, prompt.user) for question, prompt in zip(questions, prompts) if question.scene],
        engine,
        settings=asking.settings,
        options=options,
        thumbnails=False,
    )
    share = (time.monotonic() - began) / len(questions)
    return [
        _row_of_chain(question, answer, asking.family, share)
        for question, answer in zip(questions, answers, strict=True)
    ]


def _row_of_chain(question: Prepared, answer: Answer, family: ModelFamily, seconds: float) -> Row:
    trace, dialect = answer.trace, family.dialect
    offered = bool(trace.settings["tool_offered"])
    views = tuple(record.view for record in trace.views)
    return Row(
        question.item,
        _text_of(answer),
        views[-1] if views else question.view,
        answer.stop_reason,
        answer.failure,
        dialect.system_prompt if offered else None,
        trace.question + (dialect.user_suffix if offered else ""),
        sum(turn.prompt_tokens for turn in trace.turns),
        trace.visual_tokens,
        sum(turn.completion_tokens for turn in trace.turns),
        round(seconds, 4),
        views=views,
        trace=_without_pictures(json.loads(trace.to_json())),
    )


def _text_of(answer: Answer) -> str:
    """The last reply; of policies that choose among replies or sum them up, what they come to."""
    settings, turns = answer.trace.settings, answer.trace.turns
    if (settings.get("chosen") or settings["policy"]) in ("sweep", "tree"):
        return answer.text
    return turns[-1].reply if turns else ""


def _without_pictures(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace as JSON without thumbnails, ten times as large as all else: the images stay where they are."""
    return trace | {"views": [view | {"thumbnail": ""} for view in trace["views"]]}
