"""What is in sample files, counted by hand."""

import numpy as np

from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.statistics import Statistics, as_text

CORNERS = np.array([[0, 0], [9, 0], [9, 9], [0, 9]])


def box(label="", **more):
    return Box(CORNERS, label, **more)


def samples():
    wide, tall = ImageRef("a.png", size=(100, 200), gsd_m=0.3), ImageRef("b.png", size=(300, 100))
    turns = (Turn("user", "<image> How many ships?"), Turn("assistant", "two"))
    ships = box("ship"), box("ship", difficult=True)
    return [
        Sample("1", "vqa", (wide,), turns, source="x", gsd_m=9.0),
        Sample("2", "vqa", (wide, tall), (Turn("user", "<image><image>Any?"), turns[1]), gsd_m=0.5),
        Sample("3", "detection", (tall,), (), ships, ("ship",), source="x"),
        Sample("4", "detection", (ImageRef("c.png"),), (), (box("car", horizontal=True),), ("car",)),
        Sample("5", "classification", (wide,), classes=("sea",), answer="sea", targets={"agb": 4.0}),
    ]


def report():
    return Statistics().update(samples()).to_json()


def test_samples_are_counted_by_task_source_label_and_answer():
    found = report()
    assert found["samples"] == 5
    assert found["tasks"] == {"vqa": 2, "detection": 2, "classification": 1}
    assert found["sources"] == {"(none)": 3, "x": 2}
    assert found["labels"] == {"ship": 2, "car": 1}
    assert found["answers"] == {"sea": 1}
    assert found["samples_without_turns"] == 3
    assert found["boxes"] == {"count": 3, "horizontal": 1, "difficult": 1}


def test_a_file_counts_once_for_sizes_and_each_time_it_is_shown():
    images = report()["images"]
    assert (images["files"], images["shown"], images["of_unknown_size"]) == (3, 6, 1)
    assert (images["height_px"]["least"], images["height_px"]["most"]) == (100, 300)
    assert images["megapixels"]["mean"] == 0.025, "(0.02 + 0.03) / 2"
    # 0.3 of the file goes before what its samples say, three times; the other file has 0.5 of one sample.
    assert images["gsd_m"]["mean"] == 0.35


def test_words_are_counted_without_placeholders():
    found = report()
    assert (found["question_words"]["least"], found["question_words"]["most"]) == (1, 3)
    assert found["answer_words"]["mean"] == 1
    assert found["boxes_per_sample"]["mean"] == 1.5, "of the two samples of detection"
    assert found["targets"]["agb"]["median"] == 4


def test_what_did_not_occur_is_left_out():
    empty = Statistics().to_json()
    assert empty["samples"] == 0
    assert not {"labels", "answers", "turns", "targets"} & empty.keys()


def test_a_report_for_a_terminal_names_the_commonest_first():
    text = as_text(report(), most=1)
    assert "samples: 5\n" in text
    assert "tasks (3): vqa 2, and 2 more" in text
    assert "  height px: least 100, median 200, p95 290, most 300, mean 200" in text
