"""Recipes: how a model is run, in one YAML file that every command takes as ``--config``.

A recipe says what differs from a model's own defaults: prompts, image sizes, tiles, zoom, limits, sampling.
Those that ship (``rscovlm/dota``, ``rscovlm/lrs-vqa``, ``qwen3-vl/zoom`` ...) are how published weights were
run by their authors. Options of the command line count before a recipe, a recipe before the family.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from configs import ConfigError, load_config
from configs.checking import Section, checked
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.text.contract import Contract
from detection_eval.text.contracts import CONTRACTS
from rscovlm.errors import UsageError
from rscovlm.models.families import ModelFamily
from rscovlm.tasks.passes import read_gsd
from rscovlm.tasks.questions import CHOICE_WORDS, ChoiceQuestion, OpenQuestion
from tiling.resolution import PolicyName, resolution_policy
from zoom_chain.budget import Budget
from zoom_chain.chat import GREEDY, Sampling
from zoom_chain.dialect_files import load_dialect
from zoom_chain.looks import CropRule
from zoom_chain.policies import ZoomPolicy
from zoom_chain.settings import ZoomSettings, default_zoom_settings, policy_named

SHORT = " Answer the question using a single word or a short phrase."
"""End of RSCoVLM's questions (eval/data/geochat_bench.py)."""

_COUNTING = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b", re.IGNORECASE)


def _length(value: Any) -> str | None:
    """A length as the options of the command line take it; YAML reads a bare 512 as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError(f"{value!r} is no length such as 512 (pixels) or 500m")
    return None if value is None else str(value)


def _gsd(value: Any) -> Any:
    """One or several ground sampling distances, as a number, a list, or text as the option takes it."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float | list):
        return value
    try:
        return read_gsd(",".join(map(str, value)) if isinstance(value, list) else str(value))
    except UsageError as error:
        raise ValueError(str(error).removeprefix("--gsd ")) from None


def _classes(value: Any) -> Any:
    """The name of a class list, or class names."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if value not in CLASS_LISTS:
        raise ValueError(f"no class list {value!r}; choose {', '.join(CLASS_LISTS)}, or list the names")
    return CLASS_LISTS[value]


def _known(names: Mapping[str, Any]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value is not None and value not in names:
            raise ValueError(f"{value!r} is unknown; choose from {', '.join(names)}")
        return value

    return BeforeValidator(check)


def _dialect(value: Any) -> Any:
    """The name or file of a dialect that can be read."""
    if isinstance(value, str):
        try:
            load_dialect(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
    return value


Length = Annotated[str | None, BeforeValidator(_length)]


class Recipe(Section):
    """How a model is run; what is left out is the model's or the command's own."""

    resolution: PolicyName = "native"
    """Size at which images are shown: ``native``, or brought to the ``max``, ``min`` or ``small`` area."""
    min_pixels: int | None = Field(None, ge=1)
    """Smallest area of an image, in place of the model's."""
    max_pixels: int | None = Field(None, ge=1)
    """Largest area of an image, in place of the model's."""
    max_tokens: int | None = Field(None, ge=1)
    """Most tokens of one reply."""
    sampling: Literal["greedy", "checkpoint"] | Sampling = "greedy"
    """``greedy``, ``checkpoint`` for the rules in its ``generation_config.json``, or the rules one by one."""

    classes: Annotated[tuple[str, ...], BeforeValidator(_classes), Field(min_length=1)] | None = None
    """Class names, or the name of a list (``dota-v1.0``)."""
    contract: Annotated[str | None, _known(CONTRACTS)] = None
    """How boxes are asked for and written."""
    detection_prompt: str | None = None
    """Words that ask for boxes, with ``{classes}`` in them, in place of the contract's."""
    tile: Length = None
    """Side of a tile: ``512`` (pixels) or ``500m``."""
    overlap: Length = None
    """Overlap of neighbouring tiles, in the same way."""
    gsd: Annotated[tuple[float, ...], BeforeValidator(_gsd)] | None = None
    """Metres per pixel at which the model sees the scene: ``1.2``, or ``[0.4, 1.2]`` for several passes."""

    state_gsd: bool = False
    """Say after each image how large a pixel is, to models that have learnt it so (``geoscale --stated``)."""

    classification_prompt: str | None = None
    """Words that ask for the class of a scene, with ``{classes}`` in them."""
    class_joiner: str | None = None
    """Between the classes in those words."""

    question_suffix: str = ""
    """Text after each question that has no options."""
    choice_words: Annotated[str, _known(CHOICE_WORDS)] = "plain"
    """How questions with options are put: ``plain`` or ``mme-realworld``."""
    dialect: Annotated[str | None, BeforeValidator(_dialect)] = None
    """Words of the zoom tool: the name of a dialect, or a YAML file with one."""
    never_zoom: tuple[str, ...] = ()
    """Categories of questions that are asked without the zoom tool, such as ``count``."""
    policy: Annotated[ZoomPolicy | None, BeforeValidator(policy_named)] = None
    """Zoom policy: one of ``zoom_chain.policies.POLICIES``, such as ``chain``."""
    budget: Budget | None = None
    """Limits on the cost of one question."""
    crops: CropRule | None = None
    """How a requested box becomes the window that is read."""

    def family(self, family: ModelFamily) -> ModelFamily:
        """A family as the recipe wants it run.

        Raises:
            ModelError, ResolutionError: for bounds on the area of images that leave no size.
        """
        if self.max_pixels is not None:
            family = family.with_max_pixels(self.max_pixels)
        bounds = family.resolution
        bounds = replace(bounds, min_pixels=self.min_pixels or bounds.min_pixels)
        changes: dict[str, Any] = {
            "resolution": resolution_policy(self.resolution, bounds),
            "states_gsd": self.state_gsd,
        }
        if self.contract is not None:
            changes["detection"] = self.contract
        if self.dialect is not None:
            changes["dialect"] = load_dialect(self.dialect)
        if self.classification_prompt is not None:
            changes["classification_prompt"] = self.classification_prompt
        if self.class_joiner is not None:
            changes["class_joiner"] = self.class_joiner
        return replace(family, **changes)

    def detection_contract(self, family: ModelFamily) -> Contract:
        """How a family is asked for boxes."""
        contract = CONTRACTS[family.detection]
        return replace(contract, user=self.detection_prompt) if self.detection_prompt else contract

    def zoom(self, family: ModelFamily) -> ZoomSettings:
        """The zoom settings; those of the family's dialect where the recipe is silent."""
        settings = default_zoom_settings(family.dialect.name)
        given = {name: getattr(self, name) for name in ("policy", "budget", "crops")}
        return replace(settings, **{name: value for name, value in given.items() if value is not None})

    def question(self, question: str, options: tuple[str, ...] = (), *, short: bool = False) -> str:
        """The words of a question; with options those of multiple choice, which ask for a letter.

        Args:
            question: as the user puts it.
            options: to choose from, A first.
            short: ask for a word or short phrase instead of what the recipe asks for.
        """
        if options:
            return ChoiceQuestion(options, self.choice_words).prompt(question).user
        return OpenQuestion(SHORT if short else self.question_suffix).prompt(question).user

    def zooms(self, question: str, category: str | None) -> bool:
        """Whether the zoom tool may be offered for a question.

        A question without a stated category counts as ``count`` where it asks for a number.
        """
        if category is None and _COUNTING.search(question):
            category = "count"
        return category not in self.never_zoom

    @property
    def sampling_rules(self) -> Sampling | None:
        """As ``Generation`` takes them."""
        if isinstance(self.sampling, Sampling):
            return self.sampling
        return GREEDY if self.sampling == "greedy" else None


def load_recipe(name_or_path: str | None) -> Recipe:
    """The recipe in a YAML file, or in one that ships with the package; None gives the empty one.

    Raises:
        ConfigError: where there is no such file, naming all that is unknown or wrong in it.
    """
    if name_or_path is None:
        return Recipe()
    return checked(Recipe, load_config(name_or_path), name_or_path)


def read_sampling(text: str) -> Literal["greedy", "checkpoint"] | Sampling:
    """Sampling from an option: ``greedy``, ``checkpoint``, or ``temperature=0.7,top_p=0.8,...``.

    Raises:
        UsageError: for something else.
    """
    if text in ("greedy", "checkpoint"):
        return text  # type: ignore[return-value]
    kinds = {field.name: int if field.name == "top_k" else float for field in fields(Sampling)}
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            values[name] = kinds[name](value)
        except (KeyError, ValueError):
            raise UsageError(
                f"--sampling {text!r}: {part.strip()!r} is no rule; give greedy, checkpoint, or rules such "
                f"as temperature=0.7,top_p=0.8 ({', '.join(kinds)})"
            ) from None
    try:
        return Sampling(**values)
    except ValueError as error:
        raise UsageError(f"--sampling {text!r}: {error}") from None
