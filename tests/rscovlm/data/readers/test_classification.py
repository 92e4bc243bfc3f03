"""Scene classes from folders, and from questions that list them."""

import pytest

from rscovlm.errors import DataError
from tests.rscovlm.data.published import corners, image, quad, read, said, write_json


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


def test_an_answer_that_is_no_candidate_stays_a_question(tmp_path, images):
    ask = "<image>\nClassify the image as one of the following classes: forest; river"
    turns = [{"from": "human", "value": ask}, {"from": "gpt", "value": "Lake"}]
    path = write_json(tmp_path / "vhm.json", [{"id": "1", "image": "a.png", "conversations": turns}])
    (sample,), _ = read("vhm", path, images)
    assert (sample.task, said(sample)[1]) == ("vqa", ("assistant", "Lake"))
