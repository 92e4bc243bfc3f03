"""nano's score card: ``python -m rscovlm.nano.scorecard --model nano``.

Everything goes through the package's own doors: scenes are GeoTIFFs on disk, questions go through the
Zoom-in Chain, detections through tiles and merging. Seeds are held out: training never sees them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import shapely
from rich.console import Console
from rich.progress import track

from detection_eval.detections import Detections
from rscovlm.engines import Engine, load_model
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.dataset import scene_truth, write_scene
from rscovlm.synth.questions import TOPICS, Question, all_questions
from rscovlm.synth.world import World, plan_world
from rscovlm.tasks.ask import ask, same_answer
from rscovlm.tasks.classify import classify_scenes
from rscovlm.tasks.detect import detect_scene
from tiling.scene import Scene
from tiling.view import View
from zoom_chain.policies import POLICIES
from zoom_chain.settings import default_zoom_settings

HELD_OUT_SEED = 1 << 40
"""Scenes of training have seeds below 2^31."""


@dataclass
class Score:
    """Right answers out of how many."""

    right: int = 0
    of: int = 0

    def add(self, correct: bool) -> None:
        """Count one answer."""
        self.right += bool(correct)
        self.of += 1

    def __str__(self) -> str:
        return f"{self.right / self.of:.1%} ({self.right}/{self.of})" if self.of else "none asked"


@dataclass
class ScoreCard:
    """What nano gets right on held-out scenes.

    Attributes:
        answers: by (topic, zoom mode).
        chance: by topic, of the most frequent answer.
        zoom_hits: chains whose last view holds the evidence at a readable size.
        zooms: how many zooms each chain took.
        scene_class: of the whole scene.
        found, missed, invented: detections at IoU 0.5, by class name.
    """

    answers: dict[tuple[str, str], Score] = field(default_factory=lambda: defaultdict(Score))
    truths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    zoom_hits: Score = field(default_factory=Score)
    zooms: list[int] = field(default_factory=list)
    scene_class: Score = field(default_factory=Score)
    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    invented: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def matches(found: Detections, truth: Detections, iou: float = 0.5) -> tuple[set[int], set[int]]:
    """Indices of found boxes and of true boxes that pair one to one, best overlaps first, same class only."""
    boxes, targets = shapely.polygons(found.polygons), shapely.polygons(truth.polygons)
    if not len(found) or not len(truth):
        return set(), set()
    first, second = shapely.STRtree(targets).query(boxes, predicate="intersects")
    shared = shapely.area(shapely.intersection(boxes[first], targets[second]))
    overlap = shared / (shapely.area(boxes[first]) + shapely.area(targets[second]) - shared)
    names, true_names = np.array(found.names), np.array(truth.names)
    paired: set[int] = set()
    taken: set[int] = set()
    for k in np.argsort(-overlap, kind="stable"):
        i, j = int(first[k]), int(second[k])
        if overlap[k] < iou:
            break
        if names[i] == true_names[j] and i not in paired and j not in taken:
            paired.add(i)
            taken.add(j)
    return paired, taken


def evaluate_questions(card: ScoreCard, engine: Engine, scene: Scene, world: World) -> None:
    """Ask everything about a scene with zoom off and on."""
    questions = all_questions(world)
    settings = default_zoom_settings(engine.family.dialect.name)
    for mode in ("off", "chain"):
        chosen = replace(settings, policy=POLICIES[mode])
        answers = ask(scene, [question.text for question in questions], engine, settings=chosen)
        for question, answer in zip(questions, answers, strict=True):
            card.answers[question.topic, mode].add(same_answer(answer.text, question.answer))
            if mode == "chain":
                card.truths[question.topic].append(question.answer)
                card.zooms.append(len(answer.trace.views) - 1)
                card.zoom_hits.add(evidence_seen(question, answer.trace.views[-1].view))


def evidence_seen(question: Question, view: View) -> bool:
    """Whether a view shows most of the evidence, at no less than a fifth of the view's side."""
    common = view.window.intersection(question.evidence)
    apparent = max(question.evidence.width / view.window.width, question.evidence.height / view.window.height)
    return common is not None and common.area >= 0.8 * question.evidence.area and apparent >= 0.2


def evaluate_detections(card: ScoreCard, found: Detections, truth: Detections) -> None:
    """Count the detections of one scene at IoU 0.5."""
    paired, taken = matches(found, truth)
    for index, name in enumerate(found.names):
        (card.found if index in paired else card.invented)[name] += 1
    for index, name in enumerate(truth.names):
        card.missed[name] += index not in taken


def evaluate(spec: str, scenes: int, size: int, folder: Path) -> ScoreCard:
    """Score a model on held-out scenes.

    Args:
        spec: what ``--model`` takes.
        scenes: how many.
        size: side of each in px.
        folder: for the GeoTIFFs, one at a time.
    """
    card = ScoreCard()
    with load_model(spec) as engine:
        for index in track(range(scenes), description="scoring", console=Console(stderr=True)):
            world = plan_world(HELD_OUT_SEED + index, size, size)
            path = folder / f"{index}.tif"
            write_scene(world, path)
            with Scene(path) as scene:
                evaluate_questions(card, engine, scene, world)
                card.scene_class.add(classify_scenes([scene], engine, LAND_COVERS)[0].label == world.cover)
                evaluate_detections(card, detect_scene(scene, engine).detections, scene_truth(world))
            path.unlink()
    return card


def report(card: ScoreCard, scenes: int, size: int) -> str:
    """The score card as Markdown."""
    lines = [
        f"Made by `python -m rscovlm.nano.scorecard --scenes {scenes} --size {size}`",
        f"on {scenes} held-out synthetic scenes of {size} x {size} px at 0.3 m, as GeoTIFF files, through",
        "the Zoom-in Chain, tiles and merging.",
        "",
        "| question | most frequent answer | zoom off | zoom on |",
        "|---|---|---|---|",
    ]
    for topic in TOPICS:
        answers = card.truths[topic]
        prior = max(map(answers.count, set(answers)), default=0) / max(1, len(answers))
        off, on = card.answers[topic, "off"], card.answers[topic, "chain"]
        lines.append(f"| {topic} | {prior:.1%} | {off} | {on} |")
    off, on = (_total(card, mode) for mode in ("off", "chain"))
    lines += [
        f"| **all** | | **{off}** | **{on}** |",
        "",
        f"- Zoom hit rate (the last view shows the evidence, large enough to read): {card.zoom_hits}",
        f"- Zooms a question: {np.mean(card.zooms):.2f}",
        f"- Scene class: {card.scene_class}",
        "",
        "| objects, rotated IoU 0.5 | precision | recall | F1 | true objects |",
        "|---|---|---|---|---|",
    ]
    for name in CLASS_NAMES:
        lines.append(f"| {name} | {_detection_row(card, (name,))} |")
    lines.append(f"| **all** | {_detection_row(card, CLASS_NAMES)} |")
    return "\n".join(lines) + "\n"


def _total(card: ScoreCard, mode: str) -> Score:
    scores = [card.answers[topic, mode] for topic in TOPICS]
    return Score(sum(s.right for s in scores), sum(s.of for s in scores))


def _detection_row(card: ScoreCard, names: Sequence[str]) -> str:
    found, missed, invented = (
        sum(part[name] for name in names) for part in (card.found, card.missed, card.invented)
    )
    precision, recall = found / max(1, found + invented), found / max(1, found + missed)
    f1 = 2 * found / max(1, 2 * found + missed + invented)
    return f"{precision:.1%} | {recall:.1%} | {f1:.1%} | {found + missed}"


def main() -> None:
    """Parse the command line, score, print."""
    parser = argparse.ArgumentParser(description="Score nano on held-out synthetic scenes.")
    parser.add_argument("--model", default="nano", help="what to score (default: nano)")
    parser.add_argument("--scenes", type=int, default=16, help="how many scenes (default: 16)")
    parser.add_argument("--size", type=int, default=4096, help="side of each in px (default: 4096)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        card = evaluate(options.model, options.scenes, options.size, Path(folder))
    print(report(card, options.scenes, options.size))


if __name__ == "__main__":
    main()
