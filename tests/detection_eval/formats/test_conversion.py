"""Conversions: losses are listed, and no score is invented."""

import pytest

from detection_eval.errors import CannotWrite, FormatError
from detection_eval.formats import (
    ReadOptions,
    WriteOptions,
    convert,
    detect_format,
    losses,
    read,
    write,
)
from tests.detection_eval.formats.material import (
    NAMES,
    SCORED,
    collection,
)


def test_a_conversion_says_what_the_target_cannot_hold(tmp_path):
    write(tmp_path / "a.jsonl", collection(1, [3, 0], scored=True, graded=True), "predictions")
    done = convert(tmp_path / "a.jsonl", tmp_path / "out", target_format="dota")
    assert done[:4] == ("predictions", "dota", 2, 3)
    assert done.lost == ("the scores", "the size of 2 images", "the suffix of the file names of 2 images")
    done = convert(tmp_path / "a.jsonl", tmp_path / "b.pkl")
    assert done.target == "mmrotate-1.x"
    assert done.lost == (
        "the difficulty of objects in 1 image",
        "digits: it holds rounded numbers or rectangles",
        "the names of classes, counted as small-vehicle, plane, ship",
    )
    assert losses(collection(1, [2]), "predictions") == []


def test_a_conversion_takes_what_the_source_does_not_say(tmp_path):
    written = collection(1, [3, 2], scored=True)
    write(tmp_path / "a.pkl", written, "mmrotate-0.x")
    with pytest.raises(FormatError, match=r"a\.pkl: holds numbers of classes and no names"):
        convert(tmp_path / "a.pkl", tmp_path / "b.json")
    told = ReadOptions(NAMES, list(written.images), (1024, 1000))
    assert convert(tmp_path / "a.pkl", tmp_path / "b.json", options=told).boxes == 5
    assert list(read(tmp_path / "b.json").images) == ["P0000", "P0001"]


def test_no_score_is_invented_by_a_conversion(tmp_path):
    write(tmp_path / "a.json", collection(1, [2]), "coco")
    for name in SCORED:
        with pytest.raises(CannotWrite, match="scores"):
            convert(tmp_path / "a.json", tmp_path / "out", target_format=name)
        done = convert(tmp_path / "a.json", tmp_path / name, target_format=name, writing=WriteOptions(1.0))
        assert done.boxes == 2


@pytest.mark.parametrize("name", ["coco", "ultralytics", "rscovlm"])
def test_formats_that_need_the_size_of_images_ask_for_it(tmp_path, name):
    (tmp_path / "a.txt").write_text("0 0 4 0 4 4 0 4 ship 0\n")
    with pytest.raises(CannotWrite, match=r"a: .*size.*known; give"):
        convert(tmp_path / "a.txt", tmp_path / "out", target_format=name)
    sized = ReadOptions(sizes=(10, 10))
    assert convert(tmp_path / "a.txt", tmp_path / "out", target_format=name, options=sized).boxes == 1


def test_an_empty_folder_and_a_map_layer_are_told_from_unknown_formats(tmp_path):
    with pytest.raises(FormatError, match="an empty folder"):
        detect_format(tmp_path)
    (tmp_path / "objects.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(FormatError, match=r"a map layer holds no pixels.* \.json \(COCO\)"):
        detect_format(tmp_path / "objects.geojson")
