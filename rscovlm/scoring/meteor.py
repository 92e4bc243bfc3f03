"""METEOR of a caption (Banerjee & Lavie 2005) with the parameters of Lavie & Agarwal 2007.

Words are aligned in three stages: the same word, the same stem (Porter), a common WordNet synset. It is not
METEOR 1.5, which COCO's caption evaluation runs: that one knows paraphrases, from a table of 60 MB that ships
with its Java program, and weighs function words less. NLTK's ``meteor_score`` has the same stages and
parameters but looks up the stems of words in WordNet, where most are not found ("harbor" is, "vehicl" is
not); here words are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from rscovlm.scoring.captions import caption_words
from rscovlm.scoring.stems import stem
from rscovlm.scoring.synonyms import synsets

RECALL_WEIGHT = 0.9
"""Of the harmonic mean of precision and recall: alpha."""
STEEPNESS = 3.0
"""Exponent of the penalty on fragments: beta."""
LARGEST_PENALTY = 0.5
"""Where no two aligned words follow each other in both: gamma."""

_STAGES: tuple[Callable[[str], Collection[str]], ...] = (
    lambda word: (word,),
    lambda word: (stem(word),),
    synsets,
)
"""Words are aligned where they have any of these in common."""


def meteor(caption: str, references: Sequence[str]) -> float:
    """METEOR of one caption in [0, 1): the highest over its references; 0 without any."""
    words = caption_words(caption)
    return max((_against(words, caption_words(text)) for text in references), default=0.0)


def _against(words: Sequence[str], other: Sequence[str]) -> float:
    pairs = alignment(words, other)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(words), len(pairs) / len(other)
    mean = precision * recall / (RECALL_WEIGHT * precision + (1 - RECALL_WEIGHT) * recall)
    breaks = sum((a + 1, b + 1) != following for (a, b), following in pairwise(pairs))
    penalty: float = LARGEST_PENALTY * ((breaks + 1) / len(pairs)) ** STEEPNESS
    return mean * (1 - penalty)


def alignment(words: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Places of aligned words in a caption and in a reference, each once, in the order of the caption.

    As NLTK aligns: stage by stage, from the last word of the caption to the first, each with the last word of
    the reference that is left. Where words occur several times, that need not be the alignment with the
    fewest crossings, which the paper asks for.
    """
    pairs: list[tuple[int, int]] = []
    left, free = list(enumerate(words)), list(enumerate(other))
    for known_by in _STAGES:
        marked = [(place, frozenset(known_by(word))) for place, word in free]
        for place, word in reversed(left):
            marks = known_by(word)
            found = next((each for each in reversed(marked) if not each[1].isdisjoint(marks)), None)
            if found is not None:
                marked.remove(found)
                pairs.append((place, found[0]))
        own, its = {place for place, _ in pairs}, {place for _, place in pairs}
        left = [each for each in left if each[0] not in own]
        free = [each for each in free if each[0] not in its]
    return sorted(pairs)
