"""nano's score card: ``python -m rscovlm.nano.scorecard --model nano``.

Everything goes through the package's own doors: scenes are GeoTIFFs on disk, questions go through the
Zoom-in Chain, detections through tiles, scales and merging, phrases through closer looks. Seeds are held
out: training never sees them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from detection_eval.detections import Detections
from detection_eval.metrics.evaluation import evaluate as evaluate_boxes
from detection_eval.metrics.ground_truth import GroundTruth
from detection_eval.text.contracts import CONTRACTS
from rscovlm.data.synthetic import Photo
from rscovlm.engines import Engine, load_model
from rscovlm.nano.object_lessons import grounded_view
from rscovlm.scoring.answers import count_in
from rscovlm.scoring.statistics import wilson
from rscovlm.synth.catalogue import CLASS_NAMES, LAND_COVERS
from rscovlm.synth.dataset import scene_truth, write_picture, write_scene
from rscovlm.synth.questions import SCENE_TOPICS, SITE_TOPICS, Question, all_questions
from rscovlm.synth.world import World, plan_world
from rscovlm.tasks.ask import ask
from rscovlm.tasks.classify import Classification, classify_scenes
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.phrases import ground_phrases, plan_grounding
from rscovlm.tasks.questions import question_with_answer
from rscovlm.tasks.task import Tally, hit, score_reply, total
from rscovlm.tasks.zoom import ZoomRequest
from tiling.scene import Scene
from tiling.view import Size, Window
from zoom_chain.dialect import NANO
from zoom_chain.policies import POLICIES
from zoom_chain.settings import default_zoom_settings

HELD_OUT_SEED = 1 << 40
"""Scenes of training have seeds below 2^31."""


ZOOMS, SCENES, OBJECTS, PHRASES, CLOSE_UP = "zooms", "scenes", "objects", "phrases", "phrases close up"
"""Groups of the tally, beside "<topic>/<zoom mode>" of questions and "objects/<class>"."""
WITHIN_ONE = "count within one"

EVIDENCE, CLASSES = ZoomRequest(NANO), Classification(LAND_COVERS)
BOXES, PHRASE = Detection(CONTRACTS["nano"], CLASS_NAMES), Grounding(CONTRACTS["nano"])


@dataclass
class ScoreCard:
    """What nano gets right on held-out scenes.

    Attributes:
        tally: counts of answers, zooms, scene classes, boxes and phrases.
        truths: right answers by topic.
        zooms: how many zooms each chain took.
        found, true: boxes of each scene, for average precision.
    """

    tally: Tally = field(default_factory=Tally)
    truths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    zooms: list[int] = field(default_factory=list)
    found: dict[str, Detections] = field(default_factory=dict)
    true: dict[str, Detections] = field(default_factory=dict)


def evaluate_questions(card: ScoreCard, engine: Engine, scene: Scene, world: World) -> None:
    """Ask everything about a scene with zoom off and on."""
    questions = all_questions(world)
    settings = default_zoom_settings(engine.family.dialect.name)
    for mode in ("off", "chain"):
        chosen = replace(settings, policy=POLICIES[mode])
        answers = ask(scene, [question.text for question in questions], engine, settings=chosen)
        for question, answer in zip(questions, answers, strict=True):
            _count_answer(card, question, answer.text, mode)
            if mode == "chain" and question.topic in SITE_TOPICS:
                card.zooms.append(len(answer.trace.views) - 1)
                last = answer.trace.views[-1].view.window
                card.tally.add(ZOOMS, EVIDENCE, EVIDENCE.score(last, question.evidence))


def _count_answer(card: ScoreCard, question: Question, text: str, mode: str) -> None:
    task = question_with_answer(question.answer)
    card.tally.add(f"{question.topic}/{mode}", task, score_reply(task, text, question.answer))
    if question.topic == "count":
        stated = count_in(text)
        near = stated is not None and abs(stated - int(question.answer)) <= 1
        card.tally.add(f"{WITHIN_ONE}/{mode}", task, hit("accuracy", near))
    if mode == "chain":
        card.truths[question.topic].append(question.answer)


def evaluate_detections(card: ScoreCard, found: Detections, truth: Detections, scene: str = "scene") -> None:
    """Count the detections of one scene at IoU 0.5."""
    card.found[scene], card.true[scene] = found, truth
    for name, counts in BOXES.score_classes(found, truth).items():
        card.tally.add(f"{OBJECTS}/{name}", BOXES, counts)


def evaluate_phrases(card: ScoreCard, engine: Engine, count: int, folder: Path) -> None:
    """Ask for objects that phrases single out, each in a file of its own: in one view, and then close up."""
    path = folder / "phrase.tif"
    for index in range(count):
        photo, phrase, polygon = grounded_view(np.random.default_rng([HELD_OUT_SEED, index]))
        window = _write_surroundings(photo, path)
        scale = window.width / photo.size.width
        truth = polygon[None] * scale + (window.x, window.y)
        with Scene(path) as scene:
            for group, looks in ((PHRASES, 0), (CLOSE_UP, None)):
                run = plan_grounding(scene, engine.family, [phrase], window=window, closer_looks=looks)
                [found] = ground_phrases(scene, engine, run)
                box = None if found.polygon is None else found.polygon[None]
                card.tally.add(group, PHRASE, PHRASE.score(box, truth))
    path.unlink(missing_ok=True)


def _write_surroundings(photo: Photo, path: Path) -> Window:
    """Write what a photo shows, with as much around it; its window in pixels of that file."""
    shown = photo.window
    left, top = math.floor(shown.x - shown.width / 2), math.floor(shown.y - shown.height / 2)
    size = Size(math.ceil(2 * shown.height), math.ceil(2 * shown.width))
    around = replace(photo, window=Window(left, top, size.width, size.height), size=size)
    write_picture(around.read(), around.gsd_m, path)
    return Window(shown.x - left, shown.y - top, shown.width, shown.height)


def evaluate(spec: str, scenes: int, size: int, folder: Path, phrases: int = 300) -> ScoreCard:
    """Score a model on held-out scenes.

    Args:
        spec: what ``--model`` takes.
        scenes: how many.
        size: side of each in px.
        folder: for the GeoTIFFs, one at a time.
        phrases: views in which one object is asked for.
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
                found = detect_scene(scene, engine).detections
                evaluate_detections(card, found, scene_truth(world), f"{index}")
            path.unlink()
        evaluate_phrases(card, engine, phrases, folder)
    return card


def report(card: ScoreCard, scenes: int, size: int) -> str:
    """The score card as Markdown; intervals are Wilson's at 95 %."""
    asked = int(card.tally.counts(PHRASES).get("acc@0.5/of", 0))
    phrases = f" --phrases {asked}" if asked else ""
    lines = [
        f"Made by `python -m rscovlm.nano.scorecard --scenes {scenes} --size {size}{phrases}`",
        f"on {scenes} held-out synthetic scenes of {size} x {size} px at 0.3 m, as GeoTIFF files, through",
        "the Zoom-in Chain, tiles, scales and merging. Intervals are Wilson's at 95 %.",
        "",
        "| question about a place | most frequent answer | zoom off | zoom on |",
        "|---|---|---|---|",
        *(_question_row(card, topic) for topic in SITE_TOPICS),
        f"| {WITHIN_ONE} | | {_share(card, f'{WITHIN_ONE}/off')} | {_share(card, f'{WITHIN_ONE}/chain')} |",
        _sum_row(card, SITE_TOPICS),
        "",
        "| question about the scene | most frequent answer | zoom off | zoom on |",
        "|---|---|---|---|",
        *(_question_row(card, topic) for topic in SCENE_TOPICS),
        _sum_row(card, SCENE_TOPICS),
        "",
        f"- Zoom hit rate (the last view shows the evidence): {_share(card, ZOOMS, metric='zoom_hit')}",
        f"- Zooms a question: {np.mean(card.zooms) if card.zooms else 0:.2f}",
        f"- Scene class: {_share(card, SCENES)}",
        f"- Grounding Acc@0.5 of single phrases: {_share(card, CLOSE_UP, metric='acc@0.5')}",
        f"- The same from one view alone: {_share(card, PHRASES, metric='acc@0.5')}",
        f"- Detection APnc50, mean over classes: {_apnc(card)}",
        "",
        "| objects, rotated IoU 0.5 | precision | recall | F1 | true objects |",
        "|---|---|---|---|---|",
        *(f"| {name} | {_detection_row(card, (name,))} |" for name in CLASS_NAMES),
        f"| **all** | {_detection_row(card, CLASS_NAMES)} |",
    ]
    return "\n".join(lines) + "\n"


def _question_row(card: ScoreCard, topic: str) -> str:
    answers = card.truths[topic]
    prior = max(map(answers.count, set(answers)), default=0) / max(1, len(answers))
    off, on = (_share(card, f"{topic}/{mode}") for mode in ("off", "chain"))
    return f"| {topic} | {prior:.1%} | {off} | {on} |"


def _sum_row(card: ScoreCard, topics: Sequence[str]) -> str:
    off, on = (_share(card, *(f"{topic}/{mode}" for topic in topics)) for mode in ("off", "chain"))
    return f"| **all** | | **{off}** | **{on}** |"


def _share(card: ScoreCard, *groups: str, metric: str = "accuracy") -> str:
    """``97.1% (33/34; 85-99)`` of some groups together."""
    counts = total(card.tally.counts(group) for group in groups)
    right, of = (int(counts.get(f"{metric}/{part}", 0)) for part in ("hits", "of"))
    if not of:
        return "none asked"
    interval = wilson(right / of, of)
    return f"{right / of:.1%} ({right}/{of}; {100 * interval.low:.0f}-{100 * interval.high:.0f})"


def _apnc(card: ScoreCard) -> str:
    if not card.true:
        return "none asked"
    truth = {scene: GroundTruth(boxes) for scene, boxes in card.true.items()}
    return f"{evaluate_boxes(truth, card.found).apnc():.3f}"


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
    parser.add_argument("--phrases", type=int, default=300, help="views with a phrase (default: 300)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        card = evaluate(options.model, options.scenes, options.size, Path(folder), options.phrases)
    print(report(card, options.scenes, options.size))


if __name__ == "__main__":
    main()
