"""Phrases of refGeo, and of DIOR-RSVG's XML."""

import pytest

from tests.rscovlm.bench.suites.laid_out import bounds, items, pictures
from tests.rscovlm.data.published import write_lines

SETS = [
    ("dior-rsvg", "test", "dior_rsvg_test", "dior_rsvg"),
    ("dior-rsvg", "val", "dior_rsvg_val", "dior_rsvg"),
    ("rsvg", "test", "rsvg_test", "rsvg"),
    ("rsvg", "val", "rsvg_val", "rsvg"),
    ("geochat-vg", "test", "geochat_test", "geochat_test"),
    ("avvg", "test", "avvg_test", "avvg"),
]


@pytest.mark.parametrize(("name", "split", "file", "folder"), SETS)
def test_refgeo(tmp_path, name, split, file, folder):
    pictures(tmp_path / "images" / folder, ["1.jpg", "2.png"])
    rows = [
        {
            "image_id": "1.jpg" if number % 2 else "2.jpg",  # the second one is a PNG
            "question": f"the  ship {number}",
            "bbox": [number, 10, number + 30 + 10 * (number % 3), 42],
        }
        for number in range(15)
    ]
    rows += [
        {"image_id": "1.jpg", "question": "a pier", "poly": [[10, 5], [60, 5], [60, 50], [10, 50]]},
        {
            "image_id": "1.jpg",
            "question": "a quay",
            "bbox": [1, 2, 30, 40],
            "poly": [[15, 1], [30, 2], [9, 40], [1, 9]],
        },
        {"image_id": "1.jpg", "question": "beyond", "bbox": [300, 10, 320, 20]},
        {"image_id": "1.jpg", "question": "", "bbox": [1, 2, 3, 4]},
        {"image_id": "1.jpg", "question": "flat", "bbox": [5, 5, 5, 9]},
    ]
    assert len(rows) == 20
    (tmp_path / "metainfo").mkdir()
    write_lines(tmp_path / "metainfo" / f"{file}.jsonl", rows)

    found, account = items(name, tmp_path, split)

    assert len(found) == 17
    assert found[3].key == f"{file}.jsonl:4"
    assert found[3].subject == "the ship 3"
    assert bounds(found[4]) == [4, 10, 44, 42]  # 40 x 32 px are more than 32 x 32
    assert [item.groups["size"] for item in found[3:5]] == ["small", "medium"]
    assert bounds(found[15]) == [10, 5, 60, 50]
    assert bounds(found[16]) == [1, 2, 30, 40]  # what is scored is the upright box, where there is one
    assert found[2].images == (str(tmp_path / "images" / folder / "2.png"),)
    assert account.left_out == {
        "its box lies outside its image": 1,
        "no phrase": 1,
        "its box has no area": 1,
    }


def test_dior_rsvg_as_xml(tmp_path):
    pictures(tmp_path / "JPEGImages", ["00001.jpg"])
    described = "".join(
        f"<object><name>ship</name><bndbox><xmin>{n}</xmin><ymin>2</ymin><xmax>{n + 9}</xmax><ymax>20</ymax>"
        "</bndbox>" + (f"<description>ship {n}</description></object>" if n else "</object>")
        for n in range(20)
    )
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "00001.xml").write_text(
        f"<annotation><filename>00001.jpg</filename>{described}</annotation>"
    )

    found, account = items("dior-rsvg", tmp_path, "all")

    assert [item.key for item in found] == [f"00001:{number}" for number in range(1, 20)]
    assert bounds(found[0]) == [1, 2, 10, 20]
    assert found[0].groups == {"category": "ship", "size": "small"}
    assert found[0].subject == "ship 1"
    assert account.left_out == {"no phrase": 1}
