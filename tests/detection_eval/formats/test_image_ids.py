"""Ids of images: one rule in every format; results match a ground truth, and what does not is said."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import EvaluationError
from detection_eval.formats import FORMATS, Collection, ImageBoxes, read, write
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.formats.image_ids import SUFFIXES, image_id, match_images, without_constant_scores
from detection_eval.geometry.quads import box_quads

PATCH = "P0706__0.5__824___0"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.c/P1.v2.png", "P1.v2"),
        ("C:\\x\\P1.TIF", "P1"),
        ("P1", "P1"),
        (".hidden", ".hidden"),
        (".png", ".png"),
        (PATCH, PATCH),
        (f"images/{PATCH}.png", PATCH),
        ("P1.png.txt", "P1"),
        ("S2A_MSIL1C.SAFE.T32", "S2A_MSIL1C.SAFE.T32"),
        (" P1.jpg ", "P1"),
        (unicodedata.normalize("NFD", "Zürich.tif"), "Zürich"),
    ],
)
def test_an_id_is_the_name_without_folder_and_suffixes_of_images(name, expected):
    assert image_id(name) == expected


NAMES = st.text(st.sampled_from("ab.P0_/\\ \u0308ü"), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(name=NAMES, suffixes=st.lists(st.sampled_from(sorted(SUFFIXES)), max_size=2))
def test_an_id_stands_for_itself_and_for_its_files(name, suffixes):
    found = image_id(name)
    assert image_id(found) == found
    if any(map(str.isalnum, found)):  # else it is separators alone, which are no name
        assert image_id(".".join([f"some/folder/{found}", *suffixes])) == found


STEMS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.é-]{0,10}[A-Za-z0-9é]", fullmatch=True).map(image_id)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, deadline=None)
@given(
    stems=st.lists(STEMS, min_size=1, max_size=3, unique=True), suffix=st.sampled_from(["", ".png", ".TIF"])
)
def test_an_id_that_one_format_makes_is_the_same_image_in_every_other(tmp_path_factory, name, stems, suffix):
    known = FORMATS[name]
    classes = ("ship",) if known.classes is None else CLASS_LISTS[known.classes]
    boxes = Detections(box_quads([[0, 0, 40, 20]]), [0], classes, [0.5])
    # ids as somebody else's file may have them: with the suffix of an image
    images = {f"{stem}{suffix}": ImageBoxes(boxes, size=(64, 64)) for stem in stems}
    path = tmp_path_factory.mktemp("ids") / {"predictions": "a.jsonl"}.get(name, "a.json")
    write(path, Collection(images, classes), name)
    sizes = {"sizes": (64, 64)} if name in ("ultralytics", "lmmrotate") else {}
    order = {"images": list(images)} if name == "mmrotate-0.x" else {}
    back = read(path, name, classes, **sizes, **order)
    assert set(back.images) == set(stems)
    truth = Collection({stem: ImageBoxes(boxes, size=(64, 64)) for stem in stems}, classes)
    matched = match_images(back, truth)
    assert set(matched.images) == set(stems)
    assert matched.notes == back.notes


def boxes(count=1, scores=None):
    return Detections(box_quads([[0, 0, 40, 20]] * count), [0] * count, ("ship",), scores)


def collection(*images, ids=None):
    numbers = ids or [None] * len(images)
    return Collection(
        {image: ImageBoxes(boxes(), coco_id=number) for image, number in zip(images, numbers)}, ("ship",)
    )


def test_numbers_are_coco_ids_where_the_ground_truth_has_them(tmp_path):
    truth = collection("P7", "P8", ids=[2, 1])
    rows = [
        {"image_id": number, "category_id": 0, "score": 0.5, "bbox": [9, 9, 4, 2, 0]} for number in (1, 2)
    ]
    (tmp_path / "a.bbox.json").write_text(json.dumps(rows))
    found = match_images(read(tmp_path / "a.bbox.json", "mmrotate-json", ["ship"]), truth)
    assert list(found.images) == ["P8", "P7"]
    assert found.notes == ("2 images matched by COCO id: 1 is P8",)


def test_numbers_are_names_where_zeros_in_front_were_lost(tmp_path):
    rows = [{"image_id": 12, "category_id": 1, "score": 0.5, "poly": [0, 0, 4, 0, 4, 4, 0, 4]}]
    (tmp_path / "predictions.json").write_text(json.dumps(rows))
    read_back = read(tmp_path / "predictions.json", classes=["ship"])
    # even where the COCO file of the ground truth calls another image 12
    found = match_images(read_back, collection("000012", "000099", ids=[7, 12]))
    assert list(found.images) == ["000012"]
    assert found.notes[0] == "1 image matched by number: 12 is 000012"
    assert list(match_images(read_back, collection("12", "0012", "x")).images) == ["12"]
    with pytest.raises(EvaluationError, match="no image of the results"):  # either might be meant
        match_images(read_back, collection("012", "0012"))
    rows[0]["file_name"] = "P7.png"
    (tmp_path / "predictions.json").write_text(json.dumps(rows))
    assert list(read(tmp_path / "predictions.json", classes=["ship"]).images) == ["P7"]


def test_images_that_do_not_match_are_counted_on_both_sides():
    found = match_images(collection("a", "b", "x", "y"), collection("a", "b", "c", "d", "e", "f"))
    strange, silent = found.notes
    assert strange == (
        "2 of 4 images are not in the ground truth, and their 2 boxes count for nothing: 'x', 'y'"
    )
    assert silent == (
        "4 of 6 images of the ground truth are not in the results, which counts as nothing found: "
        "'c', 'd', 'e', ..."
    )
    assert list(found.images) == ["a", "b", "x", "y"]


@pytest.mark.parametrize(
    ("results", "truth", "advice"),
    [
        (["p1"], ["P1"], "they differ in upper and lower case; rename one side"),
        (["1", "2"], ["P1", "P2"], "numbers are ids of a COCO data set; give that file as the ground truth"),
        (["P1__1024__0___0"], ["P1"], "the results are patches and the other side are scenes; merge them"),
        (["P1"], ["P1__1024__0___0"], "the ground truth are patches and the other side are scenes"),
        (["x"], ["P1"], "ids are the images' file names without folder and suffix"),
    ],
)
def test_where_nothing_matches_an_error_shows_both_sides_and_what_to_do(results, truth, advice):
    with pytest.raises(EvaluationError, match="no image of the results is in the ground truth") as caught:
        match_images(collection(*results), collection(*truth))
    assert f"'{results[0]}'" in str(caught.value)
    assert f"'{truth[0]}'" in str(caught.value)
    assert advice in str(caught.value)


def test_one_score_for_all_boxes_is_no_score():
    def scored(*scores):
        return Collection({"a": ImageBoxes(boxes(len(scores), list(scores)))}, ("ship",))

    plain = without_constant_scores(scored(1.0, 1.0))
    assert not plain.scored
    assert plain.notes == ("all boxes have the score 1, which ranks nothing: evaluated as without scores",)
    assert without_constant_scores(scored(1.0, 0.9)).scored
    assert without_constant_scores(scored(1.0)).scored  # nothing to rank
    assert without_constant_scores(collection("a")).notes == ()
