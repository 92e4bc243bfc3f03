"""Detection formats as samples."""

import numpy as np
import pytest

from detection_eval.errors import FormatError
from rscovlm.data.readers import Options, convert
from rscovlm.data.store import SampleFile
from rscovlm.errors import DataError
from tests.rscovlm.data.published import corners, image, quad, read, write_json

DIAMOND = [[20, 10], [30, 20], [20, 30], [10, 20]]


@pytest.fixture
def images(tmp_path):
    image(tmp_path / "images" / "P1.png")
    image(tmp_path / "images" / "P2.jpg")
    return tmp_path / "images"


@pytest.fixture
def dota(tmp_path, images):
    folder = tmp_path / "labelTxt"
    folder.mkdir()
    (folder / "P1.txt").write_text(
        "imagesource:GoogleEarth\ngsd:0.25\n"
        "30 20 20 30 10 20 20 10 ship 0\n"
        "40 40 60 40 60 50 40 50 small-vehicle 1\n"
        "300 10 320 10 320 30 300 30 ship 0\n"
    )
    (folder / "P2.txt").write_text("")
    return folder


def test_dota_gives_a_sample_for_each_image_with_polygons_difficulty_and_gsd(dota, images):
    (first, second), account = read("dota", dota, images)
    assert (first.id, first.task, first.gsd_m, first.turns) == ("P1", "detection", 0.25, ())
    assert first.classes == second.classes == ("ship", "small-vehicle")
    assert first.images[0].path == str(images / "P1.png")
    assert first.images[0].size == (100, 200)
    assert [(corners(b), b.label, b.difficult, b.horizontal) for b in first.boxes] == [
        (DIAMOND, "ship", False, False),
        (quad(40, 40, 60, 50), "small-vehicle", True, False),
    ]
    assert second.boxes == ()
    assert not account.left_out
    assert account.changed == {"boxes outside their image removed": 1}


@pytest.mark.parametrize(
    ("geometry", "shape", "horizontal"),
    [
        ("polygon", DIAMOND, False),
        ("obb", DIAMOND, False),
        ("hbb", quad(10, 10, 30, 30), True),
    ],
)
def test_boxes_are_taken_as_the_geometry_says(dota, images, geometry, shape, horizontal):
    (first, _), _ = read("dota", dota, images, geometry=geometry)
    assert corners(first.boxes[0]) == shape
    assert {box.horizontal for box in first.boxes} == {horizontal}


def test_obb_is_the_smallest_rectangle_around_a_polygon(tmp_path, images):
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "P1.txt").write_text("10 10 30 10 30 20 10 18 ship 0\n")
    (first,), _ = read("dota", tmp_path / "l", images, geometry="obb")
    assert corners(first.boxes[0]) == quad(10, 10, 30, 20)


def test_missing_images_are_listed(dota, tmp_path):
    (images := tmp_path / "other").mkdir()
    image(images / "P2.tif")
    (only,), account = read("dota", dota, images)
    assert only.id == "P2"
    assert account.left_out == {"its image is missing": 1}
    assert account.places == [("its image is missing", f"{dota}: image P1: P1")]


def test_a_malformed_label_is_an_error_with_its_line(dota, images):
    (dota / "P2.txt").write_text("10 10 30 10 ship 0\n")
    with pytest.raises(FormatError, match=r"P2\.txt:1: "):
        read("dota", dota, images)


DIOR = """<annotation><filename>P1.png</filename><size><width>200</width><height>100</height></size>
<object><name>ship</name>{box}</object></annotation>"""
UPRIGHT = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax></bndbox>"
TURNED = (
    "<robndbox><x_left_top>10</x_left_top><y_left_top>20</y_left_top><x_right_top>20</x_right_top>"
    "<y_right_top>10</y_right_top><x_right_bottom>30</x_right_bottom><y_right_bottom>20</y_right_bottom>"
    "<x_left_bottom>20</x_left_bottom><y_left_bottom>30</y_left_bottom></robndbox>"
)


@pytest.mark.parametrize(
    ("box", "shape", "horizontal"), [(TURNED, DIAMOND, False), (UPRIGHT, quad(10, 20, 40, 60), True)]
)
def test_dior_r_and_its_upright_variant(tmp_path, images, box, shape, horizontal):
    (tmp_path / "P1.xml").write_text(DIOR.format(box=box))
    (sample,), _ = read("dior-r", tmp_path / "P1.xml", images)
    assert len(sample.classes) == 20
    assert [(corners(b), b.horizontal) for b in sample.boxes] == [(shape, horizontal)]


def test_an_image_of_another_size_than_annotated_is_left_out(tmp_path, images):
    (tmp_path / "P1.xml").write_text(DIOR.format(box=TURNED).replace("200", "800"))
    samples, account = read("dior-r", tmp_path / "P1.xml", images)
    assert samples == []
    assert account.places[0][1].endswith("P1.png has 200 x 100 px, its annotation says 800 x 100")


def test_fair1m(tmp_path, images):
    points = "".join(f"<point>{x},{y}</point>" for x, y in [*DIAMOND, DIAMOND[0]])
    (tmp_path / "P1.xml").write_text(
        "<annotation><source><filename>P1.png</filename></source><objects><object><possibleresult>"
        f"<name>A220</name></possibleresult><points>{points}</points></object></objects></annotation>"
    )
    (sample,), _ = read("fair1m", tmp_path / "P1.xml", images)
    assert [(corners(b), b.label) for b in sample.boxes] == [(DIAMOND, "A220")]


def test_hrsc2016(tmp_path, images):
    (tmp_path / "P1.xml").write_text(
        "<HRSC_Image><Img_FileName>P1</Img_FileName><Img_FileFmt>bmp</Img_FileFmt><HRSC_Objects><HRSC_Object>"
        "<Class_ID>100000001</Class_ID><difficult>1</difficult><mbox_cx>50</mbox_cx><mbox_cy>40</mbox_cy>"
        "<mbox_w>20</mbox_w><mbox_h>10</mbox_h><mbox_ang>0</mbox_ang></HRSC_Object></HRSC_Objects></HRSC_Image>"
    )
    (sample,), _ = read("hrsc2016", tmp_path / "P1.xml", images)
    assert [(corners(b), b.label, b.difficult) for b in sample.boxes] == [
        (quad(40, 35, 60, 45), "ship", True)
    ]


def coco(segmentation):
    return {
        "categories": [{"id": 7, "name": "plane"}],
        "images": [{"id": 1, "file_name": "P1.png", "width": 200, "height": 100}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 7,
                "bbox": [10, 20, 30, 40],
                "segmentation": segmentation,
            },
            {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 5, 5], "iscrowd": 1},
        ],
    }


def test_coco_with_rings_of_four_vertices(tmp_path, images):
    path = write_json(tmp_path / "c.json", coco([[20, 10, 30, 20, 20, 30, 10, 20]]))
    (sample,), _ = read("coco", path, images)
    found = [(corners(b), b.label, b.difficult, b.horizontal) for b in sample.boxes]
    assert found == [(DIAMOND, "plane", False, False), (quad(0, 0, 5, 5), "plane", True, False)]


def test_a_coco_ring_of_other_than_four_vertices_is_its_smallest_rectangle_and_counted(tmp_path, images):
    # Two triangles of one rectangle, whose long side lies along (1, 1); a closed ring.
    house = [10, 20, 20, 10, 50, 40, 40, 50, 45, 45]
    closed = [20, 10, 30, 20, 20, 30, 10, 20, 20, 10]
    for ring, shape in ((house, [[20, 10], [50, 40], [40, 50], [10, 20]]), (closed, DIAMOND)):
        path = write_json(tmp_path / "c.json", coco([ring]))
        (sample,), account = read("coco", path, images)
        assert corners(sample.boxes[0]) == shape
        changed = "rings of other than 4 vertices taken by their smallest rectangle"
        assert account.changed[changed] == (ring is house)


def test_coco_with_masks_is_read_by_their_smallest_rectangle_or_by_bounds(tmp_path, images):
    mask = {"size": [100, 200], "counts": [1010, 2, 98, 2, 18888]}  # columns 10 and 11, rows 10 and 11
    for geometry, segmentation, shape in (
        ("hbb", [[0, 0, 5, 0, 5, 5]], quad(10, 20, 40, 60)),
        ("auto", mask, quad(10, 10, 12, 12)),
    ):
        path = write_json(tmp_path / "c.json", coco(segmentation))
        (sample,), account = read("coco", path, images, geometry=geometry)
        assert [corners(b) for b in sample.boxes] == [shape, quad(0, 0, 5, 5)]
        assert account.changed["masks taken by their smallest rectangle"] == (geometry == "auto")
    with pytest.raises(FormatError, match="annotation 0: its segmentation is no ring of points"):
        read("coco", write_json(tmp_path / "c.json", coco([[1, 2, 3, 4, 5]])), images)


def test_an_image_that_cannot_be_opened_is_left_out(dota, images):
    (images / "P1.png").write_bytes(b"no image")
    _, account = read("dota", dota, images)
    assert account.left_out == {"its image cannot be opened": 1}


def test_a_converted_file_refers_to_images_below_it_by_relative_paths(dota, images, tmp_path):
    convert("dota", dota, tmp_path / "out.jsonl", Options(source="dota-train"), images=images)
    file = SampleFile(tmp_path / "out.jsonl")
    assert [(s.id, s.source, s.images[0].path) for s in file] == [
        ("P1", "dota-train", "images/P1.png"),
        ("P2", "dota-train", "images/P2.jpg"),
    ]
    assert file.resolve(file[0].images[0]).is_file()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    convert("dota", dota, elsewhere / "out.jsonl", Options(), images=images, limit=1)
    (only,) = SampleFile(elsewhere / "out.jsonl")
    assert only.images[0].path == str(images / "P1.png")


def test_nothing_to_convert_is_an_error_that_says_why(dota, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"2 x its image is missing \(first: .*image P1: P1\)"):
        convert("dota", dota, tmp_path / "out.jsonl", Options(), images=tmp_path / "none")
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(DataError, match="unknown format 'voc'; choose dota"):
        convert("voc", dota, tmp_path / "out.jsonl", Options())


def test_ids_are_unique_within_a_file(tmp_path, images):
    rows = [{"id": 1, "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}] * 3
    path = write_json(tmp_path / "c.json", rows)
    convert("chat", path, tmp_path / "out.jsonl", Options())
    assert [sample.id for sample in SampleFile(tmp_path / "out.jsonl")] == ["1", "1#2", "1#3"]


def test_flat_boxes_are_removed_and_counted(tmp_path, images):
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "P1.txt").write_text("10 10 30 10 30 10 10 10 ship 0\n40 40 60 40 60 50 40 50 ship 0\n")
    (sample,), account = read("dota", tmp_path / "l", images)
    assert len(sample.boxes) == 1
    assert account.changed["boxes without area removed"] == 1  # beside what the format says of the file
    assert np.isfinite(sample.boxes[0].polygon).all()


def test_a_box_without_area_is_left_out_and_told_once(dota, images):
    (dota / "P2.txt").write_text("10 10 20 10 20 10 10 10 ship 0\n10 10 20 10 20 20 10 20 ship 0\n")
    (_, second), account = read("dota", dota, images)
    assert len(second.boxes) == 1
    assert account.changed == {"boxes outside their image removed": 1, "boxes without area removed": 1}
