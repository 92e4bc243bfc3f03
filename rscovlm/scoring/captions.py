"""Scores of captions against references: BLEU, ROUGE-L and CIDEr-D, in plain Python.

The definitions are those of the papers, with the constants that COCO's caption evaluation made customary, so
that values compare with published ones up to the tokeniser. Ours takes runs of letters, digits and inner
apostrophes or hyphens in lower case and drops punctuation; COCO's is the Penn Treebank tokeniser of
Stanford's CoreNLP, which needs Java. METEOR is in ``rscovlm.scoring.meteor``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Grams = Counter[tuple[str, ...]]

LONGEST = 4
"""Longest n-gram of BLEU and CIDEr."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def caption_words(text: str) -> list[str]:
    """Words of a caption in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def grams(words: Sequence[str], n: int) -> Grams:
    """How often each run of n words occurs."""
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def bleu(captions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of a whole set, without smoothing (Papineni et al. 2002, section 2).

    n-grams are clipped by their highest count in any one reference; the brevity penalty takes the reference
    whose length is closest, the shorter of two.

    Args:
        captions: one for each image.
        references: some for each image.

    Returns:
        Each in [0, 1]; NaN for an empty set.

    Raises:
        ValueError: not one group of references for each caption.
    """
    hits, of = [0] * LONGEST, [0] * LONGEST
    said = wanted = 0
    for caption, texts in zip(captions, references, strict=True):
        words, others = caption_words(caption), [caption_words(text) for text in texts]
        said += len(words)
        wanted += min((abs(len(other) - len(words)), len(other)) for other in others)[1] if others else 0
        for n in range(1, LONGEST + 1):
            most: Grams = Counter()
            for other in others:
                most |= grams(other, n)
            own = grams(words, n)
            hits[n - 1] += (own & most).total()
            of[n - 1] += own.total()
    if not captions:
        return (math.nan,) * LONGEST
    brevity = 1.0 if said > wanted else math.exp(1 - wanted / said) if said else 0.0
    scores = []
    for n in range(1, LONGEST + 1):
        shares = [hit / all_ if all_ else 0.0 for hit, all_ in zip(hits[:n], of[:n])]
        mean = math.exp(sum(map(math.log, shares)) / n) if min(shares) > 0 else 0.0
        scores.append(brevity * mean)
    return tuple(scores)


def rouge_l(caption: str, references: Sequence[str], beta: float = 1.2) -> float:
    """ROUGE-L of one caption (Lin 2004, section 3): F of the longest common subsequence.

    Precision and recall are the highest over the references, each by itself, as COCO's evaluation has it.
    """
    words = caption_words(caption)
    others = [caption_words(text) for text in references]
    common = [(_common_length(words, other), len(other)) for other in others]
    precision = max((length / len(words) for length, _ in common if words), default=0.0)
    recall = max((length / size for length, size in common if size), default=0.0)
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for at, other in enumerate(second, start=1):
            diagonal, row[at] = row[at], diagonal + 1 if word == other else max(row[at], row[at - 1])
    return row[-1]


@dataclass(frozen=True)
class Cider:
    """CIDEr-D over a set of images (Vedantam et al. 2015, equations 1-5).

    The weight of an n-gram is its frequency times log(images / images whose references hold it).

    Attributes:
        images: in the set.
        holding: for each n-gram the images of whose references any holds it.
        sigma: of the penalty on differences of length, in words.
    """

    images: int
    holding: Grams
    sigma: float = 6.0

    @classmethod
    def of(cls, references: Sequence[Sequence[str]]) -> Cider:
        """Weights from the references of all images."""
        holding: Grams = Counter()
        for texts in references:
            found = {gram for text in texts for n in range(1, 5) for gram in grams(caption_words(text), n)}
            holding.update(found)
        return cls(len(references), holding)

    def score(self, caption: str, references: Sequence[str]) -> float:
        """Ten times the mean over n of the mean similarity to the references, as published values are."""
        words = caption_words(caption)
        others = [caption_words(text) for text in references]
        if not others:
            return 0.0
        each = [
            self._similarity(words, other, n)
            * math.exp(-((len(words) - len(other)) ** 2) / (2 * self.sigma**2))
            for other in others
            for n in range(1, LONGEST + 1)
        ]
        return 10 * sum(each) / len(each)

    def _similarity(self, words: Sequence[str], other: Sequence[str], n: int) -> float:
        """Cosine of the weighted n-grams, those of the caption clipped to the reference's."""
        own, its = self._weighted(words, n), self._weighted(other, n)
        length = math.hypot(*own.values()) * math.hypot(*its.values())
        if length == 0:
            return 0.0
        return sum(min(weight, its[gram]) * its[gram] for gram, weight in own.items() if gram in its) / length

    def _weighted(self, words: Sequence[str], n: int) -> dict[tuple[str, ...], float]:
        return {
            gram: times * (math.log(self.images) - math.log(max(1, self.holding[gram])))
            for gram, times in grams(words, n).items()
        }


def cider(captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of a whole set; NaN for an empty one.

    Raises:
        ValueError: not one group of references for each caption.
    """
    weights = Cider.of(references)
    scores = [weights.score(*each) for each in zip(captions, references, strict=True)]
    return sum(scores) / len(scores) if scores else math.nan
