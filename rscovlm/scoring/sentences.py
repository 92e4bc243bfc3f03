"""How far two sentences say the same, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rscovlm.scoring.answers import normalised_words


def rouge_l(candidate: str, reference: str, beta: float = 1.2) -> float:
    """ROUGE-L: the F measure of the longest common subsequence of words, in [0, 1] (Lin, 2004).

    Args:
        candidate: the sentence to judge.
        reference: a right one.
        beta: weight of recall against precision; 1.2 is that of the COCO caption evaluation.
    """
    said, right = normalised_words(candidate).split(), normalised_words(reference).split()
    common = _longest_common(said, right)
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    lengths = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            diagonal, lengths[index] = (
                lengths[index],
                diagonal + 1 if word == other else max(lengths[index], lengths[index - 1]),
            )
    return lengths[-1]
