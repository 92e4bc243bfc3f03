"""The model that lmms-eval calls."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger

from detection_eval.files import write_text
from detection_eval.words import counted
from rscovlm.cli.opening import open_model
from rscovlm.errors import ModelError, UsageError
from rscovlm.lmms.answering import Outcome, Request, answer_all
from rscovlm.lmms.arguments import Arguments, TaskSettings
from rscovlm.lmms.pictures import field_sources, picture_sources
from rscovlm.models.checkpoints import Checkpoint
from rscovlm.progress import Progress
from zoom_chain.chat import Generation


class Rscovlm(lmms):  # type: ignore[misc]
    """A checkpoint with zoom, as a model of lmms-eval.

    Args:
        max_batch_size: bound on batches that a model sizes by itself, which this one does not.
        arguments: see ``Arguments``.

    Raises:
        UsageError, ModelError, ConfigError: with one clear line.
    """

    is_simple = True

    def __init__(self, max_batch_size: int | None = None, **arguments: Any) -> None:
        super().__init__()
        self.arguments = given = _arguments(arguments)
        self.recipe = given.options.recipe()
        checkpoint = given.options.checkpoint(self.recipe)
        self.settings = given.zoom_settings(self.recipe, checkpoint)
        self.engine = open_model(checkpoint, _device(given, checkpoint))
        self._said: set[str] = set()

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """Answers in words, in order; "" for a request that failed, which is told on the log.

        Raises:
            ModelError: where every request failed.
        """
        outcomes: list[Outcome] = []
        with Progress("answering", "question") as progress:
            for start in range(0, len(requests), self.arguments.together):
                batch = requests[start : start + self.arguments.together]
                outcomes += self._answer(batch)
                progress(len(outcomes), len(requests))
        self._sum_up(requests, outcomes)
        return [
            GenerationResult(outcome.text, TokenCounts(outcome.prompt_tokens, outcome.reply_tokens))
            for outcome in outcomes
        ]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: engines state probabilities of what a model wrote, not of a text that it is given.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "rscovlm answers in words and has no loglikelihood; "
            "choose a task whose output_type is generate_until"
        )

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: rounds belong to the zoom chain here, not to the task.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "rscovlm zooms by itself and takes no rounds from a task; "
            "choose a task whose output_type is generate_until"
        )

    def clean(self) -> None:
        """Let go of the weights."""
        self.engine.close()
        super().clean()

    @property
    def device(self) -> Any:
        """Where lmms-eval gathers counts of several processes: its accelerator's, or the CPU, over gloo."""
        accelerator = getattr(self, "accelerator", None)
        return "cpu" if accelerator is None else accelerator.device

    def _answer(self, batch: Sequence[Instance]) -> list[Outcome]:
        with tempfile.TemporaryDirectory(prefix="rscovlm-") as folder:
            read = [self._request(instance, Path(folder), number) for number, instance in enumerate(batch)]
            requests = [request for request, _ in read]
            outcomes = answer_all(requests, self.engine, self.settings, self.arguments.reading)
        for instance, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is not None:
                logger.error(f"rscovlm: {_name(instance)}: {outcome.error}")
            if outcome.trace is not None and self.arguments.traces is not None:
                place = Path(self.arguments.traces, f"{_name(instance)}.json")
                place.parent.mkdir(parents=True, exist_ok=True)
                write_text(place, outcome.trace.to_json() + "\n")
        return [replace(outcome, text=task.cut(outcome.text)) for outcome, (_, task) in zip(outcomes, read)]

    def _request(self, instance: Instance, folder: Path, number: int) -> tuple[Request, TaskSettings]:
        """A request with its files, and what the task says; the decoded document is not kept."""
        text, given, to_visual, doc_id, task, split = instance.args
        settings = TaskSettings.read(given)
        category, sources, error = None, [], None
        try:
            document = self.task_dict[task][split][doc_id]
            category = _category(document)
            sources = self._sources(document, to_visual, folder, str(number))
        except (UsageError, OSError, ValueError) as failure:
            error = (str(failure).strip() or type(failure).__name__).splitlines()[0]
        zoomable = self.recipe.zooms(text, category)
        zooms = zoomable and len(sources) == 1 and self.settings.policy.offers_tool
        options = settings.generation(self.recipe, zooms=zooms, seed=self.arguments.seed)
        self._tell_differences(settings, options)
        return Request(text, tuple(sources), options, zoomable, error), settings

    def _sources(self, document: Any, to_visual: Any, folder: Path, name: str) -> list[str]:
        root = self.arguments.image_root
        place = None if root is None else Path(root)
        if self.arguments.image_field is not None:
            return field_sources(document, self.arguments.image_field, place)
        return picture_sources(to_visual(document) if to_visual else None, folder, name)

    def _tell_differences(self, settings: TaskSettings, options: Generation) -> None:
        """Settings of the task that are not followed, once each."""
        asked, limit = settings.max_new_tokens, options.max_new_tokens
        notes = {
            f"the task asks for a beam search of {settings.beams}, which no engine here runs": settings.beams
            > 1,
            f"replies have up to {counted(limit, 'token')}; the task says {asked}": asked is not None
            and asked != limit,
            "sampling is the recipe's, not the task's": options.sampling != settings.sampling,
        }
        for note in (note for note, holds in notes.items() if holds and note not in self._said):
            self._said.add(note)
            logger.warning(f"rscovlm: {note}")

    def _sum_up(self, requests: Sequence[Instance], outcomes: Sequence[Outcome]) -> None:
        """How many requests ended how, and how many zooms that took.

        Raises:
            ModelError: where every request failed.
        """
        failed = [outcome.error for outcome in outcomes if outcome.error is not None]
        if failed and len(failed) == len(requests):
            raise ModelError(f"all {counted(len(failed), 'request')} failed; the first: {failed[0]}")
        ends = Counter(outcome.stop_reason.replace("_", " ") for outcome in outcomes)
        zooms = sum(
            len(outcome.trace.views) - 1 for outcome in outcomes if outcome.trace and outcome.trace.views
        )
        told = ", ".join(f"{count} {reason}" for reason, count in ends.most_common())
        level = "WARNING" if failed else "INFO"
        logger.log(level, f"rscovlm: {counted(len(outcomes), 'request')} ({told}), {counted(zooms, 'zoom')}")


def _arguments(given: Mapping[str, Any]) -> Arguments:
    """The arguments by name.

    Raises:
        UsageError: for unknown names or wrong values.
    """
    known = [field.name for field in fields(Arguments) if field.init]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no such model argument; choose from {', '.join(known)}")
    return Arguments(**given)


def _device(given: Arguments, checkpoint: Checkpoint) -> str | None:
    """The device as stated; of several processes of one run each takes a GPU of its own."""
    import torch

    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    if (
        given.device is not None
        or alone
        or checkpoint.runner != "transformers"
        or not torch.cuda.is_available()
    ):
        return given.device
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _category(document: Mapping[str, Any]) -> str | None:
    """The category that a document states, where it states one in words."""
    category = document.get("category")
    return category if isinstance(category, str) else None


def _name(instance: Instance) -> str:
    return f"{instance.task_name}/{instance.doc_id}"
