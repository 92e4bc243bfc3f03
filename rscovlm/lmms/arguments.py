"""Settings of a run: those of ``--model_args``, of a recipe, and of the task.

What a user states in ``--model_args`` counts before the recipe that ``config`` names, a recipe before the
task, and the task before the defaults of the commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rscovlm.cli.ask import Zoom, zoom_settings
from rscovlm.cli.option_groups import ModelOptions, SceneOptions
from rscovlm.cli.options import Shown, Upright
from rscovlm.errors import UsageError
from zoom_chain.chat import GREEDY, Generation, Sampling

if TYPE_CHECKING:
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.tasks.recipe import Recipe
    from zoom_chain.settings import ZoomSettings

Choice = TypeVar("Choice", bound=StrEnum)

TOKENS = 512
"""Most tokens of one reply where nothing else is said, and the least where a closer look may be asked for."""

_HARNESS_STOP = "\n\n"
"""Stop string that lmms-eval fills in for tasks that state none; long answers have paragraphs."""


@dataclass(frozen=True)
class Arguments:
    """Keys of ``--model_args``, each by the name of the option of ``rscovlm ask`` that means the same.

    Attributes:
        pretrained: the model, as ``--model`` takes it.
        config: recipe by name, or a YAML file.
        zoom: ``off``, ``single`` or ``chain``; as the recipe or the model's dialect says by default.
        max_zooms: most crops of a question.
        resolution: ``native``, ``max``, ``min`` or ``small``.
        max_pixels: largest area of an image shown to the model.
        max_tokens: most tokens of one reply.
        sampling: ``greedy`` or ``checkpoint``; single rules go into a recipe.
        family: how the model sees and writes, where its checkpoint does not tell.
        orientation: which way up scenes are shown, ``north`` or ``file``.
        seed: random seed of sampling.
        image_field: field of a document that names its image file, to be opened in place of what the task
            decodes.
        image_root: folder that names of files are relative to.
        traces: folder for what was looked at, one JSON file a request.
        batch_size: requests that are answered together.
        device: ``cuda``, ``mps`` or ``cpu``; the best there is by default.

    Raises:
        UsageError: with one clear line.
    """

    pretrained: str = "nano"
    config: str | None = None
    zoom: str | None = None
    max_zooms: int | None = None
    resolution: str | None = None
    max_pixels: int | None = None
    max_tokens: int | None = None
    sampling: str | None = None
    family: str | None = None
    orientation: str = "north"
    seed: int = 0
    image_field: str | None = None
    image_root: str | None = None
    traces: str | None = None
    batch_size: int | str = 16
    device: str | None = None
    options: ModelOptions = field(init=False)
    reading: SceneOptions = field(init=False)

    def __post_init__(self) -> None:
        for name in ("max_zooms", "max_pixels", "max_tokens", "seed"):
            value = getattr(self, name)
            least = 0 if name in ("max_zooms", "seed") else 1
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise UsageError(f"{name}={value!r} is no number; give {least} or more")
        if not str(self.batch_size).isdecimal() or int(self.batch_size) < 1:
            raise UsageError(f"batch_size={self.batch_size!r} is no number; give 1 or more")
        if self.image_root is not None and not Path(self.image_root).is_dir():
            raise UsageError(f"image_root={self.image_root} is no folder")
        if self.image_root is not None and self.image_field is None:
            raise UsageError("image_root is for files that image_field names; give image_field too")
        _choice(Zoom, "zoom", self.zoom)
        shown = _choice(Shown, "resolution", self.resolution)
        options = ModelOptions(
            model=self.pretrained,
            config=self.config,
            resolution=shown,
            max_pixels=self.max_pixels,
            max_tokens=self.max_tokens,
            sampling=self.sampling,
            device=self.device,
            family=self.family,
            seed=self.seed,
        )
        upright = _choice(Upright, "orientation", self.orientation) or Upright.north
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "reading", SceneOptions(orientation=upright))

    @property
    def together(self) -> int:
        """Requests that are answered together."""
        return int(self.batch_size)

    def zoom_settings(self, recipe: Recipe, checkpoint: Checkpoint) -> ZoomSettings:
        """Those of the recipe, with what the arguments change in them."""
        return zoom_settings(recipe, checkpoint.family, _choice(Zoom, "zoom", self.zoom), self.max_zooms)


def _choice(kind: type[Choice], name: str, value: str | bool | None) -> Choice | None:
    """A member by its name; None stays None."""
    if value is None:
        return None
    text = "off" if value is False else str(value)
    if text not in list(kind):
        raise UsageError(f"{name}={value!r} is unknown; choose {', '.join(kind)}")
    return kind(text)


@dataclass(frozen=True)
class TaskSettings:
    """Generation settings of a task, in the words of lmms-eval.

    Attributes:
        max_new_tokens: most tokens of the answer; None where the task does not say.
        sampling: how tokens are chosen.
        until: texts that end an answer.
        beams: width of a beam search; no engine here runs one.
    """

    max_new_tokens: int | None = None
    sampling: Sampling = GREEDY
    until: tuple[str, ...] = ()
    beams: int = 1

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> TaskSettings:
        """From ``generation_kwargs``; settings that no engine here has are passed over.

        Raises:
            UsageError: for values out of range.
        """
        until = given.get("until") or ()
        stops = [until] if isinstance(until, str) else list(until)
        tokens = given.get("max_new_tokens")
        try:
            return cls(
                None if tokens is None else int(tokens),
                _sampling(given),
                tuple(stop for stop in stops if stop and stop != _HARNESS_STOP),
                int(given.get("num_beams") or 1),
            )
        except (TypeError, ValueError) as error:
            raise UsageError(f"generation settings of the task: {error}") from None

    def generation(self, recipe: Recipe, *, zooms: bool, seed: int) -> Generation:
        """How replies are generated.

        A reply that asks for a closer look is longer than the answer that a task has in mind: where one may,
        the task's limit is raised to ``TOKENS``.
        """
        limit = self.max_new_tokens or TOKENS
        if zooms:
            limit = max(limit, TOKENS)
        stated = "sampling" in recipe.model_fields_set
        sampling = recipe.sampling_rules if stated else self.sampling
        return Generation(recipe.max_tokens or limit, sampling, seed)

    def cut(self, answer: str) -> str:
        """An answer up to the first text that ends it."""
        for stop in self.until:
            answer = answer.partition(stop)[0]
        return answer.strip()


def _sampling(given: Mapping[str, Any]) -> Sampling:
    """The temperature decides, as in lmms-eval's own models; ``do_sample`` alone means a temperature of 1."""
    temperature = given.get("temperature")
    if temperature is None:
        temperature = 1.0 if given.get("do_sample") else 0.0
    if not float(temperature):
        return GREEDY
    rules = {"top_p": float, "top_k": int, "presence_penalty": float, "repetition_penalty": float}
    stated = {name: kind(given[name]) for name, kind in rules.items() if given.get(name) is not None}
    return replace(Sampling(float(temperature)), **stated)
