"""Prompt profiles: the words by which the tasks of a benchmark are asked, from YAML.

Of what a profile leaves out a recipe decides, and of what that leaves out the model's family. Profiles ship
in ``configs/prompts``: ``default`` says as little as possible, ``rscovlm`` is how RSCoVLM was evaluated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from configs import load_config, located
from configs.checking import Section, checked
from detection_eval.text.contract import Contract
from detection_eval.text.contracts import CONTRACTS
from rscovlm.bench.item import Item, Kind
from rscovlm.models.families import CLASSIFY
from rscovlm.tasks.caption import Captioning
from rscovlm.tasks.classify import Classification
from rscovlm.tasks.count import Counting
from rscovlm.tasks.detection import Detection
from rscovlm.tasks.ground import Grounding
from rscovlm.tasks.provenance import text_hash
from rscovlm.tasks.questions import (
    CHOICE_WORDS,
    ChoiceQuestion,
    ChoiceWords,
    NumericQuestion,
    OpenQuestion,
    SeveralChoices,
)
from rscovlm.tasks.task import Prompt, Task, filled

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from rscovlm.tasks.recipe import Recipe

FOLDER = "prompts"
SPOKEN: tuple[Kind, ...] = ("open", "number", "count", "choice")
"""Kinds of questions that are answered in words, so that a model may look closer before it answers."""


def _holding(*places: str) -> AfterValidator:
    def check(words: str | None) -> str | None:
        missing = [place for place in places if words is not None and f"{{{place}}}" not in words]
        if missing:
            raise ValueError(f"{words!r} lacks {', '.join(f'{{{place}}}' for place in missing)}")
        return words

    return AfterValidator(check)


def _known(name: str | None) -> str | None:
    if name is not None and name not in CONTRACTS:
        raise ValueError(f"{name!r} is no contract; choose from {', '.join(CONTRACTS)}")
    return name


Question = Annotated[str | None, _holding("question")]
ContractName = Annotated[str | None, AfterValidator(_known)]


class Profile(Section):
    """Words by which tasks are asked; what is left out is the recipe's or the model's own."""

    system: str | None = None
    """Before the request, where a contract has no such text of its own."""
    classify: Annotated[str | None, _holding("classes")] = None
    """Asks for the class of a scene."""
    class_joiner: str | None = None
    """Between the classes in those words."""
    open: Question = None
    """Around a question that is answered in some words."""
    number: Question = None
    """Around a question that is answered by a number."""
    count: Question = None
    """Around a question that is answered by a count."""
    choice: Annotated[str | None, _holding("question", "options")] = None
    """Around a question with options of which one is right."""
    choices: Annotated[str, _holding("question", "options")] = CHOICE_WORDS["several"].text
    """Around a question with options of which several are right."""
    option: Annotated[str | None, _holding("letter", "option")] = None
    """One of the options."""
    ground: Annotated[str | None, _holding("phrase")] = None
    """Asks for the box of a phrase."""
    ground_contract: ContractName = None
    """How the model writes that box."""
    detect: Annotated[str | None, _holding("classes")] = None
    """Asks for all boxes of some classes."""
    detect_contract: ContractName = None
    """How the model writes these boxes."""
    caption: str = Captioning.words
    """Asks for a description, of items that do not say it themselves."""

    def filled_for(self, family: ModelFamily, recipe: Recipe) -> Profile:
        """This profile with the words of a recipe and a family where it has none of its own."""
        suffixed = "{question}" + recipe.question_suffix
        own: dict[str, Any] = {
            "classify": recipe.classification_prompt or family.classification_prompt,
            "class_joiner": family.class_joiner if recipe.class_joiner is None else recipe.class_joiner,
            "open": suffixed,
            "number": suffixed,
            "count": suffixed,
            "choice": CHOICE_WORDS[recipe.choice_words].text,
            "option": CHOICE_WORDS[recipe.choice_words].option,
            "ground_contract": family.detection,
            "detect": recipe.detection_prompt,
            "detect_contract": family.detection,
        }
        return self.model_copy(
            update={name: words for name, words in own.items() if getattr(self, name) is None}
        )

    @property
    def hash(self) -> str:
        """A fingerprint of all words."""
        return text_hash(self.model_dump_json())

    def contract_of(self, kind: Kind) -> Contract | None:
        """How boxes of a kind of task are written; None for those that are answered in words."""
        name = {"ground": self.ground_contract, "detect": self.detect_contract}.get(kind)
        if name is None:
            return None
        contract = CONTRACTS[name]
        if kind != "detect":
            return contract
        return replace(contract, user=self.detect or contract.user, system=contract.system or self.system)

    def prompt(self, item: Item) -> Prompt:
        """The words that ask for an item."""
        task = task_of(item, self.contract_of(item.kind), self)
        around = {"open": self.open, "number": self.number, "count": self.count}.get(item.kind)
        subject = item.subject if around is None else filled(around, question=item.subject)
        prompt: Prompt = task.prompt(subject)
        return prompt if prompt.system is not None else Prompt(self.system, prompt.user)


def task_of(item: Item, contract: Contract | None, profile: Profile | None = None) -> Task[Any]:
    """The task that an item belongs to.

    Args:
        item: of any kind.
        contract: how its boxes are written; without meaning for the others.
        profile: words, where it is to be asked; None where a reply is to be read alone.
    """
    words, plain = profile or Profile(), CHOICE_WORDS["plain"]
    one = ChoiceWords(words.choice or plain.text, words.option or plain.option)
    match item.kind:
        case "classify":
            joiner = ", " if words.class_joiner is None else words.class_joiner
            return Classification(item.options, words.classify or CLASSIFY, joiner)
        case "choice" if item.extra.get("several") or len(item.truth.answers) > 1:
            # how many letters are right must not show in the words: what the benchmark tells everybody does
            asked = words.choices if item.extra.get("several") else one.text
            return SeveralChoices(item.options, ChoiceWords(asked, one.option))
        case "choice":
            return ChoiceQuestion(item.options, one)
        case "open":
            return OpenQuestion()
        case "number":
            return NumericQuestion(float(item.extra.get("tolerance", 0.0)))
        case "count":
            return Counting()
        case "caption":
            return Captioning(words.caption)
        case "ground":
            return Grounding(_given(contract, item), words.ground)
        case "detect":
            return Detection(_given(contract, item), item.options or None)


def _given(contract: Contract | None, item: Item) -> Contract:
    if contract is None:
        raise ValueError(f"item {item.key} is about boxes, and no contract says how they are written")
    return contract


def load_profile(name_or_path: str) -> Profile:
    """The profile in a YAML file, or one that ships by name (``default``, ``rscovlm``).

    Raises:
        ConfigError: where there is no such file, naming all that is unknown or wrong in it.
    """
    where = located(name_or_path, FOLDER)
    return checked(Profile, load_config(where), where)
