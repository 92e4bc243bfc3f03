"""What a model is asked in order to find the objects of a scene, and all that its replies depend on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from detection_eval.formats.class_lists import DOTA_V1_0
from detection_eval.text.contract import Contract
from detection_eval.text.contracts import CONTRACTS
from rscovlm.tasks.asking import Look, Questions, tile_key
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.passes import plan_passes
from rscovlm.tasks.provenance import text_hash
from rscovlm.tasks.replies import reply_facts
from rscovlm.tasks.task import Prompt
from rscovlm.tasks.tiles import TilePlan
from tiling.view import Size
from zoom_chain.chat import Generation

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from tiling.scene import Scene

BATCH_SIZE = 16


@dataclass(frozen=True)
class DetectionRun:
    """The questions about the tiles of a scene, and how they are asked.

    Attributes:
        plans: the tiles of each pass over the scene.
        task: what is asked about each, but for the classes where a plan has its own.
        options: how replies are generated.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model wrote them, instead of rectangles on the ground.
        class_scales: the scale, in scene px per view px, of the pass that objects of a class belong to, for
            classes of which it is stated.
        closer_looks: how many times each object that was found is looked at again, close up.
    """

    plans: tuple[TilePlan, ...]
    task: Detection
    options: Generation
    batch_size: int = BATCH_SIZE
    as_written: bool = False
    class_scales: Mapping[str, float] = field(default_factory=dict)
    closer_looks: int = 0

    def __post_init__(self) -> None:
        scales = [plan.scale for plan in self.plans]
        if not scales or (len(scales) > 1 and (None in scales or len(set(scales)) < len(scales))):
            raise ValueError(f"passes at the scales {scales}; give one pass, or several with a scale each")

    def task_of(self, plan: TilePlan) -> Detection:
        """The prompts about the tiles of a plan."""
        return self.task if plan.classes is None else replace(self.task, classes=plan.classes)

    @property
    def looks(self) -> list[Look]:
        """Each tile of each pass, in the order in which they are asked about."""
        return [
            Look(tile_key(tile, plan.scale), number, tile, view)
            for number, plan in enumerate(self.plans)
            for tile, view in zip(plan.tiles, plan.views, strict=True)
        ]

    @property
    def questions(self) -> Questions:
        """What is asked about the tiles."""
        prompts = [self.task_of(plan).prompt() for plan in self.plans]
        return Questions(self.looks, prompts, self.options, self.batch_size)

    @property
    def requests(self) -> dict[Prompt, set[Size]]:
        """Prompts, each with the sizes of the tiles to which it is put."""
        said: dict[Prompt, set[Size]] = {}
        for plan in self.plans:
            said.setdefault(self.task_of(plan).prompt(), set()).update(view.size for view in plan.views)
        return said

    @property
    def prompt_hash(self) -> str:
        """A fingerprint of the words, for provenance."""
        return text_hash("\n".join(text for prompt in self.requests for text in prompt if text))

    def facts(
        self, scene: Scene, model: str, device: str | None = None, dtype: str | None = None
    ) -> dict[str, Any]:
        """All that the replies depend on, for a journal; ``model`` names the very weights."""
        return {
            **reply_facts(model, device, dtype),
            "scene": scene.identity,
            "prompt": self.prompt_hash,
            "contract": self.task.contract.name,
            **_of_each([self._facts_of(plan) for plan in self.plans]),
            "generation": asdict(self.options),
            **({"closer looks": self.closer_looks} if self.closer_looks else {}),
            # The words of a reply may depend on what it shared a batch with.
            "batch size": self.batch_size,
        }

    def _facts_of(self, plan: TilePlan) -> dict[str, Any]:
        """Everything on which the replies about the tiles of one pass depend."""
        grid = plan.grid
        return {
            "classes": self.task_of(plan).classes,
            "scale": plan.scale,
            "tile": grid.tile,
            "overlap": grid.overlap,
            "window": grid.extent.bounds,
            "area": None if plan.area is None else text_hash(plan.area.wkt),
            "resolution": asdict(plan.resolution),
        }


def _of_each(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By name the value of the only pass or those of all: what differs between two runs is told by name."""
    if len(facts) == 1:
        return facts[0]
    return {name: [each[name] for each in facts] for name in facts[0]}


def plan_detection(
    scene: Scene,
    family: ModelFamily,
    classes: Sequence[str] | None = None,
    *,
    plans: Sequence[TilePlan] | None = None,
    contract: Contract | None = None,
    options: Generation | None = None,
    batch_size: int = BATCH_SIZE,
    as_written: bool = False,
    aliases: Mapping[str, str] | None = None,
    closer_looks: int | None = None,
) -> DetectionRun:
    """Plan the questions to a model of a family about a scene.

    Args:
        scene: to look at.
        family: of the model.
        classes: to find; None takes the family's own, else those of DOTA-v1.0.
        plans: the tiles of each pass; None takes those that suit the family.
        contract: how boxes are asked for; None takes the family's.
        options: how replies are generated; None decides greedily with room for what a tile can hold.
        batch_size: tiles of one batch.
        as_written: keep the four corners as the model writes them.
        aliases: other words for a class in replies, as {word: class}.
        closer_looks: how many times each found object is looked at again; None takes the family's number.

    Raises:
        UsageError: for classes that the model does not know.
    """
    names = wanted_classes(family, classes)
    task = Detection(contract or CONTRACTS[family.detection], names, aliases)
    options = options or Generation(max_new_tokens=family.detection_tokens)
    plans = tuple(plan_passes(scene, family, names) if plans is None else plans)
    scales = _class_scales(scene, family, names, plans)
    closer = family.closer_looks if closer_looks is None else closer_looks
    return DetectionRun(plans, task, options, batch_size, as_written, scales, closer)


def _class_scales(
    scene: Scene, family: ModelFamily, classes: Sequence[str], plans: Sequence[TilePlan]
) -> dict[str, float]:
    """The scale of the pass that is nearest to the one that a family states for a class."""
    scales = [plan.scale for plan in plans if plan.scale is not None]
    own = scene.gsd_m
    if family.class_gsd_m is None or own is None or not scales:
        return {}
    stated = {name: family.gsd_of(name) for name in classes}
    return {
        name: min(scales, key=lambda scale: abs(math.log(scale * own / gsd_m)))
        for name, gsd_m in stated.items()
        if gsd_m is not None
    }


def wanted_classes(family: ModelFamily, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The classes to ask a family for: those given, else its own, else those of DOTA-v1.0.

    Raises:
        UsageError: for classes outside the family's own list.
    """
    if classes is None:
        return family.classes or DOTA_V1_0
    family.check_known(classes, family.classes)
    return tuple(classes)
