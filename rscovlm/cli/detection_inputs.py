"""What ``rscovlm bench detections`` compares: ground truth, results of methods, and their thresholds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rscovlm.cli.aliases import words_for
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from detection_eval.formats import Collection, ReadOptions
    from detection_eval.metrics.evaluation import Threshold


@dataclass(frozen=True)
class Compared:
    """Ground truth and what methods found, in one list of classes and by the ids of the ground truth.

    Attributes:
        classes: those that are evaluated.
        truth: the ground truth.
        found: results by the name of their method.
    """

    classes: tuple[str, ...]
    truth: Collection
    found: dict[str, Collection]

    @property
    def scored(self) -> list[str]:
        """Names of the methods whose boxes have scores."""
        return [name for name, collection in self.found.items() if collection.scored]


def read_sources(pred: list[str]) -> dict[str, str]:
    """Methods by name from ``NAME=PATH[:FORMAT]``.

    Raises:
        UsageError: something else, or a name that stands twice.
    """
    sources: dict[str, str] = {}
    for text in pred:
        name, equals, path = text.partition("=")
        if not (name.strip() and equals and path):
            raise UsageError(f"--pred {text!r} names no method; give NAME=PATH, such as Qwen=out/qwen.jsonl")
        if name.strip() in sources:
            raise UsageError(f"--pred {name.strip()} is listed twice; give each method a name of its own")
        sources[name.strip()] = path
    return sources


def split_images(given: list[Path]) -> tuple[Path | None, Path | None]:
    """The folder of images and the file that lists them.

    Raises:
        UsageError: more than one of either.
        FileNotFoundError: there is no such path.
    """
    for path in given:
        if not path.exists():
            raise UsageError(f"--images {path} is no folder and no file")
    folders = [path for path in given if path.is_dir()]
    files = [path for path in given if not path.is_dir()]
    if len(folders) > 1 or len(files) > 1:
        raise UsageError("--images takes one folder of images and one file that lists them")
    return next(iter(folders), None), next(iter(files), None)


def read_compared(
    gt: str, sources: Mapping[str, str], given: ReadOptions, classes: str | None, aliases: str | None
) -> Compared:
    """Read everything that is compared.

    Args:
        gt: ``PATH[:FORMAT]`` of the ground truth.
        sources: the same for each method by name.
        given: classes, ids and sizes as the options say.
        classes: ``--classes`` as it was written, for what is told.
        aliases: list or file of other words for classes in replies; None where there are none.

    Raises:
        DetectionError, UsageError: with one clear line.
        OSError: a file cannot be read.
    """
    truth, names = _read_truth(gt, given, classes)
    words = None if aliases is None else words_for(aliases, names)
    # As many names as the ground truth has are an order of their own; fewer choose among its numbers.
    numbers = None if given.classes and len(names) >= len(truth.categories) else truth.categories or None
    ordered = names if given.classes or _declares_order(gt) else None
    reading = replace(given, classes=ordered, aliases=words, categories=numbers)
    found = {name: _read_results(name, spec, names, truth, reading) for name, spec in sources.items()}
    return Compared(names, truth, found)


def lack_sizes(specs: Iterable[str]) -> bool:
    """Whether one of several ``PATH[:FORMAT]`` needs sizes of images that it does not hold."""
    from detection_eval.formats.catalogue import UNSIZED

    return any(_format_of(spec) in UNSIZED for spec in specs)


def _declares_order(spec: str) -> bool:
    """Whether a ground truth says in what order its classes are numbered."""
    from detection_eval.formats.catalogue import UNORDERED

    return _format_of(spec) not in UNORDERED


def _format_of(spec: str) -> str:
    from detection_eval.formats import detect_format, split_format

    path, format_name = split_format(spec)
    return format_name or detect_format(path)


def _read_truth(spec: str, given: ReadOptions, classes: str | None) -> tuple[Collection, tuple[str, ...]]:
    """The ground truth and the classes that are evaluated.

    Raises:
        DetectionError, UsageError: it is malformed, or holds nothing.
    """
    from detection_eval.formats import read, split_format

    wanted = given.classes
    path, format_name = split_format(spec)
    truth = read(path, format_name, wanted, images=given.images, sizes=given.sizes, others="leave out")
    if truth.truth is not None:
        truth = truth.with_truth_as_images()
    if not truth.images:
        raise UsageError(f"--gt {spec} holds no images")
    if wanted is not None and not any(map(len, truth.detections.values())):
        lost = f"; {truth.notes[-1]}" if truth.notes else ""
        raise UsageError(f"--gt {spec} holds no objects of the classes in --classes {classes}{lost}")
    names = wanted or truth.classes
    if not names:
        raise UsageError(f"--gt {spec} holds no objects, so it names no classes; give them by --classes")
    return truth, tuple(names)


def _read_results(
    name: str, spec: str, classes: tuple[str, ...], truth: Collection, given: ReadOptions
) -> Collection:
    """What a method found, by the ids of the ground truth.

    Args:
        name: the method.
        spec: ``PATH[:FORMAT]``.
        classes: those that are evaluated.
        truth: the ground truth.
        given: what the options say; its ``classes`` is None where they are in no stated order.

    Raises:
        DetectionError, UsageError: malformed, of other images, or numbers of classes without a class list.
    """
    from detection_eval.errors import EvaluationError
    from detection_eval.formats import detect_format, read, split_format
    from detection_eval.formats.catalogue import NUMBERED
    from detection_eval.formats.image_ids import match_images, without_constant_scores
    from detection_eval.formats.recognition import is_empty_list

    path, format_name = split_format(spec)
    format_name = format_name or detect_format(path)
    if format_name in NUMBERED and given.classes is None and not is_empty_list(path):
        raise UsageError(
            f"--pred {name}: {path} ({format_name}) holds numbers of classes, and --gt states no order of "
            "its classes; give --classes in the order of the config"
        )
    sizes = {image: boxes.size for image, boxes in truth.images.items() if boxes.size is not None}
    collection = read(
        path,
        format_name,
        classes,
        images=given.images,
        sizes=given.sizes if isinstance(given.sizes, tuple) else sizes | dict(given.sizes or {}) or None,
        others="leave out",
        aliases=given.aliases,
        categories=given.categories,
    )
    try:
        return without_constant_scores(match_images(collection, truth))
    except EvaluationError as error:
        raise UsageError(f"--pred {name}: {error}") from error


def read_thresholds(text: str | None, compared: Compared, per_class: bool) -> dict[str, Threshold]:
    """The threshold of each method with scores.

    Raises:
        UsageError: for what is no threshold, or a file that holds none for a method.
    """
    scored = compared.scored
    if text is not None and not scored:
        raise UsageError(f"--threshold {text} needs results with scores, and none of these have any")
    if text is None or text in ("oracle", "kfold"):
        choice: Threshold = "oracle" if text == "oracle" else "kfold"
        return dict.fromkeys(scored, choice)
    if text.startswith("val:"):
        return _thresholds_of(Path(text.removeprefix("val:")), compared.classes, scored)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--threshold {text!r} is none of oracle, kfold, val:FILE and a number")
    if per_class:
        raise UsageError(
            "--per-class-threshold needs thresholds that are chosen: --threshold kfold or oracle"
        )
    return dict.fromkeys(scored, value)


def _thresholds_of(path: Path, classes: Sequence[str], scored: Sequence[str]) -> dict[str, Threshold]:
    """Thresholds that an earlier run chose on other images."""
    import numpy as np

    from detection_eval.metrics.thresholds import ThresholdChoice

    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        given = {name: results[name]["threshold"] for name in scored if name in results}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no results.json of rscovlm bench detections ({error!r})") from error
    chosen: dict[str, Threshold] = {}
    for name in scored:
        value = given.get(name)
        if value is None:
            raise UsageError(
                f"{path} has no threshold for {name}; it has them for {', '.join(given) or 'none'}"
            )
        lacking = [c for c in classes if isinstance(value, dict) and c not in value]
        if lacking:
            raise UsageError(f"{path} has no threshold for {name} and class {lacking[0]}")
        row = [value[c] if isinstance(value, dict) else value for c in classes]
        chosen[name] = ThresholdChoice(
            "val", np.array([row], float), tuple(classes), isinstance(value, dict), {}
        )
    return chosen
