"""Prompt templates: the words in which tasks are put, with paraphrases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field

from configs import load_config, located
from configs.checking import Section, checked
from detection_eval.text.contract import Contract, Json, detection_prompt
from detection_eval.text.labels import by_spoken_name, spoken


def _each_has(slot: str) -> AfterValidator:
    """Refuses wordings that leave out what is filled in."""

    def check(texts: tuple[str, ...]) -> tuple[str, ...]:
        if lacking := [text for text in texts if slot not in text]:
            raise ValueError(f"{lacking[0]!r} lacks {slot}")
        return texts

    return AfterValidator(check)


Texts = Annotated[tuple[str, ...], Field(min_length=1)]
GroundingLabel = Literal["phrase", "class"]
_Classes = Annotated[Texts, _each_has("{classes}")]
_Phrase = Annotated[Texts, _each_has("{phrase}")]


class TemplateFile(Section):
    """Wordings by use, as a YAML file of ``configs/templates`` states them; each is equally likely.

    A use of detection that is left out takes the words of the box format itself. ``-lines`` and ``-json`` go
    by the syntax of the box format.
    """

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    detection_lines: _Classes | None = None
    """Ask for the objects of some classes."""
    detection_json: _Classes | None = None
    open_lines: Texts | None = None
    """Ask for whatever there is."""
    open_json: Texts | None = None
    grounding_lines: _Phrase
    """Ask where a phrase is."""
    grounding_json: _Phrase
    classification: _Classes
    """Ask for one of some classes."""
    class_joiner: str = ", "
    """Between the classes to choose from."""
    verbatim: bool = False
    """Phrases to find are written as annotated, with their article and full stop, in answers too."""
    grounding_label: GroundingLabel = "phrase"
    """Beside the box in an answer about a phrase: the phrase again, or the class where it is known."""
    synonyms: dict[str, Texts] = Field(default={})
    """Class -> what it may be called in an answer to an open question."""


@dataclass(frozen=True)
class Templates:
    """A set of wordings by use.

    Attributes:
        name: of the configuration.
        wordings: use -> paraphrases, each equally likely. A use of detection that is missing takes the words
            of the box format itself.
        synonyms: class -> what it may be called in an answer to an open question.
        class_joiner: between the classes to choose from.
        verbatim: phrases to find are written as annotated, with their article and full stop, in answers too.
        grounding_label: what stands beside the box in an answer about a phrase.
    """

    name: str
    wordings: Mapping[str, Sequence[str]]
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    class_joiner: str = ", "
    verbatim: bool = False
    grounding_label: GroundingLabel = "phrase"

    def detection(
        self, contract: Contract, classes: Sequence[str], rng: np.random.Generator
    ) -> tuple[str | None, str]:
        """System text (or None) and user text that ask for classes, or for whatever there is."""
        system, user = detection_prompt(contract, classes or None)
        use = ("detection" if classes else "open") + _syntax(contract)
        if use not in self.wordings:
            return system, user
        listed = contract.class_joiner.join(spoken(name) for name in by_spoken_name(classes))
        return system, self._draw(use, rng).format(classes=listed)

    def grounding(self, contract: Contract, phrase: str, rng: np.random.Generator) -> str:
        """User text that asks where a phrase is."""
        wording = self._draw("grounding" + _syntax(contract), rng)
        if self.verbatim:
            return wording.format(phrase=phrase)
        phrase = phrase.strip().rstrip(".")
        if "the {phrase}" in wording and phrase.lower().startswith("the "):
            phrase = phrase[4:]
        return wording.format(phrase=phrase)

    def grounded(self, phrase: str, name: str | None) -> str:
        """The label of the box in the answer.

        Args:
            phrase: that was asked for.
            name: class of the object, where it is known.
        """
        if self.grounding_label == "class" and name:
            return name
        return phrase if self.verbatim else phrase.strip().rstrip(".")

    def classification(self, classes: Sequence[str], rng: np.random.Generator) -> str:
        """User text that asks for one of some classes."""
        return self._draw("classification", rng).format(classes=self.class_joiner.join(classes))

    def synonym(self, name: str, rng: np.random.Generator) -> str:
        """A word for a class, as an open question may be answered."""
        words = self.synonyms.get(spoken(name))
        return words[int(rng.integers(len(words)))] if words else name

    def _draw(self, use: str, rng: np.random.Generator) -> str:
        wordings = self.wordings[use]
        return wordings[int(rng.integers(len(wordings)))]


def load_templates(name_or_path: str) -> Templates:
    """A template set: one that ships (``rscovlm``, ``varied``, ``plain``) or the path of a YAML file.

    Raises:
        ConfigError: naming all that is wrong with it.
    """
    data = load_config(located(name_or_path, "templates"))
    stated = checked(TemplateFile, data, f"templates {name_or_path}")
    rules = {"synonyms", "class_joiner", "verbatim", "grounding_label"}
    wordings = stated.model_dump(by_alias=True, exclude=rules, exclude_none=True)
    return Templates(
        name_or_path,
        wordings,
        stated.synonyms,
        stated.class_joiner,
        stated.verbatim,
        stated.grounding_label,
    )


def _syntax(contract: Contract) -> str:
    return "-json" if isinstance(contract.syntax, Json) else "-lines"
