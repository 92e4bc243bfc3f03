"""Numeric targets from fields and answers."""

import pytest

from rscovlm.data.readers.common import Options
from rscovlm.data.readers.regression import said_in
from tests.rscovlm.data.published import read, said, write_json


def reo(answer, question="What is the above-ground biomass?", **more):
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": "r", "image": ["a.png", "7.tif"], "conversations": turns, **more}


def test_the_number_of_a_biomass_answer_becomes_a_target(tmp_path, images):
    rows = [reo("The AGB is 123.4 Mg/ha.", gsd=10), reo("About 123.", agbd=123.44, split="test")]
    (stated, rounded), _ = read("reo-instruct", write_json(tmp_path / "r.json", rows), images)
    assert (stated.task, dict(stated.targets), stated.gsd_m) == ("regression", {"agb_mg_per_ha": 123.4}, 10)
    assert [ref.size for ref in stated.images] == [(100, 200)] * 2
    assert said(stated) == [
        ("user", "<image><image>What is the above-ground biomass?"),
        ("assistant", "The AGB is <value agb_mg_per_ha> Mg/ha."),
    ]
    assert dict(rounded.targets) == {"agb_mg_per_ha": 123.44}
    assert said(rounded)[1] == ("assistant", "About <value agb_mg_per_ha>.")


def test_counts_words_and_unclear_numbers(tmp_path, images):
    rows = [
        reo("There are 3 patches.", "How many ecological patches are there?"),
        reo("Closed forest.", "Which land cover is it?"),
        reo("Since 1990 it has 2 roads.", "Which human activity is seen?"),
        reo("Between 100 and 150 Mg/ha.", task="AGB regression"),
    ]
    (count, cover, activity), account = read("reo-instruct", write_json(tmp_path / "r.json", rows), images)
    assert (count.task, dict(count.targets)) == ("regression", {"patch_count": 3})
    assert (cover.task, activity.task) == ("vqa", "vqa")
    assert account.left_out == {"its target is not one number of its answer": 1}


def test_flat_questions_and_named_targets(tmp_path, images):
    rows = [{"image": "a.png", "question": "How high are the trees?", "answer": "21.5 m", "rh98": 21.53}]
    path = write_json(tmp_path / "r.json", rows)
    (sample,), _ = read("reo-instruct", path, images, targets={"rh98": "height_m"})
    assert (sample.task, dict(sample.targets)) == ("regression", {"height_m": 21.53})
    assert said(sample)[1] == ("assistant", "<value height_m> m")


def test_a_number_is_a_fields_value_where_it_is_that_value_rounded(tmp_path, images):
    asked = "What is the biomass?"
    rows = [reo("12.3 Mg/ha", asked, agbd=value) for value in (12.26, 12.34, 12.36)]
    samples, account = read("reo-instruct", write_json(tmp_path / "r.json", rows), images)
    # 12.26 and 12.34 are 12.3 to one decimal, 12.36 is 12.4.
    assert [sample.targets["agb_mg_per_ha"] for sample in samples] == [12.26, 12.34]
    assert account.left_out == {"its target is not one number of its answer": 1}


@pytest.mark.parametrize(
    ("answer", "value", "text"),
    [
        ("5.5 Mg ha-1", 5.5, "<value agb_mg_per_ha> Mg ha-1"),
        ("1,050.5 t/ha", 1050.5, "<value agb_mg_per_ha> t/ha"),
        ("It is 0.5 kg/m2.", 5, "It is <value agb_mg_per_ha> Mg/ha."),
        ("In 2020 it was 40 Mg/ha.", 40, "In 2020 it was <value agb_mg_per_ha> Mg/ha."),
    ],
)
def test_units_are_told_from_numbers_and_turned_into_the_targets_own(tmp_path, images, answer, value, text):
    path = write_json(tmp_path / "r.json", [reo(answer)])
    (sample,), _ = read("reo-instruct", path, images)
    assert dict(sample.targets) == {"agb_mg_per_ha": value}
    assert said(sample)[1] == ("assistant", text)


def test_what_is_no_size_of_a_pixel_is_none(tmp_path, images):
    rows = [reo("Forest.", "Which cover?", gsd=value) for value in (0.5, "10", 0, -1, "fine", True)]
    samples, _ = read("reo-instruct", write_json(tmp_path / "r.json", rows), images)
    assert [sample.gsd_m for sample in samples] == [0.5, 10.0, None, None, None, None]


def test_what_a_record_says_is_read_without_its_images():
    (found,) = said_in(reo("It is 12.5 Mg/ha.", "<image>\nWhat is the AGB?"), Options())
    assert found == ("What is the AGB?", "It is 12.5 Mg/ha.", "agb_mg_per_ha", {"agb_mg_per_ha": 12.5})
    (cover,) = said_in({"question": "Which land cover?", "answer": "shrubs", "agbd": 4.0}, Options())
    assert (cover.target, cover.targets) == (None, {"agb_mg_per_ha": 4.0})


def test_every_question_of_a_conversation_is_said_with_its_own_target():
    turns = [
        *({"from": "human", "value": "<image>\nWhich land cover is it?"}, {"from": "gpt", "value": "crops"}),
        *({"from": "human", "value": "How many patches are there?"}, {"from": "gpt", "value": "3"}),
        *({"from": "human", "value": "And the biomass?"}, {"from": "gpt", "value": "50.5 Mg/ha"}),
    ]
    found = said_in({"conversations": turns}, Options())
    assert [(each.question, each.target) for each in found] == [
        ("Which land cover is it?", None),
        ("How many patches are there?", "patch_count"),
        ("And the biomass?", "agb_mg_per_ha"),
    ]
    assert (found[1].targets, found[2].targets) == ({"patch_count": 3}, {"agb_mg_per_ha": 50.5})
