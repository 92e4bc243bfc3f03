"""Grounding, scene classes, questions, zooms and numeric targets as samples."""

import pytest

from rscovlm.errors import DataError
from tests.rscovlm.data.published import corners, image, quad, read, said, write_json, write_lines

DIAMOND = [[20, 10], [30, 20], [20, 30], [10, 20]]


@pytest.fixture
def images(tmp_path):
    for name in ("a.png", "rsvg/b.jpg", "7.tif"):
        image(tmp_path / "images" / name)
    return tmp_path / "images"


# --- grounding ------------------------------------------------------------------------------------


def test_refgeo_takes_the_polygon_where_there_is_one(tmp_path, images):
    rows = [
        {
            "image_id": "b.jpg",
            "dataset": "rsvg",
            "question": "the  red ship.",
            "bbox": [10, 10, 30, 30],
            "poly": [[30, 20], [20, 30], [10, 20], [20, 10]],
            "image_width": 200,
            "image_height": 100,
        },
        {"image_id": "a.png", "dataset": "avvg", "question": "a car", "bbox": [1, 2, 3, 4], "poly": ""},
        {"image_id": "gone.png", "question": "x", "bbox": [1, 2, 3, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [1, 2, 1, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [500, 2, 510, 4]},
        {"image_id": "a.png", "question": " ", "bbox": [1, 2, 3, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [1, 2, 3]},
    ]
    path = write_lines(tmp_path / "refgeo.jsonl", rows)
    (ship, car), account = read("refgeo", path, images)
    assert (ship.id, ship.task, ship.phrase, ship.turns) == (
        "refgeo.jsonl:1",
        "grounding",
        "the red ship",
        (),
    )
    assert ship.images[0].path == str(images / "rsvg" / "b.jpg")
    assert [(corners(b), b.horizontal) for b in ship.boxes] == [(DIAMOND, False)]
    assert [(corners(b), b.horizontal) for b in car.boxes] == [(quad(1, 2, 3, 4), True)]
    assert account.left_out == {
        "its image is missing": 1,
        "its box has no area": 1,
        "its box lies outside its image": 1,
        "no phrase": 1,
        "its box is malformed": 1,
    }
    (ship, _), _ = read("refgeo", path, images, geometry="hbb")
    assert [(corners(b), b.horizontal) for b in ship.boxes] == [(quad(10, 10, 30, 30), True)]


def test_dior_rsvg_in_xml(tmp_path, images):
    (tmp_path / "x").mkdir()
    bounds = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax></bndbox>"
    (tmp_path / "x" / "00001.xml").write_text(
        "<annotation><filename>a.png</filename>"
        f"<object><name>ship</name>{bounds}<description>A ship on the left.</description></object>"
        f"<object><name>ship</name>{bounds}</object></annotation>"
    )
    (sample,), account = read("dior-rsvg", tmp_path / "x", images)
    assert (sample.id, sample.phrase) == ("00001:0", "A ship on the left")
    assert [(corners(b), b.label, b.horizontal) for b in sample.boxes] == [
        (quad(10, 20, 40, 60), "ship", True)
    ]
    assert account.left_out == {"no phrase": 1}


# --- scene classes --------------------------------------------------------------------------------


def test_folders_are_scene_classes(tmp_path):
    for name in ("Forest/1.jpg", "BareLand/2.tif"):
        image(tmp_path / name)
    (tmp_path / "Forest" / "Thumbs.db").touch()
    (tmp_path / "empty").mkdir()
    samples, _ = read("folders", tmp_path)
    assert [(s.id, s.task, s.answer, s.classes, s.images[0].size) for s in samples] == [
        ("BareLand/2.tif", "classification", "BareLand", ("BareLand", "Forest"), (100, 200)),
        ("Forest/1.jpg", "classification", "Forest", ("BareLand", "Forest"), (100, 200)),
    ]
    (only,), _ = read("folders", tmp_path, classes=("Forest", "River"))
    assert (only.answer, only.classes) == ("Forest", ("Forest", "River"))
    with pytest.raises(DataError, match="no folders of images"):
        read("folders", tmp_path / "empty")


def test_vhm_questions_that_list_classes_become_scene_classification(tmp_path, images):
    ask = "<image>\nClassify the image within one of the given classes: {}. "
    ask += "Answer with one word or short phrase."
    rows = [
        {
            "id": "1",
            "image": "b.jpg",
            "image_path": "rsvg/",
            "conversations": [
                {"from": "human", "value": ask.format("bare land,dense residential, river")},
                {"from": "gpt", "value": "River."},
            ],
        },
        {
            "id": "2",
            "image": "a.png",
            "conversations": [
                {"from": "human", "value": "<image>\nWhere is the dam?"},
                {"from": "gpt", "value": "[100, 200, 500, 600]"},
            ],
        },
    ]
    (scene, dam), account = read("vhm", write_json(tmp_path / "vhm.json", rows), images)
    assert (scene.task, scene.answer, scene.turns) == ("classification", "river", ())
    assert scene.classes == ("bare land", "dense residential", "river")
    assert said(dam) == [("user", "<image>Where is the dam?"), ("assistant", "<box 0>")]
    assert [(corners(b), b.horizontal) for b in dam.boxes] == [(quad(20, 20, 100, 60), True)]
    assert not account.left_out


# --- questions ------------------------------------------------------------------------------------


@pytest.fixture
def rsvqa(tmp_path):
    write_json(
        tmp_path / "LR_questions.json",
        {
            "questions": [
                {"id": 0, "active": False},
                {"id": 1, "img_id": 7, "type": "presence", "question": "Is there a road?", "active": True},
                {"id": 2, "img_id": 7, "type": "count", "question": "How many?", "active": True},
                {"id": 3, "img_id": 8, "type": "count", "question": "How many?", "active": True},
            ]
        },
    )
    answers = [{"id": 5, "question_id": 1, "answer": "yes", "active": True}, {"id": 0, "active": False}]
    answers += [{"id": 6, "question_id": 3, "answer": "0", "active": True}]
    write_json(tmp_path / "LR_answers.json", {"answers": answers})
    write_json(tmp_path / "LR_images.json", {"images": [{"id": 7, "res-x": 10, "res-y": 10, "active": True}]})
    return tmp_path


def test_rsvqa_joins_its_three_files(rsvqa, images):
    (sample,), account = read("rsvqa", rsvqa, images)
    assert (sample.id, sample.task, sample.gsd_m, sample.attributes) == ("1", "vqa", 10, {"type": "presence"})
    assert said(sample) == [("user", "<image>Is there a road?"), ("assistant", "yes")]
    assert account.left_out == {"no answer": 1, "its image is missing": 1}
    assert read("rsvqa", rsvqa / "LR_questions.json", images)[0] == [sample]


def test_rsvqa_asks_which_triple_is_meant(rsvqa, images):
    write_json(rsvqa / "HR_questions.json", {})
    with pytest.raises(DataError, match=r"2 files \*questions.json \(HR_questions.json, LR_questions.json\)"):
        read("rsvqa", rsvqa, images)


def test_vrsbench_annotations_give_caption_references_and_questions(tmp_path, images):
    (tmp_path / "ann").mkdir()
    objects = [
        {
            "obj_cls": "ship",
            "obj_corner": [0.15, 0.2, 0.1, 0.3, 0.05, 0.2, 0.1, 0.1],
            "obj_coord": [0.05, 0.1, 0.15, 0.3],
            "referring_sentence": "The ship.",
            "is_unique": True,
        },
        {"obj_cls": "car", "obj_coord": [0.1, 0.1, 0.2, 0.2]},
    ]
    questions = [{"ques_id": 1, "question": "Any ships?", "answer": "Yes", "type": "object existence"}]
    content = {"image": "a.png", "caption": "A harbour.", "objects": objects, "qa_pairs": questions}
    write_json(tmp_path / "ann" / "a.json", content)
    (caption, ship, question), _ = read("vrsbench", tmp_path / "ann", images)
    assert (caption.id, caption.task) == ("a:caption", "caption")
    assert said(caption)[1] == ("assistant", "A harbour.")
    assert (ship.id, ship.task, ship.phrase, ship.attributes) == (
        "a:object0",
        "grounding",
        "The ship",
        {"unique": True},
    )
    assert [(corners(b), b.label) for b in ship.boxes] == [(DIAMOND, "ship")]
    assert (question.id, question.task, said(question)[0]) == (
        "a:question0",
        "vqa",
        ("user", "<image>Any ships?"),
    )
    (_, ship, _), _ = read("vrsbench", tmp_path / "ann", images, geometry="hbb")
    assert [(corners(b), b.horizontal) for b in ship.boxes] == [(quad(10, 10, 30, 30), True)]


def test_vrsbench_evaluation_sets(tmp_path, images):
    rows = [
        {"image_id": "a.png", "question": "The ship.", "ground_truth": "{<5><10><15><30>}", "question_id": 1},
        {
            "image_id": "a.png",
            "question": "How many?",
            "ground_truth": "2",
            "question_id": 2,
            "type": "count",
        },
        {"image_id": "a.png", "ground_truth": "A harbour.", "question_id": 3},
    ]
    (ship, question, caption), _ = read("vrsbench", write_json(tmp_path / "e.json", rows), images)
    assert (ship.task, ship.phrase, corners(ship.boxes[0])) == ("grounding", "The ship", quad(10, 10, 30, 30))
    assert (question.task, said(question)[1]) == ("vqa", ("assistant", "2"))
    assert (caption.task, said(caption)[1]) == ("caption", ("assistant", "A harbour."))


# --- zooms ----------------------------------------------------------------------------------------


def zoom_record(**changes):
    record = {
        "id": 3,
        "image": "a.png",
        "question": "What colour is the ship?",
        "answer": "red",
        "category": "object color",
        "image_ori_width": 200,
        "image_ori_height": 100,
        "bbox_info": {"crop_hbox": [[5, 5, 45, 45]], "rbox": [[20, 10, 30, 20, 20, 30, 10, 20]]},
    }
    return record | changes


def test_one_crop_box_makes_a_chain_and_keeps_its_evidence(tmp_path, images):
    (sample,), _ = read("lrs-vqa-zoom", write_json(tmp_path / "z.json", [zoom_record()]), images)
    assert (sample.id, sample.task, sample.attributes) == ("3", "zoom", {"category": "object color"})
    assert said(sample) == [
        ("user", "<image>What colour is the ship?"),
        ("assistant", "<zoom 0>"),
        ("user", "<crop 0>"),
        ("assistant", "red"),
    ]
    assert [(corners(b), b.horizontal) for b in sample.boxes] == [
        (quad(5, 5, 45, 45), True),
        (DIAMOND, False),
    ]


@pytest.mark.parametrize("crops", [[], [[5, 5, 45, 45], [50, 50, 90, 90]]])
def test_none_or_several_crop_boxes_make_a_plain_question(tmp_path, images, crops):
    record = zoom_record(bbox_info={"crop_hbox": crops})
    (sample,), _ = read("lrs-vqa-zoom", write_json(tmp_path / "z.json", [record]), images)
    assert (sample.task, len(sample.boxes)) == ("vqa", len(crops))
    assert said(sample) == [("user", "<image>What colour is the ship?"), ("assistant", "red")]


def test_multiple_choice_loses_the_request_for_a_phrase_and_no_word_of_its_question(tmp_path, images):
    text = "How many planes in the region\nAnswer the question using a single word or phrase."
    record = zoom_record(Text=text, **{"Answer choices": ["(A) 1", "(B) 2"], "Ground truth": "B"})
    del record["question"], record["answer"]
    (sample,), _ = read("lrs-vqa-zoom", write_json(tmp_path / "z.json", [record]), images)
    expected = (
        "<image>How many planes in the region\n(A) 1\n(B) 2\nAnswer with the letter of the right choice."
    )
    assert said(sample)[0] == ("user", expected)
    assert said(sample)[-1] == ("assistant", "B")


def test_zoom_records_that_cannot_be_used_are_counted(tmp_path, images):
    rows = [
        zoom_record(bbox_info=None),
        zoom_record(image_ori_width=400),
        zoom_record(bbox_info={"crop_hbox": [[500, 5, 545, 45]]}),
    ]
    samples, account = read("lrs-vqa-zoom", write_json(tmp_path / "z.json", rows), images)
    assert samples == []
    assert sum(account.left_out.values()) == len(account.left_out) == 3


# --- numeric targets ------------------------------------------------------------------------------


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
