"""Captions: VRSBench and XLRS-Bench, by BLEU, METEOR, ROUGE-L and CIDEr-D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rscovlm.bench.protocol import Protocol, Verdict
from rscovlm.bench.protocols.replies import judged
from rscovlm.bench.protocols.scored import Scored, mean
from rscovlm.bench.row import Row
from rscovlm.scoring.captions import bleu, caption_words, cider, rouge_l
from rscovlm.scoring.meteor import meteor
from zoom_chain.answers import spoken_text


@dataclass(frozen=True)
class Captions:
    """ROUGE-L of each caption, with BLEU, METEOR of 2005, CIDEr-D and the length over all of them.

    Attributes:
        keeps_thoughts: score the reply as a whole, with thoughts before the caption.
        refusals_are_empty: take a refusal for no caption.
    """

    keeps_thoughts: bool = False
    refusals_are_empty: bool = False

    def __call__(self, row: Row) -> Verdict:
        """Judge a reply."""
        said = judged(False, self._words(row))
        text = self._caption(row, said)
        return Verdict(rouge_l(text, row.item.truth.answers), text[:80], said.status, said.counts)

    def more(self, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Mapping[str, float]:
        """Metrics of a set, of those captions that have a score."""
        pairs = [(row, said) for row, said in zip(rows, verdicts) if said.score is not None]
        captions = [self._caption(row, said) for row, said in pairs]
        references = [row.item.truth.answers for row, _ in pairs]
        grams = {f"bleu_{n}": score for n, score in enumerate(bleu(captions, references), start=1)}
        lengths = (float(len(caption_words(caption))) for caption in captions)
        return {
            **grams,
            "meteor_2005": mean(map(meteor, captions, references)),
            "cider": cider(captions, references),
            "words": mean(lengths),
        }

    def _caption(self, row: Row, said: Verdict) -> str:
        if row.error is not None or (self.refusals_are_empty and said.status == "refused"):
            return ""
        return self._words(row)

    def _words(self, row: Row) -> str:
        return row.text if self.keeps_thoughts else spoken_text(row.text)


def caption_protocols(name: str, by: str = "dataset") -> tuple[Protocol, ...]:
    """Official, rscovlm, strict: they differ in thoughts, refusals and failures, not in the metrics."""

    def scored(protocol: str, rule: Captions) -> Scored:
        strict = rule.refusals_are_empty
        id_ = f"{name}/{protocol}/1"
        return Scored(id_, rule, by, "cider", {}, strict, more=rule.more, in_groups=rule.more)

    return (
        scored("official", Captions(keeps_thoughts=True)),
        scored("rscovlm", Captions()),
        scored("strict", Captions(refusals_are_empty=True)),
    )


CAPTIONS: Mapping[str, tuple[Protocol, ...]] = {"vrsbench-caption": caption_protocols("vrsbench-caption")}
"""Protocols by benchmark: official, rscovlm, strict."""
