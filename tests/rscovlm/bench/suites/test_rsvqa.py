"""RSVQA: the authors' triples, and the selection of VHM."""

from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.suites.laid_out import items, pictures
from tests.rscovlm.data.published import write_json

QUESTIONS = [  # type, question, answer -> type, kind
    ("count", "How many roads are there?", "12", "count", "count"),
    ("presence", "Is a road present?", "yes", "presence", "open"),
    ("comp", "Are there more roads than ponds?", "no", "comp", "open"),
    ("rural_urban", "Is it a rural or an urban area?", "rural", "rural_urban", "open"),
    ("area", "What is the area covered by roads?", "120m2", "area", "number"),
]


def triple(folder, name, count):
    questions = [
        {
            "id": number,
            "img_id": number % 3,
            "type": QUESTIONS[number % 5][0],
            "question": QUESTIONS[number % 5][1],
            "answers_ids": [number],
            "active": number != 17,
        }
        for number in range(count)
    ]
    answers = [
        {"id": number, "question_id": number, "answer": QUESTIONS[number % 5][2], "active": number != 18}
        for number in range(count)
    ]
    scenes = [{"id": number, "res-x": 10, "res-y": 10, "active": True} for number in range(2)]
    write_json(folder / f"{name}_questions.json", {"questions": questions})
    write_json(folder / f"{name}_answers.json", {"answers": answers})
    write_json(folder / f"{name}_images.json", {"images": scenes})


def test_a_triple_of_files(tmp_path):
    pictures(tmp_path / "Images_LR", ["0.tif", "1.tif", "2.tif"], 256, 256)
    triple(tmp_path, "LR_split_test", 20)

    found, account = items("rsvqa-lr", tmp_path)

    kept = [number for number in range(20) if number not in (17, 18)]  # 17 is inactive, 18 has no answer
    assert [item.key for item in found] == [str(number) for number in kept]
    for number, item in zip(kept, found):
        _, question, answer, type, kind = QUESTIONS[number % 5]
        assert (item.subject, item.truth.answers, item.kind) == (question, (answer,), kind)
        assert item.groups == {"type": type}
        assert item.images == (str(tmp_path / "Images_LR" / f"{number % 3}.tif"),)
        assert item.extra == ({} if number % 3 == 2 else {"gsd_m": 10.0})
    assert account.left_out == {"no right answer": 1}


def test_the_second_test_set_of_the_high_resolution_is_a_split(tmp_path):
    pictures(tmp_path / "Data", ["0.tif", "1.tif", "2.tif"], 512, 512)
    triple(tmp_path, "USGS_split_test_phili", 5)
    found, _ = items("rsvqa-hr", tmp_path, "test2")
    assert len(found) == 5
    files = SUITES["rsvqa-hr"].read.annotations(tmp_path, "test2")
    parts = ("questions", "answers", "images")
    assert [file.name for file in files] == [f"USGS_split_test_phili_{part}.json" for part in parts]


def test_the_selection_of_vhm(tmp_path):
    data = tmp_path / "datasets_eval"
    pictures(data / "RSVQA" / "Images_LR", ["7.tif"], 256, 256)
    suffix = "Answer the question using a single word or phrase."
    for type, answer in (("comp", "yes"), ("presence", "no"), ("rural_urban", "rural")):
        rows = [
            {
                "id": number,
                "image": "7.tif",
                "image_path": "RSVQA/Images_LR",
                "conversations": [
                    {
                        "from": "human",
                        "value": f"<image>\nQuestion {number}? {suffix}",
                    },
                    {"from": "gpt", "value": answer},
                ],
            }
            for number in range(6)
        ]
        del rows[0]["conversations"][0]["from"]  # speakers are missing in some files; their places tell
        write_json(data / f"RSVQA_LR-{type}_RSVQA.json", rows)
    write_json(data / "RSVQA_HR-comp_RSVQA.json", [])

    found, account = items("rsvqa-lr", tmp_path, "vhm")

    assert len(found) == 18
    assert [found[0].key, found[6].key, found[12].key] == ["comp/0", "presence/0", "rural_urban/0"]
    assert [item.subject for item in found[:2]] == ["Question 0?", "Question 1?"]
    assert {item.images for item in found} == {(str(data / "RSVQA" / "Images_LR" / "7.tif"),)}
    assert account.changed == {
        "sentences that ask for a short answer taken off": 18,
        "turns whose speaker was told by their place": 3,
    }
