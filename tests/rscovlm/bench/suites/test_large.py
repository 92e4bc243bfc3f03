"""LRS-VQA and the remote sensing part of MME-RealWorld: 20 rows each."""

from rscovlm.bench.prompts import load_profile
from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.suites.laid_out import items, pictures
from tests.rscovlm.data.published import write_json, write_lines

LRS = [  # question_id, image, text, ground_truth, category -> kind, source, group
    ("FAIR_1", "a.png", "How many ships?", "3", "count", "count", "FAIR"),
    ("FAIR_2", "a.png", "What colour is the roof?", "red", "object color", "open", "FAIR"),
    ("FAIR_3", "a.png", "Is it rural or urban?", "urban", "rural or urban", "open", "FAIR"),
    ("FAIR_4", "a.png", "What shape is the pond?", "circular", "object shape", "open", "FAIR"),
    ("FAIR_5", "a.png", "Is the ship moored?", "yes", "object status", "open", "FAIR"),
    ("GLH_1", "b.tif", "How many bridges?", "two", "count", "count", "Bridge"),
    ("GLH_2", "b.tif", "What is under the bridge?", "river", "object background", "open", "Bridge"),
    ("GLH_3", "b.tif", "What is it?", "bridge", "object category", "open", "Bridge"),
    ("GLH_4", "b.tif", "Why is it closed?", "flood", "reasoning", "open", "Bridge"),
    ("GLH_5", "b.tif", "What colour?", "grey", "Object Color", "open", "Bridge"),
    ("STAR_1", "c.png", "How many planes?", "11", "count", "count", "STAR"),
    ("STAR_2", "c.png", "What is it?", "parking lot", "object category", "open", "STAR"),
    ("STAR_3", "c.png", "What shape?", "rectangular", "object shape", "open", "STAR"),
    ("STAR_4", "c.png", "Which season?", "none", "reasoning", "open", "STAR"),
    ("STAR_5", "c.png", "Is it rural?", "no", "rural or urban", "open", "STAR"),
    ("OTHER_1", "c.png", "What is it?", "tower", "object category", "open", "other"),
]


def test_lrs_vqa_by_category_and_source(tmp_path):
    pictures(tmp_path / "image", ["a.png", "b.tif", "c.png"])
    names = ("question_id", "image", "text", "ground_truth", "category")
    rows = [dict(zip(names, row)) for row in LRS]
    rows[3]["hbox"], rows[4]["rbox"] = [[10, 20, 30, 40], [50, 5, 60, 45]], [10, 20, 30, 20, 30, 50, 10, 50]
    rows[5]["text"] += "\nAnswer the question using a single word or phrase."  # the prompt says so
    rows += [
        {"id": "FAIR_6", "image": "a.png", "text": "What?", "ground_truth": "ship", "category": "reasoning"},
        {"question_id": "FAIR_7", "image": "a.png", "text": "What?", "ground_truth": "", "category": "count"},
        {"question_id": "FAIR_8", "image": "a.png", "text": "What?", "ground_truth": "ship", "category": ""},
        {
            "question_id": "FAIR_9",
            "image": "gone.png",
            "text": "What?",
            "ground_truth": "x",
            "category": "count",
        },
    ]
    assert len(rows) == 20
    write_lines(tmp_path / "LRS_VQA_merged.jsonl", rows)

    found, account = items("lrs-vqa", tmp_path)

    for item, (key, image, text, gold, category, kind, source) in zip(found, LRS):
        assert (item.key, item.subject, item.truth.answers, item.kind) == (key, text, (gold,), kind)
        assert item.groups == {"category": category.lower(), "source": source}
        assert item.images == (str(tmp_path / "image" / image),)
    assert [item.key for item in found[16:]] == ["FAIR_6", "FAIR_9"]
    assert found[3].evidence == (10, 5, 60, 45)  # the bounds of both boxes
    assert found[4].evidence == (10, 20, 30, 50)
    assert found[5].evidence is None
    assert account.left_out == {"no right answer": 1, "no category": 1}
    assert [place.split("/")[-1].split(": ")[0] for _, place in account.places] == [
        "LRS_VQA_merged.jsonl:18",
        "LRS_VQA_merged.jsonl:19",
    ]
    assert account.changed == {
        "records with id in place of question_id": 1,
        "sentences that ask for a short answer taken off": 1,
        "questions whose id names no source (FAIR, GLH, STAR)": 1,
        "items whose image is missing": 1,
    }
    assert found[-1].images == (str(tmp_path / "image" / "gone.png"),)


def test_mme_realworld_has_letters_only_in_its_truth(tmp_path):
    pictures(tmp_path / "remote_sensing", ["1.png"])
    rows = [
        {
            "Question_id": f"Perception/remote sensing/{number}",
            "Image": "remote_sensing/1.png",
            "Text": "What colour is the car?",
            "Answer choices": [
                "(A) red",
                "(B) blue",
                "(C) grey",
                "(D) a white one",
                "(E) The image does not show it",
            ],
            "Ground truth": "ABCDE"[number % 5],
            "Category": ("color", "position", "count")[number % 3],
            "Task": "Perception",
            "Subtask": "Remote Sensing",
        }
        for number in range(17)
    ]
    rows.append({**rows[0], "Question_id": "other", "Subtask": "Autonomous Driving"})
    rows.append({**rows[0], "Question_id": "letter", "Ground truth": "F"})
    rows.append({**rows[0], "Question_id": "none", "Answer choices": []})
    assert len(rows) == 20
    write_json(tmp_path / "MME_RealWorld_remote_sensing.json", rows)

    found, account = items("mme-realworld-rs", tmp_path)

    assert len(found) == 17
    assert {item.options for item in found} == {
        ("red", "blue", "grey", "a white one", "The image does not show it")
    }
    assert [item.truth.answers for item in found[:6]] == [("A",), ("B",), ("C",), ("D",), ("E",), ("A",)]
    assert found[2].groups == {"category": "count", "task": "Perception", "subtask": "Remote Sensing"}
    assert found[2].images == (str(tmp_path / "remote_sensing" / "1.png"),)
    assert not any("several" in item.extra for item in found)
    assert account.left_out == {"its right letter is none of its options": 1, "no options": 1}
    assert account.changed == {"questions of other parts of MME-RealWorld passed over": 1}
    assert load_profile(SUITES["mme-realworld-rs"].prompts).prompt(found[0]).user == (
        "What colour is the car? The choices are listed below: \n(A) red\n(B) blue\n(C) grey\n"
        "(D) a white one\n(E) The image does not show it\nSelect the best answer to the above multiple-"
        "choice question based on the image. Respond with only the letter (A, B, C, D, or E) of the correct "
        "option.\nThe best answer is:"
    )
