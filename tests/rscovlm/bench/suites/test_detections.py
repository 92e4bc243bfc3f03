"""DOTA, DIOR-R and FAIR1M: an item for each image."""

import pytest

from detection_eval.formats.class_lists import DIOR_R, DOTA_V1_0, FAIR1M
from rscovlm.errors import DataError
from tests.rscovlm.bench.suites.laid_out import bounds, items, pictures


def test_dota_with_its_difficult_objects_ignored(tmp_path):
    labels = tmp_path / "val" / "labelTxt"
    labels.mkdir(parents=True)
    pictures(tmp_path / "val" / "images", [f"P{number:04}.png" for number in range(19)])
    for number in range(20):
        rows = ["imagesource:GoogleEarth", "gsd:0.5", f"{number} 10 40 10 40 30 {number} 30 plane 0"]
        rows += ["50 50 80 50 80 70 50 70 ship 1"] if number % 2 else []
        rows += ["5 5 9 5 9 9 5 9 container-crane 0"] if number == 2 else []
        (labels / f"P{number:04}.txt").write_text("\n".join(rows) + "\n")

    found, account = items("dota-v1.0", tmp_path)

    assert [item.key for item in found] == [f"P{number:04}" for number in range(20)]
    assert found[1].truth.labels == ("plane", "ship")
    assert found[1].truth.ignored.tolist() == [False, True]
    assert found[0].truth.ignored is None
    assert bounds(found[3]) == [3, 10, 40, 30]
    assert found[2].truth.labels == ("plane",)  # container-crane is a class of 1.5
    assert found[0].options == DOTA_V1_0
    assert found[0].groups == {"source": "GoogleEarth"}
    assert found[0].extra == {"gsd_m": 0.5}
    assert found[0].images == (str(tmp_path / "val" / "images" / "P0000.png"),)
    assert account.changed["items whose image is missing"] == 1


def dior(name, boxes):
    objects = "".join(
        "<object><name>ship</name><difficult>0</difficult><robndbox>"
        + "".join(
            f"<{side}>{value}</{side}>"
            for side, value in zip(
                [
                    f"{axis}_{corner}"
                    for corner in ("left_top", "right_top", "right_bottom", "left_bottom")
                    for axis in "xy"
                ],
                box,
            )
        )
        + "</robndbox><angle>0</angle></object>"
        for box in boxes
    )
    return (
        f"<annotation><filename>{name}.jpg</filename><size><width>200</width><height>100</height></size>{objects}"
        "</annotation>"
    )


def test_dior_r_reads_the_images_that_its_split_lists(tmp_path):
    folder = tmp_path / "Annotations" / "Oriented Bounding Boxes"
    folder.mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    names = [f"{number:05}" for number in range(20)]
    for place, name in enumerate(names):
        (folder / f"{name}.xml").write_text(dior(name, [[place, 10, 50, 10, 50, 30, place, 30]]))
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("\n".join([*names[5:], "99999"]))
    pictures(tmp_path / "JPEGImages-test", [f"{name}.jpg" for name in names])

    found, account = items("dior-r", tmp_path)

    assert [item.key for item in found] == names[5:]
    assert bounds(found[0]) == [5, 10, 50, 30]
    assert found[0].options == DIOR_R
    assert account.changed["images that are listed and not annotated passed over"] == 1


def test_fair1m_leaves_out_its_classes_of_others(tmp_path):
    folder = tmp_path / "validation" / "labelXml"
    folder.mkdir(parents=True)
    for number in range(20):
        objects = "".join(
            f"<object><possibleresult><name>{name}</name></possibleresult><points>"
            "<point>1,2</point><point>41,2</point><point>41,22</point><point>1,22</point><point>1,2</point>"
            "</points></object>"
            for name in ("Boeing737", "other-airplane")
        )
        (folder / f"{number}.xml").write_text(
            f"<annotation><source><filename>{number}.tif</filename></source><size><width>200</width>"
            f"<height>100</height></size><objects>{objects}</objects></annotation>"
        )
    pictures(tmp_path / "validation" / "images", [f"{number}.tif" for number in range(20)])

    found, _ = items("fair1m", tmp_path)

    assert len(found) == 20
    assert {item.truth.labels for item in found} == {("Boeing737",)}
    assert bounds(found[0]) == [1, 2, 41, 22]
    assert found[0].options == FAIR1M


def test_a_split_file_without_its_annotations_is_one_clear_line(tmp_path):
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "test.txt").write_text("00001\n")
    with pytest.raises(
        DataError, match=r"Oriented Bounding Boxes is no folder; the annotations of test\.txt belong"
    ):
        items("dior-r", tmp_path)
