"""Prompt templates: words, paraphrases, and what is wrong with a file of them."""

import numpy as np
import pytest

from configs import ConfigError, available
from detection_eval.text.contract import detection_prompt
from detection_eval.text.contracts import CONTRACTS
from rscovlm.data.templates import Templates, load_templates

LINES, JSON = CONTRACTS["rscovlm-quad"], CONTRACTS["rscovlm-json-hbb"]
RNG = np.random.default_rng(0)


def of(**wordings) -> Templates:
    return Templates("mine", {use.replace("_", "-"): words for use, words in wordings.items()})


@pytest.mark.parametrize("name", available("templates"))
def test_shipped_templates_are_read(name):
    assert load_templates(name.removeprefix("templates/"))


def test_templates_say_all_that_is_wrong_with_them(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text('grounding-lines: ["where?"]\ngrounding: [a]\nclassification: []\n')
    with pytest.raises(ConfigError) as error:
        load_templates(str(path))
    for problem in (
        "words.yaml: grounding-json: is missing",
        "words.yaml: grounding-lines: 'where?' lacks {phrase}",
        "words.yaml: grounding: unknown setting; did you mean grounding-",
        "words.yaml: classification: tuple should have at least 1 item",
    ):
        assert problem in str(error.value)


def test_classes_are_listed_as_they_are_spoken_in_the_manner_of_the_box_format():
    words = of(detection_lines=["find {classes}!"], open_lines=["find all"])
    system, user = words.detection(LINES, ("small-vehicle", "Bridge"), RNG)
    assert user == f"find bridge{LINES.class_joiner}small vehicle!"
    assert system == detection_prompt(LINES, ("small-vehicle",))[0]
    assert words.detection(LINES, (), RNG)[1] == "find all"


def test_a_use_without_words_takes_those_of_the_box_format():
    words = of(detection_lines=["find {classes}!"])
    assert words.detection(JSON, ("ship",), RNG) == detection_prompt(JSON, ("ship",))
    assert words.detection(LINES, (), RNG) == detection_prompt(LINES, None)


def test_an_article_is_not_said_twice():
    words = of(grounding_lines=["where is the {phrase}?"], grounding_json=["box of {phrase}"])
    assert words.grounding(LINES, "The red ship.", RNG) == "where is the red ship?"
    assert words.grounding(LINES, "theatre", RNG) == "where is the theatre?"
    assert words.grounding(JSON, "the red ship", RNG) == "box of the red ship"


def test_a_box_is_labelled_by_the_phrase_or_by_the_class_where_it_is_known():
    assert of().grounded("White ship. ", "ship") == "White ship"
    by_class = Templates("mine", {}, grounding_label="class")
    assert by_class.grounded("White ship.", "ship") == "ship"
    assert by_class.grounded("White ship.", "") == "White ship"


def test_a_small_model_need_not_spell_the_phrase_again():
    assert load_templates("plain").grounding_label == "class"
    assert load_templates("rscovlm").grounding_label == "phrase"


def test_paraphrases_and_synonyms_are_equally_likely():
    words = Templates("mine", {"classification": ["a {classes}", "b"]}, {"small vehicle": ("car", "van")})
    rng = np.random.default_rng(0)
    drawn = [words.classification(("sea", "sand"), rng) for _ in range(400)]
    assert set(drawn) == {"a sea, sand", "b"}
    assert abs(drawn.count("b") - 200) < 40
    called = [words.synonym("small-vehicle", rng) for _ in range(400)]
    assert abs(called.count("car") - 200) < 40
    assert words.synonym("ship", rng) == "ship"
