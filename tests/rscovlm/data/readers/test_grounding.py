"""Phrases with their boxes."""

from tests.rscovlm.data.published import corners, quad, read, write_lines

DIAMOND = [[20, 10], [30, 20], [20, 30], [10, 20]]


def test_refgeo_takes_the_polygon_where_there_is_one(tmp_path, images):
    rows = [
        {
            "image_id": "b.jpg",
            "dataset": "rsvg",
            "question": "the  red ship.",
            "bbox": [10, 10, 30, 30],
            "poly": [[30, 20], [20, 30], [10, 20], [20, 10]],
            "image_width": 200,
            "image_height": 100,
        },
        {"image_id": "a.png", "dataset": "avvg", "question": "a car", "bbox": [1, 2, 3, 4], "poly": ""},
        {"image_id": "gone.png", "question": "x", "bbox": [1, 2, 3, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [1, 2, 1, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [500, 2, 510, 4]},
        {"image_id": "a.png", "question": " ", "bbox": [1, 2, 3, 4]},
        {"image_id": "a.png", "question": "x", "bbox": [1, 2, 3]},
    ]
    path = write_lines(tmp_path / "refgeo.jsonl", rows)
    (ship, car), account = read("refgeo", path, images)
    assert (ship.id, ship.task, ship.phrase, ship.turns) == (
        "refgeo.jsonl:1",
        "grounding",
        "the red ship",
        (),
    )
    assert ship.images[0].path == str(images / "rsvg" / "b.jpg")
    assert [(corners(b), b.horizontal) for b in ship.boxes] == [(DIAMOND, False)]
    assert [(corners(b), b.horizontal) for b in car.boxes] == [(quad(1, 2, 3, 4), True)]
    assert account.left_out == {
        "its image is missing": 1,
        "its box has no area": 1,
        "its box lies outside its image": 1,
        "no phrase": 1,
        "its box is malformed": 1,
    }
    (ship, _), _ = read("refgeo", path, images, geometry="hbb")
    assert [(corners(b), b.horizontal) for b in ship.boxes] == [(quad(10, 10, 30, 30), True)]


def test_dior_rsvg_in_xml(tmp_path, images):
    (tmp_path / "x").mkdir()
    bounds = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax></bndbox>"
    (tmp_path / "x" / "00001.xml").write_text(
        "<annotation><filename>a.png</filename>"
        f"<object><name>ship</name>{bounds}<description>A ship on the left.</description></object>"
        f"<object><name>ship</name>{bounds}</object></annotation>"
    )
    (sample,), account = read("dior-rsvg", tmp_path / "x", images)
    assert (sample.id, sample.phrase) == ("00001:0", "A ship on the left")
    assert [(corners(b), b.label, b.horizontal) for b in sample.boxes] == [
        (quad(10, 20, 40, 60), "ship", True)
    ]
    assert account.left_out == {"no phrase": 1}


def test_a_horizontal_box_is_the_annotated_one_where_it_differs_from_the_polygons_bounds(tmp_path, images):
    row = {"image_id": "a.png", "question": "x", "bbox": [10, 10, 32, 30], "poly": DIAMOND}
    path = write_lines(tmp_path / "refgeo.jsonl", [row])
    (sample,), _ = read("refgeo", path, images, geometry="hbb")
    assert corners(sample.boxes[0]) == quad(10, 10, 32, 30)
