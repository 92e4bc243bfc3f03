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
from rich.console import Console
from rich.progress import track

from detection_eval.detections import Detections
from detection_eval.text.contracts import CONTRACTS
from rscovlm.engines import Engine, load_model
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.dataset import scene_truth, write_scene
from rscovlm.synth.questions import TOPICS, all_questions
from rscovlm.synth.world import World, plan_world
from rscovlm.tasks.ask import ask
from rscovlm.tasks.classify import Classification, classify_scenes
from rscovlm.tasks.detect import Detection, detect_scene
from rscovlm.tasks.questions import question_with_answer
from rscovlm.tasks.task import Tally, score_reply, total
from rscovlm.tasks.zoom import ZoomRequest
from tiling.scene import Scene
from zoom_chain.dialect import NANO
from zoom_chain.policies import POLICIES
from zoom_chain.settings import default_zoom_settings

HELD_OUT_SEED = 1 << 40
"""Scenes of training have seeds below 2^31."""


ZOOMS, SCENES, OBJECTS = "zooms", "scenes", "objects"
"""Groups of the tally, beside "<topic>/<zoom mode>" of questions and "objects/<class>"."""

EVIDENCE, CLASSES = ZoomRequest(NANO), Classification(LAND_COVERS)
BOXES = Detection(CONTRACTS["nano"], CLASS_NAMES)


@dataclass
class ScoreCard:
    """What nano gets right on held-out scenes.

    Attributes:
        tally: counts of answers, zooms, scene classes and boxes.
        truths: right answers by topic.
        zooms: how many zooms each chain took.
    """

    tally: Tally = field(default_factory=Tally)
    truths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    zooms: list[int] = field(default_factory=list)


def evaluate_questions(card: ScoreCard, engine: Engine, scene: Scene, world: World) -> None:
    """Ask everything about a scene with zoom off and on."""
    questions = all_questions(world)
    settings = default_zoom_settings(engine.family.dialect.name)
    for mode in ("off", "chain"):
        chosen = replace(settings, policy=POLICIES[mode])
        answers = ask(scene, [question.text for question in questions], engine, settings=chosen)
        for question, answer in zip(questions, answers, strict=True):
            task = question_with_answer(question.answer)
            counts = score_reply(task, answer.text, question.answer)
            card.tally.add(f"{question.topic}/{mode}", task, counts)
            if mode == "chain":
                card.truths[question.topic].append(question.answer)
                card.zooms.append(len(answer.trace.views) - 1)
                last = answer.trace.views[-1].view.window
                card.tally.add(ZOOMS, EVIDENCE, EVIDENCE.score(last, question.evidence))


def evaluate_detections(card: ScoreCard, found: Detections, truth: Detections) -> None:
    """Count the detections of one scene at IoU 0.5."""
    for name, counts in BOXES.score_classes(found, truth).items():
        card.tally.add(f"{OBJECTS}/{name}", BOXES, counts)


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
                label = classify_scenes([scene], engine, CLASSES.classes)[0].label
                card.tally.add(SCENES, CLASSES, CLASSES.score(label, world.cover))
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
        off, on = (_share(card, f"{topic}/{mode}") for mode in ("off", "chain"))
        lines.append(f"| {topic} | {prior:.1%} | {off} | {on} |")
    off, on = (_share(card, *(f"{topic}/{mode}" for topic in TOPICS)) for mode in ("off", "chain"))
    hits = _share(card, ZOOMS, metric="zoom_hit")
    lines += [
        f"| **all** | | **{off}** | **{on}** |",
        "",
        f"- Zoom hit rate (the last view shows the evidence, large enough to read): {hits}",
        f"- Zooms a question: {np.mean(card.zooms):.2f}",
        f"- Scene class: {_share(card, SCENES)}",
        "",
        "| objects, rotated IoU 0.5 | precision | recall | F1 | true objects |",
        "|---|---|---|---|---|",
    ]
    for name in CLASS_NAMES:
        lines.append(f"| {name} | {_detection_row(card, (name,))} |")
    lines.append(f"| **all** | {_detection_row(card, CLASS_NAMES)} |")
    return "\n".join(lines) + "\n"


def _share(card: ScoreCard, *groups: str, metric: str = "accuracy") -> str:
    """``97.1% (33/34)`` of some groups together."""
    counts = total(card.tally.counts(group) for group in groups)
    right, of = (int(counts.get(f"{metric}/{part}", 0)) for part in ("hits", "of"))
    return f"{right / of:.1%} ({right}/{of})" if of else "none asked"


def _detection_row(card: ScoreCard, names: Sequence[str]) -> str:
    counts = total(card.tally.counts(f"{OBJECTS}/{name}") for name in names)
    found = BOXES.aggregate(counts)
    rates = [found.get(f"{metric}@0.5", 0.0) for metric in ("precision", "recall", "f1")]
    return " | ".join([*(f"{rate:.1%}" for rate in rates), f"{counts.get('recall@0.5/of', 0):.0f}"])


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
