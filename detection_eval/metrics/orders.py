"""Random orders of tied detections, each of them matched anew, and the average precision that they give.

Which of several detections of one object is the right one depends on the order, so verdicts must not be
shuffled but found again. Under ``voc`` matching that needs no geometry: of the detections that claim an
object the first is right. Under ``coco`` matching those that share an object take their turns again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detection_eval.geometry.quads import Floats
from detection_eval.metrics.average_precision import needed, one_tie
from detection_eval.metrics.ground_truth import Indices
from detection_eval.metrics.matching import FALSE, IGNORED, TRUE, take_turns, wishes
from detection_eval.metrics.overlaps import Mask, Overlaps, select
from detection_eval.metrics.presets import Preset

_DRAWS_AT_ONCE = 1 << 22


def shuffled_ap(
    overlaps: Overlaps, level: float, keep: Mask | None = None, *, shuffles: int, seed: int
) -> Floats:
    """Average precision of each class under uniformly random orders of its detections: (shuffles, classes).

    It depends on the data and the seed alone, not on how images and boxes are listed.

    Args:
        overlaps: overlaps to match; scores are ignored.
        level: IoU.
        keep: (detections,) those above a threshold; None keeps all.
        shuffles: random orders.
        seed: random seed of the orders. Each class draws from its own stream.
    """
    draw = _draw_voc if overlaps.preset.matching == "voc" else _draw_coco
    return draw(overlaps, level, keep, shuffles, seed)


def most_true(overlaps: Overlaps, level: float, keep: Mask | None = None) -> Indices:
    """An upper bound on the right detections of each class in any order: (classes,).

    Under ``voc`` matching every order has as many. Under ``coco`` matching no order has more than there are
    objects that are reached, nor than detections that reach one.
    """
    kept = overlaps.kept(keep)
    labels, classes = overlaps.objects.labels, len(overlaps.classes)
    if overlaps.preset.matching == "voc":
        return np.bincount(labels[_claims(overlaps, level, kept)[0] > 0], minlength=classes)
    detection, wish = wishes(overlaps, level)
    used = kept[detection] & ~overlaps.ignored[wish]
    found, there = np.unique(detection[used]), np.unique(wish[used])
    return np.minimum(
        np.bincount(overlaps.detections.labels[found], minlength=classes),
        np.bincount(labels[there], minlength=classes),
    )


# --- voc ------------------------------------------------------------------------------------------


def _claims(overlaps: Overlaps, level: float, kept: Mask) -> tuple[Indices, Indices]:
    """Detections that claim each object (objects,), and that claim none, by class (classes,)."""
    claimed, iou = overlaps.claims
    reaches = overlaps.preset.reaches(iou, level)
    claims = kept & reaches
    rivals = np.bincount(claimed[claims], minlength=len(overlaps.objects))
    nowhere = np.bincount(overlaps.detections.labels[kept & ~reaches], minlength=len(overlaps.classes))
    return np.where(overlaps.ignored, 0, rivals), nowhere


def _draw_voc(overlaps: Overlaps, level: float, keep: Mask | None, shuffles: int, seed: int) -> Floats:
    rivals, nowhere = _claims(overlaps, level, overlaps.kept(keep))
    drawn = np.full((shuffles, len(overlaps.classes)), np.nan)
    for label, positives in enumerate(overlaps.positives.tolist()):
        if positives:
            groups = np.sort(rivals[(overlaps.objects.labels == label) & (rivals > 0)])[::-1]
            false = int(nowhere[label] + groups.sum() - len(groups))
            rng = np.random.default_rng([seed, label, len(groups), false])
            drawn[:, label] = _draw_groups(groups, false, positives, overlaps.preset, shuffles, rng)
    return drawn


def _draw_groups(
    groups: Indices, false: int, positives: int, preset: Preset, shuffles: int, rng: np.random.Generator
) -> Floats:
    """AP of random orders (shuffles,) where detections claim objects in groups.

    Args:
        groups: (objects,) how many detections claim each object that is claimed; descending.
        false: wrong detections, those of the groups included.
        positives: objects that count.
        preset: says how the curve is interpolated.
        shuffles: random orders.
        rng: draws them.
    """
    true = len(groups)
    if true == 0 or false == 0:
        return np.full(shuffles, float(one_tie(true, false, positives, preset)))
    values = np.empty(shuffles)
    for rows in _blocks(shuffles, true + false):
        right = _first_of_groups(groups, true + false, rows.stop - rows.start, rng)
        values[rows] = _ap_of_orders(right, None, positives, preset)
    return values


def _first_of_groups(groups: Indices, detections: int, rows: int, rng: np.random.Generator) -> Mask:
    """Mask of places in random orders (rows, detections) that hold the first detection of a group."""
    true, rivalry = len(groups), groups[0] > 1
    if not rivalry:
        return rng.permuted(np.broadcast_to(np.arange(detections) < true, (rows, detections)), axis=1)
    place = rng.permuted(np.broadcast_to(np.arange(detections, dtype=np.int32), (rows, detections)), axis=1)
    first = np.minimum.reduceat(place[:, : groups.sum()], np.cumsum(groups) - groups, axis=1)
    right = np.zeros((rows, detections), dtype=bool)
    right[np.arange(rows)[:, None], first] = True
    return right


# --- coco -----------------------------------------------------------------------------------------


def _draw_coco(overlaps: Overlaps, level: float, keep: Mask | None, shuffles: int, seed: int) -> Floats:
    laid = select(overlaps, overlaps.kept(keep))
    detection, wish = wishes(laid, level)
    fixed = np.full(len(laid.detections), FALSE)
    favourite = np.flatnonzero(np.diff(detection, prepend=-1))
    fixed[detection[favourite]] = np.where(laid.ignored[wish[favourite]], IGNORED, TRUE)
    shared = (np.bincount(wish, minlength=len(laid.objects)) > 1) & ~laid.ignored
    contested = np.zeros(len(laid.detections), dtype=bool)
    contested[detection[shared[wish]]] = True
    listing = _listing(laid)
    drawn = np.full((shuffles, len(laid.classes)), np.nan)
    for label, positives in enumerate(laid.positives.tolist()):
        members = listing[laid.detections.labels[listing] == label]
        if not positives:
            continue
        among = np.flatnonzero(contested[members])
        number = np.full(len(laid.detections), -1)
        number[members[among]] = np.arange(len(among))
        pairs = np.flatnonzero(number[detection] >= 0)
        pairs = pairs[np.argsort(number[detection[pairs]], kind="stable")]
        rng = np.random.default_rng([seed, label, len(members), len(among)])
        for rows in _blocks(shuffles, len(members)):
            listed = np.broadcast_to(np.arange(len(members)), (rows.stop - rows.start, len(members)))
            place = rng.permuted(listed, axis=1)
            verdict = np.broadcast_to(fixed[members], place.shape).copy()
            if len(among):
                verdict[:, among] = _rematched(
                    number[detection[pairs]], wish[pairs], place[:, among], laid.ignored
                )
            ordered = np.empty_like(verdict)
            np.put_along_axis(ordered, place, verdict, axis=1)
            drawn[rows, label] = _ap_of_orders(ordered == TRUE, ordered != IGNORED, positives, laid.preset)
    return drawn


def _listing(overlaps: Overlaps) -> Indices:
    """Detections in an order that does not depend on how they and their images are listed."""
    corners = overlaps.detections.polygons.reshape(-1, 8).T
    image = np.empty(len(overlaps.images), dtype=np.int64)
    image[np.argsort(np.array(overlaps.images, dtype=str))] = np.arange(len(overlaps.images))
    return np.lexsort((image[overlaps.detections.images], *corners[::-1]))


def _rematched(
    detection: Indices, wish: Indices, place: NDArray[np.int64], ignored: Mask
) -> NDArray[np.int8]:
    """Verdicts (orders, detections) of detections that share objects, in several orders at once.

    Args:
        detection: (pairs,) ascending, index into the detections.
        wish: (pairs,) index of an object, see ``wishes``.
        place: (orders, detections) when each one's turn is.
        ignored: (objects,).
    """
    orders, detections = place.shape
    there, wish = np.unique(wish, return_inverse=True)
    copies = np.arange(orders)[:, None]
    matched = take_turns(
        (detection + detections * copies).ravel(),
        (wish + len(there) * copies).ravel(),
        (np.argsort(place, axis=1) + detections * copies).ravel(),
        np.tile(ignored[there], orders),
    ).reshape(orders, detections)
    found = ignored[there][matched % len(there)]
    return np.where(matched < 0, FALSE, np.where(found, IGNORED, TRUE))


# --- curves ---------------------------------------------------------------------------------------


def _blocks(shuffles: int, detections: int) -> Iterator[slice]:
    """Rows that are drawn at once."""
    at_once = max(1, _DRAWS_AT_ONCE // max(detections, 1))
    for begin in range(0, shuffles, at_once):
        yield slice(begin, min(begin + at_once, shuffles))


def _ap_of_orders(right: Mask, counted: Mask | None, positives: int, preset: Preset) -> Floats:
    """AP of orders (orders, detections) from which of their places are right.

    Args:
        right: (orders, detections).
        counted: (orders, detections) right or wrong; None for all.
        positives: objects that count.
        preset: says how the curve is interpolated.
    """
    row, place = np.nonzero(right)
    true = np.bincount(row, minlength=len(right))
    number = np.arange(len(row)) - np.repeat(np.cumsum(true) - true, true)
    seen = place + 1 if counted is None else np.cumsum(counted, axis=1)[row, place]
    # the curve peaks at right detections, so wrong ones need not be read
    precision = np.zeros((len(right), int(true.max(initial=0))))
    precision[row, number] = (number + 1) / seen
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    if preset.interpolation == "area":
        return np.asarray(envelope.sum(axis=1) / positives)
    found = np.maximum(needed(positives, preset), 1)
    reached = found[found <= envelope.shape[1]]
    return np.asarray(envelope[:, reached - 1].sum(axis=1) / len(found))
