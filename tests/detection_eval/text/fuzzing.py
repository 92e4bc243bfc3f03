"""Replies as models write them, spoilt in the ways that models and transports spoil them, and what must hold.

A reply is a function of (seed, index). Run as a command it checks many, on all cores:

    python -m tests.detection_eval.text.fuzzing --replies 100000 [--seed 0]
"""

import argparse
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from detection_eval.detections import Detections
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.text.contract import Json, Lines, Tagged
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.labels import spoken
from detection_eval.text.parsing import parse_response
from detection_eval.text.writing import render_response

CLASSES = ("plane", "small-vehicle", "ship", "Car carrier([]==[])", "Boeing737")
WIDTH, HEIGHT = 504, 448
NAMES = tuple(sorted(CONTRACTS))

PROSE = (
    "Here are the 3 objects:\n",
    "I'm sorry, I cannot answer that.",
    "There are none.",
    ", and due to the context length, the remaining objects are not listed.",
    "<think>the ship, at 10,20, is grey</think>",
    "```json\n",
    "\n```",
    "Note: coordinates are in pixels (0-504).",
)
SCRAPS = (
    *"\n\r\t ,;:|\"'`\\{}[]()<>-+.eE",
    *(
        "null",
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 60,
        "0x1F",
        "\uff11\uff12",
        "\u0663",
        "\u00e9",
        "\ud800",
        "\x00",
        "\u2028",
    ),
    *(
        "<loc_",
        "<loc_1000>",
        "<sep>",
        "</p>",
        "<delim>",
        "<|box_end|>",
        "<ref>",
        "]</box>",
        '"label"',
        "&quot;",
    ),
)


def written(rng, name):
    """A faultless reply of a contract, its boxes, and where in the text each of them is complete."""
    contract = CONTRACTS[name]
    classes = CLASSES
    if isinstance(contract.syntax, Tagged):
        classes = ("ship",) if contract.syntax.label is None else CLASSES[:3]
    count = int(rng.integers(1, 9))
    boxes = np.column_stack(
        [rng.uniform(80, 360, (count, 2)), rng.uniform(12, 90, (count, 2)), rng.uniform(-3, 3, count)]
    )
    objects = Detections(boxes_to_quads(boxes), rng.integers(0, len(classes), count), classes)
    text = render_response(objects, contract, WIDTH, HEIGHT)
    whole = parse_response(text, contract, classes, WIDTH, HEIGHT)
    ends = whole.spans[:, 1]
    if isinstance(contract.syntax, Tagged) and not contract.syntax.label_first:
        ends = ends + [len(f" {spoken(label)} ; ") for label in whole.detections.names]
    if isinstance(contract.syntax, Lines):
        ends = ends + 1  # a line is complete with its break
    return text, whole.detections, ends


def _place(rng, text):
    return int(rng.integers(0, len(text) + 1))


def _stretch(rng, text):
    start = _place(rng, text)
    return start, min(len(text), start + int(rng.integers(1, 40)))


def _digit(rng):
    return str(rng.integers(0, 10))


def truncated(rng, text):
    return text[: _place(rng, text)]


def cut_bytes(rng, text):
    raw = text.encode("utf-8", "surrogatepass")
    return raw[: int(rng.integers(0, len(raw) + 1))].decode("utf-8", "replace")


def without_a_stretch(rng, text):
    start, stop = _stretch(rng, text)
    return text[:start] + text[stop:]


def looping(rng, text):
    start, stop = _stretch(rng, text)
    return text[:stop] + text[start:stop] * int(rng.integers(1, 60)) + text[stop:]


def with_a_scrap(rng, text):
    place = _place(rng, text)
    return text[:place] + SCRAPS[rng.integers(len(SCRAPS))] * int(rng.integers(1, 4)) + text[place:]


def with_prose(rng, text):
    place = (0, len(text), _place(rng, text))[rng.integers(3)]
    return text[:place] + PROSE[rng.integers(len(PROSE))] + text[place:]


def other_digits(rng, text):
    chance = rng.uniform(0, 0.3)
    return "".join(_digit(rng) if c.isdigit() and rng.random() < chance else c for c in text)


_PUNCTUATION = ",[](){}<>\"'\n |:"


def without_some(rng, text):
    lost = _PUNCTUATION[rng.integers(len(_PUNCTUATION))]
    chance = rng.uniform(0.05, 1)
    return "".join("" if c == lost and rng.random() < chance else c for c in text)


def exchanged(rng, text):
    pairs = (("[", "("), ("]", ")"), ('"', "'"), (",", ", "), (",", " "), ("\n", "\r\n"), ("\n", " "))
    pairs += ((",", ".0, "), (",", ",-"), ("{", "{{"), ("ship", "null"), ("ship", "ships"), ("<", "< "))
    old, new = pairs[rng.integers(len(pairs))]
    return text.replace(old, new)


def reversed_stretch(rng, text):
    start, stop = _stretch(rng, text)
    return text[:start] + text[start:stop][::-1] + text[stop:]


def spliced(rng, text):
    other = written(rng, NAMES[rng.integers(len(NAMES))])[0]
    return text[: _place(rng, text)] + other[_place(rng, other) :]


def upper(rng, text):
    return text.upper()


MUTATIONS = (
    *(truncated, cut_bytes, without_a_stretch, looping, with_a_scrap, with_prose, other_digits),
    *(without_some, exchanged, reversed_stretch, spliced, upper),
)


def mutated(rng, text):
    for _ in range(int(rng.integers(1, 5))):
        text = MUTATIONS[rng.integers(len(MUTATIONS))](rng, text)
    return text


def parsed(text, name, classes=CLASSES, **options):
    """Parse, and check what holds of any reply."""
    read = parse_response(text, CONTRACTS[name], classes, WIDTH, HEIGHT, **options)
    report, count = read.report, len(read.detections)
    assert count == report.boxes == len(read.spans)
    assert 0 <= report.ok <= report.boxes
    assert report.refused + report.declared_empty + report.unparsable <= 1
    assert np.isfinite(read.detections.polygons).all()
    assert ((read.spans >= 0) & (read.spans <= len(text))).all()
    assert (read.spans[:, 0] < read.spans[:, 1]).all()
    return read


def check_reply(seed, index):
    """One reply: spoilt and read under its own and another contract; cut and continued without a loss.

    Returns:
        The seconds of the processor that a parse took, the length of its text, and what was reported.
    """
    rng = np.random.default_rng([seed, index])
    name = NAMES[index % len(NAMES)]
    text, boxes, ends = written(rng, name)
    classes = boxes.classes
    spoilt = mutated(rng, text)
    begin = time.process_time()
    read = parsed(spoilt, name, fuzzy=0.8 if rng.random() < 0.5 else None)
    seconds = time.process_time() - begin
    parsed(spoilt, NAMES[rng.integers(len(NAMES))], classes=None)
    # a cut loses nothing that was complete, and nothing that follows takes it away
    cut = _place(rng, text)
    complete = int((ends <= cut).sum())
    follows = mutated(rng, text)[: int(rng.integers(0, 200))] if complete else ""
    follows = follows.replace("</think>", "")  # by itself it makes a thought of all that is before it
    place = int(ends[complete - 1]) if complete else 0
    for part in (text[:cut], *([text[:place] + _separator(name) + follows] if follows else [])):
        kept = parsed(part, name, classes).detections
        assert len(kept) >= complete, (name, part)
        assert np.array_equal(kept.polygons[:complete], boxes.polygons[:complete]), (name, part)
        assert kept.names[:complete] == boxes.names[:complete], (name, part)
    return seconds, len(spoilt), read.report


def _separator(name):
    """What stands between two boxes, so that what follows is not taken for a part of the last one."""
    syntax = CONTRACTS[name].syntax
    return ",\n" if isinstance(syntax, Json) else "\n" if isinstance(syntax, Lines) else ""


def check_length(seed, index):
    """Eight times the text takes no more than linear time, with some room for a busy machine."""
    rng = np.random.default_rng([seed, index, 1])
    name = NAMES[index % len(NAMES)]
    piece = mutated(rng, written(rng, name)[0]) or "x"

    def seconds(size):
        text = piece * (size // len(piece) + 1)
        begin = time.process_time()
        parse_response(text[:size], CONTRACTS[name], CLASSES, WIDTH, HEIGHT)
        return time.process_time() - begin

    small, large = seconds(10_000), seconds(80_000)
    if large >= 30 * small + 0.2:  # a collection of the whole process's garbage may have fallen into it
        large = min(large, seconds(80_000))
    assert large < 30 * small + 0.2, (name, piece, small, large)  # 8 for linear, 64 for quadratic time
    return large


def check_many(seed, indices):
    """Check replies, and the time of one in two hundred when it is repeated to 80,000 characters."""
    kinds, slowest, characters, total = Counter(), 0.0, 0, 0.0
    for index in indices:
        try:
            seconds, length, report = check_reply(seed, index)
            if index % 200 == 0:
                check_length(seed, index // 200)
        except Exception as error:
            raise AssertionError(f"seed {seed}, reply {index}: {error!r}") from error
        slowest, characters, total = max(slowest, seconds), characters + length, total + seconds
        kinds["read without repair" if report.boxes and report.ok == report.boxes else "repaired"] += bool(
            report.boxes
        )
        for name in ("truncated", "refused", "declared_empty", "unparsable"):
            kinds[name] += getattr(report, name)
        kinds["with dropped boxes"] += bool(report.dropped)
    return kinds, slowest, characters, total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = [range(start, min(start + 500, options.replies)) for start in range(0, options.replies, 500)]
    kinds, slowest, characters, total = Counter(), 0.0, 0, 0.0
    begin = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(check_many, [options.seed] * len(parts), parts):
            kinds.update(found[0])
            slowest, characters, total = max(slowest, found[1]), characters + found[2], total + found[3]
    print(
        f"{options.replies:,} spoilt replies under {len(NAMES)} contracts, {characters / 1e6:.0f} million "
        f"characters: no exception, no complete box lost; {1e9 * total / characters:.0f} ns a character, "
        f"slowest {1e3 * slowest:.0f} ms; {time.perf_counter() - begin:.0f} s in all"
    )
    print(", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items())))


if __name__ == "__main__":
    main()
