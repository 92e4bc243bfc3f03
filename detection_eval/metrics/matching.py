"""Matching of detections to objects at any level of overlap.

Matching is greedy in the order of scores, so a detection's verdict never depends on those below it: what a
score threshold keeps is a prefix, and one matching serves every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.overlaps import LOWEST_LEVEL, Mask, Overlaps

LEVELS = tuple(percent / 100 for percent in range(50, 100, 5))
"""The ten overlaps of "50:95"."""

TRUE, FALSE, IGNORED = np.int8(1), np.int8(0), np.int8(-1)
"""Verdicts on a detection."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The verdict on each detection at one level of overlap.

    Attributes:
        level: the IoU that was demanded.
        verdict: (detections,) int8: ``TRUE``, ``FALSE``, or ``IGNORED`` where an ignored object was met.
        matched: (detections,) index of the object, or -1 where the verdict is ``FALSE``.
    """

    level: float
    verdict: NDArray[np.int8]
    matched: Indices


def match(overlaps: Overlaps, level: float) -> Matches:
    """Match detections to objects at a level of overlap, as the preset says.

    Raises:
        ValueError: a level outside [``LOWEST_LEVEL``, 1].
    """
    _check(level)
    if overlaps.preset.matching == "voc":
        return _match_voc(overlaps, level)
    return _match_coco(overlaps, level)


def _check(level: float) -> None:
    if not LOWEST_LEVEL <= level <= 1:
        raise ValueError(f"IoU level {level} is outside [{LOWEST_LEVEL}, 1]")


def _verdicts(overlaps: Overlaps, level: float, matched: Indices) -> Matches:
    """The verdicts that follow from the object that each detection has, (detections,) or -1."""
    verdict = np.full(len(matched), FALSE)
    hit = matched >= 0
    verdict[hit] = np.where(overlaps.ignored[matched[hit]], IGNORED, TRUE)
    return Matches(level, verdict, matched)


def _match_voc(overlaps: Overlaps, level: float) -> Matches:
    """Each detection claims the object it overlaps most; the best-scored claim wins (VOC devkit, 2007)."""
    claimed, iou = overlaps.claims
    reaches = overlaps.preset.reaches(iou, level)
    verdict = np.full(len(claimed), FALSE)
    matched = np.full(len(claimed), -1)
    by_rank = overlaps.order[reaches[overlaps.order]]
    ignored = by_rank[overlaps.ignored[claimed[by_rank]]]
    wanted = by_rank[~overlaps.ignored[claimed[by_rank]]]
    first = np.full(len(overlaps.objects), -1)
    first[claimed[wanted[::-1]]] = wanted[::-1]  # of several the last stays
    winners = first[first >= 0]
    for who, what in ((ignored, IGNORED), (winners, TRUE)):
        verdict[who] = what
        matched[who] = claimed[who]
    return Matches(level, verdict, matched)


def _match_coco(overlaps: Overlaps, level: float) -> Matches:
    """By descending score each detection takes the free object it overlaps most (COCOeval.evaluateImg)."""
    detection, wish = wishes(overlaps, level)
    matched = take_turns(detection, wish, overlaps.order, overlaps.ignored)
    return _verdicts(overlaps, level, matched)


def wishes(overlaps: Overlaps, level: float) -> tuple[Indices, Indices]:
    """Detection and object of each pair that reaches a level, every detection's favourite object first.

    Objects that count come before ignored ones, then those of a higher IoU, then as the preset says.
    """
    pairs = np.flatnonzero(overlaps.preset.reaches(overlaps.pair_iou, level))
    objects = overlaps.pair_object[pairs]
    choice = np.lexsort(
        (
            overlaps.precedence[pairs],
            -overlaps.pair_iou[pairs],
            overlaps.ignored[objects],
            overlaps.pair_detection[pairs],
        )
    )
    return overlaps.pair_detection[pairs][choice], objects[choice]


def take_turns(detection: Indices, wish: Indices, order: Indices, ignored: Mask) -> Indices:
    """Let detections, one after another, take the first object of their list that is still free.

    Taking turns is the same as proposing all at once and letting each object keep its best-placed proposer,
    while those turned away go on to their next choice (Gale and Shapley, Am. Math. Monthly 69, 1962): all
    objects rank the detections alike, so there is one stable matching.

    Args:
        detection: (pairs,) ascending, see ``wishes``.
        wish: (pairs,) the objects of each detection, its favourite first.
        order: (detections,) whose turn it is.
        ignored: (objects,) those that any number of detections may take.

    Returns:
        (detections,) index of the object, or -1.
    """
    nobody = len(order)
    place = np.empty(nobody, dtype=np.int64)
    place[order] = np.arange(nobody)
    proposers, start = np.unique(detection, return_index=True)
    stop = np.append(start[1:], len(detection))
    holder = np.full(len(ignored), nobody)  # place of the detection that an object keeps
    matched = np.full(nobody, -1)
    waiting = np.arange(len(proposers))
    while len(waiting):
        wished = wish[start[waiting]]
        free = ignored[wished]
        matched[proposers[waiting[free]]] = wished[free]
        waiting, wished = waiting[~free], wished[~free]
        mine = place[proposers[waiting]]
        before = holder[wished]
        np.minimum.at(holder, wished, mine)
        thrown = order[np.unique(before[(before < nobody) & (before > holder[wished])])]
        matched[thrown] = -1
        won = holder[wished] == mine
        matched[proposers[waiting[won]]] = wished[won]
        back = np.concatenate([waiting[~won], np.searchsorted(proposers, thrown)])
        start[back] += 1
        waiting = back[start[back] < stop[back]]
    return matched


def match_by_overlap(overlaps: Overlaps, level: float) -> Matches:
    """Match detections to objects one to one, the largest overlap first, whatever the scores and the order.

    A detection that gets no object but overlaps an ignored one enough is ignored.

    Raises:
        ValueError: a level outside [``LOWEST_LEVEL``, 1].
    """
    _check(level)
    pairs = np.flatnonzero(overlaps.preset.reaches(overlaps.pair_iou, level))
    detection, target = overlaps.pair_detection[pairs], overlaps.pair_object[pairs]
    ignored = overlaps.ignored[target]
    matched = np.full(len(overlaps.detections), -1)
    taken = np.zeros(len(overlaps.objects), dtype=bool)
    # ignored objects come last, and take any number
    order = (overlaps.rank[detection], overlaps.precedence[pairs], -overlaps.pair_iou[pairs], ignored)
    for pair in np.lexsort(order):
        if matched[detection[pair]] < 0 and not taken[target[pair]]:
            matched[detection[pair]] = target[pair]
            taken[target[pair]] = not ignored[pair]
    return _verdicts(overlaps, level, matched)
