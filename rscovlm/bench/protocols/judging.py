"""Judging: a model decides what the rule of VRSBench leaves open, optional and never the default.

VRSBench's authors ask a model of a company whether a reply means the same as the right answer. Any
``ChatModel`` may take its place; its prompt and verdict on each reply are kept, and its scores stand under an
identifier of their own, ``vrsbench-vqa/judged/1``, beside the judge's name: they are scores of the two models
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rscovlm.bench.protocols.questions import VRSBENCH_TYPES, VRSBenchRule
from rscovlm.bench.protocols.scored import Scored
from rscovlm.bench.row import Row
from rscovlm.errors import JournalError
from rscovlm.scoring.answers import normalised_answer, yes_or_no
from zoom_chain.answers import spoken_text
from zoom_chain.chat import ChatModel, Conversation, Generation

BENCHMARK = "vrsbench-vqa"
"""The one whose authors use a judge for their headline."""

WORDS = (
    "A question about an aerial image, its right answer and a reply are given.\n"
    "Question: {question}\nRight answer: {answer}\nReply: {reply}\n"
    "Does the reply mean the same as the right answer? Synonyms mean the same. Answer yes or no."
)
TOGETHER = 64
"""Replies that are judged in one batch."""


@dataclass(frozen=True)
class Judgement:
    """What a judge said of one reply.

    Attributes:
        prompt: as it was asked.
        text: its reply, unmodified.
        right: its verdict; None where it said neither yes nor no.
    """

    prompt: str
    text: str
    right: bool | None

    @classmethod
    def from_json(cls, record: Any) -> Judgement:
        """The judgement that ``asdict`` gave.

        Raises:
            JournalError: for a record of something else.
        """
        try:
            return cls(record["prompt"], record["text"], record["right"])
        except (KeyError, TypeError):
            raise JournalError(f"not a judgement: {str(record)[:60]}") from None


def left_open(rows: Iterable[Row]) -> list[Row]:
    """The rows whose reply the rule of VRSBench leaves to a judge."""
    rule = Scored(f"{BENCHMARK}/official/1", VRSBenchRule())
    return [row for row in rows if rule.judge(row).counts.get("unjudged/hits", 0.0) > 0]


def prompt_of(row: Row) -> str:
    """The words in which a judge is asked about a row."""
    values = {
        "question": row.item.subject,
        "answer": ", ".join(row.item.truth.answers),
        "reply": spoken_text(row.text),
    }
    return WORDS.format(**values)


def read_verdict(text: str) -> bool | None:
    """Whether a judge says yes (or 1); None where it says neither yes nor no (or 0)."""
    said = spoken_text(text)
    first = {"1": "yes", "0": "no"}.get(normalised_answer(said), yes_or_no(said))
    return None if first is None else first == "yes"


def ask_judge(
    model: ChatModel, rows: Sequence[Row], options: Generation | None = None
) -> Iterator[dict[str, Judgement]]:
    """Judgements by key of the item, batch by batch; requests that failed are missing.

    Args:
        model: the judge.
        rows: whose replies to judge, as ``left_open`` gives them.
        options: how it generates; None decides greedily.
    """
    options = options or Generation(max_new_tokens=16)
    for start in range(0, len(rows), TOGETHER):
        batch = rows[start : start + TOGETHER]
        prompts = [prompt_of(row) for row in batch]
        replies = model.chat([Conversation().say("user", prompt) for prompt in prompts], options)
        yield {
            row.item.key: Judgement(prompt, reply.text, read_verdict(reply.text))
            for row, prompt, reply in zip(batch, prompts, replies, strict=True)
            if reply.error is None and reply.stop_reason != "error"
        }


def to_json(judgements: Mapping[str, Judgement]) -> dict[str, Any]:
    """Judgements as a journal holds them."""
    return {key: asdict(judgement) for key, judgement in judgements.items()}


def judged(judgements: Mapping[str, Judgement]) -> Scored:
    """VRSBench's protocol with a judge; what it did not decide is wrong and counted as ``unjudged``."""
    decided = {key: each.right for key, each in judgements.items() if each.right is not None}
    return Scored(f"{BENCHMARK}/judged/1", VRSBenchRule(decided), "type", "macro", {"type": VRSBENCH_TYPES})
