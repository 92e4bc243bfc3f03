"""Conversations as samples: images, box text, dialects, and what is wrong with records."""

import base64
import json

import pytest

from detection_eval.errors import FormatError
from rscovlm.errors import DataError, UsageError
from tests.rscovlm.data.published import (
    converted,
    corners,
    image,
    png,
    quad,
    read,
    said,
    write_json,
    write_lines,
)


@pytest.fixture
def images(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        image(tmp_path / "images" / name)
    return tmp_path / "images"


def talk(*texts, **more):
    """A record of alternating turns."""
    speakers = ("human", "gpt")
    turns = [{"from": speakers[place % 2], "value": text} for place, text in enumerate(texts)]
    return {"id": "x", "conversations": turns, **more}


def read_one(name, path, record, images, **options):
    samples, account = read(name, write_json(path / "c.json", [record]), images, **options)
    return (samples[0] if samples else None), account


# --- images and turns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("<image>\nWhat?", "<image>What?"),
        ("What?\n<image>", "What? <image>"),
        ("What?", "<image>What?"),
        ("Look:\n<image>\nWhat?", "Look: <image>What?"),
    ],
)
def test_an_image_stands_where_it_is_shown_or_else_first(tmp_path, images, question, shown):
    sample, _ = read_one("llava", tmp_path, talk(question, "A dam.", image="a.png"), images)
    assert said(sample) == [("user", shown), ("assistant", "A dam.")]
    assert (sample.task, sample.images[0].size) == ("vqa", (100, 200))


def test_several_images_text_alone_and_a_system_turn(tmp_path, images):
    record = talk("<image>\n<image>\nCompare.", "Same.", "Sure?", "Yes.", image=["a.png", "b.png"])
    sample, _ = read_one("llava", tmp_path, record, images)
    assert said(sample)[0] == ("user", "<image><image>Compare.")
    assert len(sample.turns) == 4
    sample, _ = read_one("llava", tmp_path, talk("Hi", "Ho", system="Be kind."), images)
    assert (sample.task, said(sample)[0]) == ("chat", ("system", "Be kind."))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (talk("<image>?", "a", image="gone.png"), "its image is missing"),
        (talk("<image><image>?", "a", image="a.png"), "its placeholders do not fit its images"),
        (talk("<image>?", "a"), "its placeholders do not fit its images"),
        (talk("?", "a", video="a.mp4"), "it shows a video file"),
        (talk("?", "a", "b", "c", image="a.png") | {"conversations": []}, "no conversation"),
        ({"id": 1, "conversations": [{"from": "gpt", "value": "a"}]}, "its turns do not alternate"),
        ({"id": 1, "conversations": [{"from": "human", "value": 3}]}, "a turn without text"),
        (talk("?", " "), "an empty answer"),
        (talk("the <boxes> tag", "a <box 4> tag"), "it makes no valid sample"),
    ],
)
def test_records_that_make_no_sample_are_counted_by_reason(tmp_path, images, record, reason):
    sample, account = read_one("llava", tmp_path, record, images)
    assert sample is None
    assert account.left_out == {reason: 1}
    assert account.places[0][1].startswith(f"{tmp_path / 'c.json'}: entry 0")


def test_a_speaker_that_is_not_named_is_told_by_place_and_an_open_question_removed(tmp_path, images):
    record = talk("q", "a", "q2")
    del record["conversations"][1]["from"]
    sample, account = read_one("llava", tmp_path, record, images)
    assert said(sample) == [("user", "q"), ("assistant", "a")]
    assert sum(account.changed.values()) == 2


def test_text_alone_in_its_three_forms(tmp_path):
    rows = [
        talk("Hi", "Ho"),
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
        {"instruction": "Hi", "input": "", "output": "Ho"},
    ]
    samples, _ = read("chat", write_json(tmp_path / "c.json", rows))
    assert [(s.task, said(s)) for s in samples] == [("chat", [("user", "Hi"), ("assistant", "Ho")])] * 3
    _, account = read("chat", write_json(tmp_path / "c.json", [talk("<image>?", "a", image="a.png")]))
    assert account.left_out == {"it shows images, and no folder of images is given": 1}


def test_a_file_that_is_no_json_has_a_place(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps(talk("Hi", "Ho")) + "\n{broken\n")
    with pytest.raises(FormatError, match=r"c\.jsonl:2: not JSON"):
        read("chat", tmp_path / "c.jsonl")
    (tmp_path / "c.jsonl").write_text("[1]\n")
    with pytest.raises(DataError, match=r"c\.jsonl:1: a record is a JSON object, not list"):
        read("chat", tmp_path / "c.jsonl")


# --- content lists and tags -----------------------------------------------------------------------


def message(role, *parts):
    return {"role": role, "content": list(parts)}


def test_content_lists_of_qwen_and_openai_show_their_images_in_place(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", 50, 40)
    data = "data:image/png;base64," + base64.b64encode(png(9, 30, 20)).decode()
    text = {"type": "text", "text": "Compare "}
    rows = [
        {
            "messages": [
                message("system", {"type": "text", "text": "Be brief."}),
                message(
                    "user",
                    {"type": "image", "image": f"file://{tmp_path}/b.png"},
                    text,
                    {"type": "image", "image": "a.png"},
                ),
                message("assistant", {"type": "text", "text": "same"}),
            ]
        },
        {
            "messages": [
                message("user", text, {"type": "image_url", "image_url": {"url": data}}),
                message("assistant", {"type": "text", "text": "x"}),
            ]
        },
        {
            "messages": [message("user", {"type": "image"}, text), {"role": "assistant", "content": "y"}],
            "images": ["a.png"],
        },
    ]
    (one, two, three), _, _ = converted(write_lines(tmp_path / "m.jsonl", rows))
    assert said(one) == [("system", "Be brief."), ("user", "<image>Compare <image>"), ("assistant", "same")]
    assert [ref.size for ref in one.images] == [(40, 50), (100, 200)]
    assert (said(two)[0], two.images[0].size) == (("user", "Compare <image>"), (20, 30))
    assert (said(three)[0], len(three.images)) == (("user", "<image>Compare"), 1)


def test_addresses_on_the_network_and_unknown_parts_are_left_out(tmp_path):
    answer = message("assistant", {"type": "text", "text": "x"})
    rows = [
        {"messages": [message("user", {"type": "image", "image": "https://x.org/a.png"}), answer]},
        {"messages": [message("user", {"type": "audio", "audio": "a.wav"}), answer]},
        {"messages": [message("user", {"type": "text", "text": "?"}), answer]},
    ]
    samples, _, account = converted(write_lines(tmp_path / "m.jsonl", rows), "llava")
    assert len(samples) == 1
    assert sum(account.left_out.values()) == 2
    assert "address on the network; download it first" in account.places[0][1]


def test_task_tags_do_not_stay_in_questions(tmp_path):
    image(tmp_path / "a.png")
    turns = [
        {"from": "human", "value": "<image>\n[vqa] Is (1) a road?"},
        {"from": "gpt", "value": "yes"},
        {"from": "human", "value": "[VQA] Sure?"},
        {"from": "gpt", "value": "[vqa] is a tag"},
    ]
    for name in ("llava", "geochat", "vhm", "reo-instruct"):
        path = write_lines(tmp_path / "t.jsonl", [{"conversations": turns, "image": "a.png"}])
        (sample,), _, _ = converted(path, name)
        assert [text for _, text in said(sample)] == [
            "<image>Is (1) a road?",
            "yes",
            "Sure?",
            "[vqa] is a tag",
        ]


# --- box text -------------------------------------------------------------------------------------


def test_geochat_refer_becomes_grounding_with_rotated_boxes(tmp_path, images):
    record = talk(
        "<image>\n[refer] where is <p>2 silver planes</p> ?",
        "{<10><20><30><60>|<0>}<delim>{<40><20><60><60>|<90>}",
        image="a.png",
    )
    sample, _ = read_one("geochat", tmp_path, record, images)
    assert (sample.task, sample.phrase, sample.turns) == ("grounding", "2 silver planes", ())
    # The second is 40 px wide and high about (100, 40): a quarter turn changes nothing.
    assert [corners(box) for box in sample.boxes] == [quad(20, 20, 60, 60), quad(80, 20, 120, 60)]
    assert not any(box.horizontal for box in sample.boxes)


@pytest.mark.parametrize(("clockwise", "top"), [(False, 1), (True, 0)])
def test_geochats_angle_turns_counter_clockwise_unless_said_otherwise(tmp_path, images, clockwise, top):
    # 80 x 20 px about (100, 50), turned by 30 degrees: the right end rises, or the left one.
    record = talk("[refer] <p>pier</p>", "{<30><40><70><60>|<30>}", image="a.png")
    sample, _ = read_one("geochat", tmp_path, record, images, clockwise=clockwise)
    first = sample.boxes[0].polygon[0]  # the topmost corner
    assert first[0] > 100 if top else first[0] < 100


def test_geochat_grounded_captions_keep_their_words_and_label_their_boxes(tmp_path, images):
    record = talk(
        "<image>\n[grounding] describe the image",
        "<p>A ship</p> {<10><20><30><60>} near <p>two cars</p> "
        "{<0><0><5><5>|<0>}<delim>{<50><50><60><60>|<0>}.",
        image="a.png",
    )
    sample, _ = read_one("geochat", tmp_path, record, images)
    assert sample.task == "caption"
    assert said(sample) == [
        ("user", "<image>describe the image"),
        ("assistant", "A ship <box 0> near two cars <box 1>, <box 2>."),
    ]
    assert [(box.label, box.horizontal) for box in sample.boxes] == [
        ("A ship", True),
        ("two cars", False),
        ("two cars", False),
    ]


def test_geochat_region_captions_do_not_repeat_the_box(tmp_path, images):
    text = "{<10><20><30><60>|<0>}"
    record = talk(f"[identify] what is this {text}", f"{text} a small ship", image="a.png")
    sample, _ = read_one("geochat", tmp_path, record, images)
    assert said(sample) == [("user", "<image>what is this <box 0>"), ("assistant", "a small ship")]
    assert len(sample.boxes) == 1


@pytest.mark.parametrize("text", ["{<10><981><30><60>|<0>}", "{<10><20><30>}", "{<10><20><10><60>|<0>}"])
def test_box_text_that_cannot_be_read_is_counted_and_dropped_or_kept_as_words(tmp_path, images, text):
    record = talk("[refer] <p>ship</p>", text, image="a.png")
    sample, account = read_one("geochat", tmp_path, record, images)
    assert sample is None
    assert account.left_out == {"its box text cannot be read": 1}
    sample, account = read_one("geochat", tmp_path, record, images, unreadable="keep")
    assert (said(sample)[1], sample.boxes) == (("assistant", text), ())
    assert account.changed == {"samples with unreadable box text kept as plain text": 1}


def test_teochat_shows_videos_as_frames_by_date_and_reads_boxes_of_0_to_100(tmp_path, images):
    record = talk(
        "This is a pair of images: <video>\nIdentify the destroyed buildings. Include bounding boxes of the "
        "form [x_min, y_min, x_max, y_max] for each identified object in your response.",
        "[10, 20, 30, 60], [40, 20, 60, 60]",
        video=["b.png", "a.png"],
        timestamps=["2020-05-02", "2018-01-30"],
        task="localization_task",
    )
    sample, account = read_one("teochat", tmp_path, record, images)
    assert [ref.path.rpartition("/")[2] for ref in sample.images] == ["a.png", "b.png"]
    assert (sample.task, said(sample)) == (
        "grounding",
        [
            ("user", "This is a pair of images: <image><image>Identify the destroyed buildings."),
            ("assistant", "<box 0>, <box 1>"),
        ],
    )
    assert [(corners(box), box.horizontal, box.image) for box in sample.boxes] == [
        (quad(20, 20, 60, 60), True, 0),
        (quad(80, 20, 120, 60), True, 0),
    ]
    assert account.changed == {"sentences that prescribe a box format removed": 1}


def test_llava_leaves_box_text_as_words_unless_told_how_it_is_written(tmp_path, images):
    record = talk("Where?", "At [0.1, 0.3, 0.2, 0.4].", image="a.png")
    sample, account = read_one("llava", tmp_path, record, images)
    assert said(sample)[1] == ("assistant", "At [0.1, 0.3, 0.2, 0.4].")
    assert account.changed == {"samples whose box text stays words": 1}
    for form, shape in (
        ("0-1", quad(20, 30, 40, 40)),
        ("0-1-padded", quad(20, 10, 40, 30)),  # of 200 x 200 px, 50 of them padding above the image
    ):
        sample, _ = read_one("llava", tmp_path, record, images, boxes=form)
        assert said(sample)[1] == ("assistant", "At <box 0>.")
        assert corners(sample.boxes[0]) == shape
    with pytest.raises(UsageError, match="box text '0-5' is unknown; choose from geochat"):
        read_one("llava", tmp_path, record, images, boxes="0-5")
