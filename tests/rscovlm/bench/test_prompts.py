"""Prompt profiles: words of a file, else of the recipe, else of the family."""

import pytest

from configs import ConfigError, available
from detection_eval.text.contracts import CONTRACTS
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.prompts import FOLDER, Profile, load_profile, task_of
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.questions import ChoiceQuestion, SeveralChoices
from rscovlm.tasks.recipe import Recipe

RSCOVLM, NANO = FAMILIES["rscovlm"], FAMILIES["nano"]


def an_item(kind, subject="", answers=("x",), options=(), **extra):
    return Item("a", ("a.tif",), kind, subject, Truth(answers), options, extra=extra)


def asked(profile, item, family=RSCOVLM, recipe=None):
    return profile.filled_for(family, recipe or Recipe()).prompt(item)


@pytest.mark.parametrize("name", available(f"{FOLDER}/"))
def test_every_profile_that_ships_is_whole(name):
    assert load_profile(name.removeprefix(f"{FOLDER}/")) == load_profile(name)


def test_rscovlm_is_asked_in_the_words_of_its_evaluation():
    profile = load_profile("rscovlm")
    classes = an_item("classify", options=("beach", "port"))
    assert asked(profile, classes).user == "Classify the image within one of the given classes:beach,port."
    question = an_item("open", "Is there a road?")
    suffix = " Answer the question using a single word or a short phrase."
    assert asked(profile, question).user == f"Is there a road?{suffix}"
    phrase = an_item("ground", "red roof")
    assert asked(profile, phrase).user == "Locate the red roof, output the bbox coordinates using JSON format"
    ships = asked(profile, an_item("detect", options=("ship", "large-vehicle")))
    assert ships.user == "find the large vehicle, ship."
    assert ships.system == CONTRACTS["rscovlm-quad"].system


def test_what_a_profile_leaves_out_is_the_recipes_then_the_familys():
    classes = an_item("classify", options=("sea", "sand"))
    default = load_profile("default")
    assert asked(default, classes, NANO).user == (
        "Classify the image into one of: sea, sand. Answer with the class name."
    )
    recipe = Recipe(
        classification_prompt="Which of {classes}?", class_joiner="|", question_suffix=" Briefly."
    )
    assert asked(default, classes, NANO, recipe).user == "Which of sea|sand?"
    assert asked(default, an_item("open", "Why?"), NANO, recipe).user == "Why? Briefly."
    own = Profile(classify="One of {classes}!", open="Q: {question}")
    assert asked(own, classes, NANO, recipe).user == "One of sea|sand!"
    assert asked(own, an_item("open", "Why?"), NANO, recipe).user == "Q: Why?"


def test_options_stand_in_the_words_of_the_profile():
    profile = Profile(choice="{question} Choices:\n{options}\nOnly the letter.", option="({letter}) {option}")
    prompt = asked(profile, an_item("choice", "Which {colour}?", ("B",), ("red", "blue")))
    assert prompt.user == "Which {colour}? Choices:\n(A) red\n(B) blue\nOnly the letter."


def test_several_right_letters_are_asked_for_and_read_as_such():
    one = task_of(an_item("choice", answers=("A",), options=("red", "blue")), None)
    both = task_of(an_item("choice", answers=("A", "B"), options=("red", "blue")), None)
    stated = task_of(an_item("choice", answers=("A",), options=("red", "blue"), several=True), None)
    assert isinstance(one, ChoiceQuestion)
    assert isinstance(both, SeveralChoices)
    assert isinstance(stated, SeveralChoices)
    assert both.parse("A and B") == {"A", "B"}


def test_a_system_text_stands_before_all_but_what_has_its_own():
    profile = Profile(system="Be brief.", detect_contract="rscovlm-quad")
    assert asked(profile, an_item("open", "Why?"), NANO).system == "Be brief."
    assert (
        asked(profile, an_item("detect", options=("ship",)), NANO).system == CONTRACTS["rscovlm-quad"].system
    )


def test_a_caption_of_an_item_that_says_how_is_asked_for_in_its_words():
    profile = Profile(caption="Describe it.")
    assert asked(profile, an_item("caption")).user == "Describe it."
    assert asked(profile, an_item("caption", "In one sentence?")).user == "In one sentence?"


def test_the_hash_tells_words_apart():
    assert Profile().hash == Profile().hash != Profile(caption="What is it?").hash


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("opne: '{question}'", "did you mean open"),
        ("open: 'Answer!'", r"lacks \{question\}"),
        ("choice: '{question}'", r"lacks \{options\}"),
        ("ground_contract: qwen9", "is no contract; choose from"),
    ],
)
def test_wrong_words_are_named(tmp_path, text, words):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_profile(str(path))


def test_boxes_without_a_contract_cannot_be_read():
    with pytest.raises(ValueError, match="no contract"):
        task_of(an_item("detect"), None)
