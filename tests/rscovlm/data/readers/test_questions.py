"""Questions, and zooms to what answers them, as samples."""

import pytest

from rscovlm.data.readers.recognition import recognise
from rscovlm.errors import DataError
from tests.rscovlm.data.published import corners, quad, read, said, write_json

DIAMOND = [[20, 10], [30, 20], [20, 30], [10, 20]]


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
        "<image>How many planes in the region The choices are listed below: \n(A) 1\n(B) 2\n"
        "Select the best answer to the above multiple-choice question based on the image. "
        "Respond with only the letter (A, B, C, D, or E) of the correct option.\nThe best answer is:"
    )
    assert said(sample)[0] == ("user", expected)
    assert said(sample)[-1] == ("assistant", "B")


def raw_record(**changes):
    talk = [
        {"from": "human", "value": "<image>\nWhat colour is the ship?"},
        {"from": "gpt", "value": "red"},
    ]
    return {"image": "a.png", "conversations": talk, "crop_hbox": [5, 5, 45, 45], "id": 4} | changes


@pytest.mark.parametrize("crops", [[5, 5, 45, 45], [[5, 5, 45, 45]], [5, 5, 45, 5, 45, 45, 5, 45]])
@pytest.mark.parametrize("nested", [False, True])
def test_raw_files_have_a_conversation_and_flat_boxes(tmp_path, images, crops, nested):
    record = raw_record(crop_hbox=crops, rbox=[20, 10, 30, 20, 20, 30, 10, 20])
    if nested:
        record["bbox_info"] = {name: record.pop(name) for name in ("crop_hbox", "rbox")}
    path = write_json(tmp_path / "z.json", [record])
    assert recognise(path) == ("lrs-vqa-zoom",)
    (sample,), _ = read("lrs-vqa-zoom", path, images)
    assert (sample.id, sample.task) == ("4", "zoom")
    assert [text for _, text in said(sample)] == [
        "<image>What colour is the ship?",
        "<zoom 0>",
        "<crop 0>",
        "red",
    ]
    assert [corners(box) for box in sample.boxes] == [quad(5, 5, 45, 45), DIAMOND]


def test_crop_boxes_are_widened_on_demand_and_cut_at_the_edge_of_the_image(tmp_path, images):
    path = write_json(tmp_path / "z.json", [raw_record(crop_hbox=[50, 30, 60, 90])])
    (sample,), _ = read("lrs-vqa-zoom", path, images, crop_margin_px=40)
    assert corners(sample.boxes[0]) == quad(10, 0, 100, 100)


def test_a_raw_conversation_of_several_questions_is_counted(tmp_path, images):
    talk = [*raw_record()["conversations"], {"from": "human", "value": "Why?"}, {"from": "gpt", "value": "?"}]
    samples, account = read(
        "lrs-vqa-zoom", write_json(tmp_path / "z.json", [raw_record(conversations=talk)]), images
    )
    assert samples == []
    assert list(account.left_out) == ["its conversation is not one question and its answer"]


def test_zoom_records_that_cannot_be_used_are_counted(tmp_path, images):
    rows = [
        zoom_record(bbox_info=None),
        zoom_record(image_ori_width=400),
        zoom_record(bbox_info={"crop_hbox": [[500, 5, 545, 45]]}),
    ]
    samples, account = read("lrs-vqa-zoom", write_json(tmp_path / "z.json", rows), images)
    assert samples == []
    assert sum(account.left_out.values()) == len(account.left_out) == 3
