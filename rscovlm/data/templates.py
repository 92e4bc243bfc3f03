"""Prompt templates: the words in which tasks are put, with paraphrases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from configs import ConfigError, load_config
from detection_eval.text.contracts import Contract, Json, detection_prompt
from detection_eval.text.labels import by_spoken_name, spoken

_USES = {
    "detection-lines": "{classes}",
    "detection-json": "{classes}",
    "open-lines": None,
    "open-json": None,
    "grounding-lines": "{phrase}",
    "grounding-json": "{phrase}",
    "classification": "{classes}",
}
_NEEDED = ("grounding-lines", "grounding-json", "classification")


@dataclass(frozen=True)
class Templates:
    """A set of wordings by use.

    Attributes:
        name: of the configuration.
        wordings: use -> paraphrases, each equally likely. A use of detection that is missing takes the words
            of the box format itself.
        synonyms: class -> what it may be called in an answer to an open question.
    """

    name: str
    wordings: Mapping[str, Sequence[str]]
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)

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
        phrase = phrase.strip().rstrip(".")
        if "the {phrase}" in wording and phrase.lower().startswith("the "):
            phrase = phrase[4:]
        return wording.format(phrase=phrase)

    def classification(self, classes: Sequence[str], rng: np.random.Generator) -> str:
        """User text that asks for one of some classes."""
        return self._draw("classification", rng).format(classes=", ".join(classes))

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
    shipped = "/" not in name_or_path and not name_or_path.endswith(".yaml")
    data = load_config(f"templates/{name_or_path}" if shipped else name_or_path)
    synonyms = data.pop("synonyms", {})
    problems = _problems(data, synonyms)
    if problems:
        raise ConfigError(f"templates {name_or_path}: {'; '.join(problems)}")
    return Templates(name_or_path, data, synonyms)


def _problems(wordings: Mapping[str, Any], synonyms: Any) -> list[str]:
    problems = [f"{use} is missing" for use in _NEEDED if use not in wordings]
    for use, texts in wordings.items():
        if use not in _USES:
            problems.append(f"unknown use {use!r}; known are {', '.join(_USES)}, synonyms")
        elif not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            problems.append(f"{use} is not a list of texts")
        elif (slot := _USES[use]) and not all(slot in text for text in texts):
            problems.append(f"a wording of {use} lacks {slot}")
    if not isinstance(synonyms, dict) or not all(isinstance(words, list) for words in synonyms.values()):
        problems.append("synonyms is not a mapping of classes to lists")
    return problems


def _syntax(contract: Contract) -> str:
    return "-json" if isinstance(contract.syntax, Json) else "-lines"
