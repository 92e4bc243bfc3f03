"""All formats: exact round trips, told apart by content, conversions that say what they lose."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError, SettingError
from detection_eval.formats import (
    FORMATS,
    Collection,
    ImageBoxes,
    ReadOptions,
    WriteOptions,
    convert,
    detect_format,
    losses,
    read,
    split_format,
    write,
)
from detection_eval.formats.class_lists import CLASS_LISTS, HRSC2016_CODES, classes
from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.geometry.rotated import boxes_to_quads, quads_to_boxes

NAMES = ("small-vehicle", "plane", "ship")
SCORED = ("task1", "mmrotate-0.x", "mmrotate-1.x", "mmrotate-json", "ultralytics-json")
FOLDERS = ("dota", "task1", "ultralytics", "dior-r", "fair1m", "hrsc2016", "rsar")
ROUNDED = ("mmrotate-0.x", "mmrotate-1.x", "hrsc2016", "rscovlm")
TWINS = {"srsdd": "coco", "rsar": "dota"}
"""Formats that are another one with a class list."""


def boxes(rng, count, names=NAMES, scored=False, graded=False, whole=False):
    """Objects as a file lists them: by class, so that formats by class keep the order too."""
    numbers = np.column_stack(
        [rng.uniform(100, 900, (count, 2)), rng.uniform(20, 90, count), rng.uniform(4, 19, count)]
    )
    quads = canonical(boxes_to_quads(np.column_stack([numbers, rng.uniform(-1.5, 1.5, count)])))
    quads = canonical(quads.round()) if whole else quads
    labels = np.sort(rng.integers(0, len(names), count))
    scores = rng.random(count) if scored and count else None
    difficulty = rng.integers(0, 3, count) if graded and count else None
    return Detections(quads, labels, names, scores), difficulty


def collection(seed, counts, names=NAMES, **how):
    rng = np.random.default_rng(seed)
    images = {}
    for number, count in enumerate(counts):
        found, difficulty = boxes(rng, count, names, **how)
        images[f"P{number:04}"] = ImageBoxes(found, difficulty, (1024, 1000), f"P{number:04}.png")
    return Collection(images, names)


def options(name, images):
    """What a reader of the format has to be told."""
    told = {"classes": NAMES if FORMATS[name].classes is None else CLASS_LISTS[FORMATS[name].classes]}
    if name == "mmrotate-0.x":
        told["images"] = list(images)
    if name in ("ultralytics", "dota", "rsar", "lmmrotate"):
        told["sizes"] = (1024, 1000)
    return told


def sample(name, seed=1, counts=(4, 0, 3)):
    """A collection that the format can hold."""
    keeps = FORMATS[name].keeps
    names = options(name, ())["classes"]
    how = {"scored": "scores" in keeps, "graded": "difficulty" in keeps, "whole": name == "rscovlm"}
    return collection(seed, counts if "empty" in keeps else [n for n in counts if n], names, **how)


def target(folder, name):
    suffix = {"predictions": ".jsonl", "mmrotate-0.x": ".pkl", "mmrotate-1.x": ".pkl"}.get(name, ".json")
    return folder / ("written" if name in FOLDERS else f"written{suffix}")


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ROUNDED])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_boxes_come_back_to_the_last_bit(tmp_path_factory, name, seed, counts):
    if "empty" not in FORMATS[name].keeps:
        counts = [count + 1 for count in counts]
    path = target(tmp_path_factory.mktemp("formats"), name)
    written = sample(name, seed, counts)
    write(path, written, name)
    back = read(path, name, **options(name, written.images))
    assert back.classes == written.classes
    order = sorted if name == "task1" else list  # whose files are by class
    assert order(back.images) == list(written.images)
    for image, held in written.images.items():
        found = back.images[image].detections
        assert found == held.detections
        if "difficulty" in FORMATS[name].keeps and len(held.detections):
            assert back.images[image].difficulty.tolist() == held.difficulty.tolist()
        if "size" in FORMATS[name].keeps:
            assert back.images[image].size == (1024, 1000)


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_writing_changes_no_byte(tmp_path, name):
    written = sample(name)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = target(tmp_path / "a", name), target(tmp_path / "b", name)
    write(first, written, name)
    back = read(first, name, **options(name, written.images))
    write(second, back, name)
    files = sorted(first.iterdir()) if first.is_dir() else [first]
    for file in files:
        other = second / file.name if first.is_dir() else second
        assert file.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_told_apart_by_content(tmp_path, name):
    path = target(tmp_path, name)
    write(path, sample(name), name)
    assert detect_format(path) == TWINS.get(name, name)
    if path.is_dir() and name != "task1":
        assert detect_format(
            path / "P0000.xml" if "xml" in str(list(path.iterdir())) else path / "P0000.txt"
        ) == (TWINS.get(name, name))


@pytest.mark.parametrize("name", ["hrsc2016", "mmrotate-1.x"])
def test_formats_of_rectangles_keep_the_rectangle(tmp_path, name):
    written = sample(name)
    write(target(tmp_path, name), written, name)
    back = read(target(tmp_path, name), name, **options(name, written.images))
    for image, held in written.images.items():
        mine, theirs = (quads_to_boxes(each.detections.polygons) for each in (held, back.images[image]))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


def test_predictions_keep_everything_a_collection_has(tmp_path):
    one = collection(1, [3, 2], scored=True, graded=True)
    held = ImageBoxes(one.images["P0000"].detections, None, (5, 6), "a.tif", "GoogleEarth", 0.125)
    whole = Collection(
        {**one.images, "a": held}, NAMES, collection(2, [1, 2], graded=True).images, ("a note",)
    )
    write(tmp_path / "a.jsonl", whole, "predictions")
    assert read(tmp_path / "a.jsonl") == whole


def test_a_reply_in_predictions_is_parsed_at_the_size_shown(tmp_path):
    head = {"schema": "detection_eval.predictions/1", "classes": ["ship", "plane"]}
    reply = {
        "image": "a",
        "reply": "10,20,30,20,30,40,10,40 ship\n1,2,3,4 boat",
        "contract": "rscovlm-quad",
        "shown": {"width": 100, "height": 100},
        "size": {"width": 200, "height": 400},
    }
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(head)}\n{json.dumps(reply)}\n")
    back = read(tmp_path / "a.jsonl")
    assert back.detections["a"].polygons.tolist() == box_quads([[20, 80, 60, 160]]).tolist()
    assert back.report.boxes == 1
    write(tmp_path / "b.jsonl", back, "predictions")
    assert read(tmp_path / "b.jsonl") == back


def test_rscovlm_results_are_parsed_from_the_text_in_pixels_of_the_original(tmp_path):
    record = {
        "message": [{"role": "system", "content": "in plain text format"}],
        "file_name": "P1__1024__0___0.png",
        "output": "14,14,28,14,28,28,14,28 small vehicle\n14,14,28,14,28,28,14,28 dragon",
        **{"original_width": 512, "original_height": 256, "resized_width": 504, "resized_height": 252},
        "gt_instances": {"bboxes": [[10, 10, 4, 2, 0.0]], "labels": [0]},
        "ignored_instances": {"bboxes": [], "labels": []},
    }
    silent = {"file_name": "P2.png", "gt_instances": {}}
    path = tmp_path / "inference_results.json"
    path.write_text(json.dumps([record, silent]))
    assert detect_format(path) == "rscovlm"
    back = read(path, classes=NAMES)
    found = back.images["P1__1024__0___0"]
    np.testing.assert_allclose(found.detections.polygons[0, 2], [28 * 512 / 504, 28 * 256 / 252])
    assert (found.detections.names, found.report.unknown_labels) == (["small-vehicle"], {"dragon": 1})
    assert back.truth["P1__1024__0___0"].detections.polygons[0].tolist() == [
        [8, 9],
        [12, 9],
        [12, 11],
        [8, 11],
    ]
    assert back.notes == ("1 of 2 records hold no output; their images have no boxes",)
    assert read(path).classes == ("dragon", "small vehicle")


def test_the_prompt_of_a_record_says_how_its_reply_is_written(tmp_path):
    written = collection(1, [3], whole=True)
    write(tmp_path / "a.json", written, "rscovlm", contract="rscovlm-json-quad")
    assert "quadrant bbox" in (tmp_path / "a.json").read_text()
    assert len(read(tmp_path / "a.json", classes=NAMES).detections["P0000"]) == 3


def test_lmmrotate_polygons_are_cut_into_eights_and_text_is_parsed(tmp_path):
    eight = [1, 2, 30, 2, 30, 40, 1, 40]
    answers = {
        "a.png": {
            "<ROD>": {"polygons": [[eight + eight, eight[:6]], [eight]], "labels": ["small vehicle", "x"]}
        },
        "b.png": {"<ROD>": {"polygons": [], "labels": []}},
    }
    path = tmp_path / "parsed_answers_test.json"
    path.write_text(json.dumps(answers))
    assert detect_format(path) == "lmmrotate"
    back = read(path, classes=NAMES)
    assert (len(back.detections["a"]), len(back.detections["b"])) == (2, 0)
    assert (back.report.unknown_labels, back.report.dropped) == ({"x": 1}, {"too few numbers": 1})
    tokens = "ship" + "".join(f"<loc_{number}>" for number in (100, 100, 200, 100, 200, 200, 100, 200))
    path.write_text(json.dumps({"c.png": tokens}))
    with pytest.raises(FormatError, match=r"c\.png: location tokens are parts of the image's size"):
        read(path, classes=NAMES)
    found = read(path, classes=NAMES, sizes={"c": (1000, 500)}).detections["c"]
    assert found.polygons[0].tolist() == [[100.5, 50.25], [200.5, 50.25], [200.5, 100.25], [100.5, 100.25]]


def test_parts_of_a_side_hold_every_pixel_to_the_bit(tmp_path):
    corners = canonical(np.arange(0, 8000, dtype=np.float64).reshape(-1, 4, 2))
    found = Detections(corners, np.zeros(1000, int), NAMES)
    write(tmp_path / "out", Collection({"a": ImageBoxes(found, size=(8191, 7919))}, NAMES), "ultralytics")
    back = read(tmp_path / "out", classes=NAMES, sizes=(8191, 7919))
    assert np.array_equal(back.detections["a"].polygons, corners)


def test_names_of_classes_match_as_spoken(tmp_path):
    (tmp_path / "a.txt").write_text("0 0 4 0 4 4 0 4 Small_Vehicle 0\n")
    assert read(tmp_path / "a.txt", classes=NAMES).detections["a"].names == ["small-vehicle"]


def test_other_categories_of_fair1m_are_left_out_with_a_note(tmp_path):
    lines = [f"0 0 4 0 4 4 0 4 {name} 0" for name in ("Dry Cargo Ship", "other-ship")]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    back = read(tmp_path / "a.txt", classes=classes("fair1m"))
    assert back.detections["a"].names == ["Dry Cargo Ship"]
    assert back.notes == ("1 boxes of categories other-... are left out",)
    assert len(read(tmp_path / "a.txt", classes=classes("fair1m-37")).detections["a"]) == 2


def test_the_documentation_names_every_format_and_class_list():
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(FORMATS)
    assert all(f"`{name}`" in text for name in CLASS_LISTS)


# --- class lists ----------------------------------------------------------------------------------


def test_class_lists_have_their_published_lengths():
    lengths = {name: len(names) for name, names in CLASS_LISTS.items()}
    assert lengths == {
        "dota-v1.0": 15,
        "dota-v1.5": 16,
        "dota-v2.0": 18,
        "dior-r": 20,
        "fair1m": 34,
        "fair1m-37": 37,
        "hrsc2016": 1,
        "hrsc2016-31": 31,
        "srsdd": 6,
        "srsdd-mmrotate": 6,
        "rsar": 6,
    }
    assert all(len(set(names)) == len(names) for names in CLASS_LISTS.values())
    assert sorted(classes("srsdd")) == sorted(classes("srsdd-mmrotate"))
    assert HRSC2016_CODES["22"] == "Hovercraft"


def test_a_class_list_can_come_from_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("# mine\nship\n\nDry Cargo Ship\n")
    assert classes(tmp_path / "names.txt") == ("ship", "Dry Cargo Ship")
    (tmp_path / "names.txt").write_text("ship\nship\n")
    with pytest.raises(FormatError, match="class 'ship' is listed twice"):
        classes(tmp_path / "names.txt")
    with pytest.raises(SettingError, match="no class list 'dota'; choose dota-v1"):
        classes("dota")


# --- malformed files ------------------------------------------------------------------------------

DIOR = "<annotation>\n<object>\n<name>ship</name>\n{}\n</object>\n</annotation>"
FAIR = (
    "<annotation>\n<objects>\n<object>\n"
    "<possibleresult><name>Bus</name></possibleresult>\n<points>{}</points>"
)
HRSC = (
    "<HRSC_Image><HRSC_Objects>\n<HRSC_Object>\n"
    "<Class_ID>{}</Class_ID>{}\n</HRSC_Object></HRSC_Objects></HRSC_Image>"
)
MBOX = "".join(f"<mbox_{name}>1</mbox_{name}>" for name in ("cx", "cy", "w", "h", "ang"))
POINTS = "".join(f"<point>{x},{y}</point>" for x, y in ((0, 0), (4, 0), (4, 4), (0, 4)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("dior-r", "<annotation>", r"a\.xml:1: not XML \(no element found\)"),
        ("dior-r", "", r"a\.xml:1: not XML"),
        ("dior-r", "<other/>", r"a\.xml:1: expected <annotation>, not <other>"),
        (
            "dior-r",
            DIOR.format("<bndbox><xmin>1</xmin></bndbox>"),
            r"a\.xml:2: <object> without <bndbox/ymin>",
        ),
        ("dior-r", DIOR.format("<robndbox></robndbox>"), r"a\.xml:4: <robndbox> without <x_left_top>"),
        (
            "dior-r",
            DIOR.format("<bndbox><xmin>1</xmin><ymin>x</ymin><xmax>1</xmax><ymax>1</ymax></bndbox>"),
            r"a\.xml:2: 'x' is not a finite number",
        ),
        (
            "dior-r",
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
            r"a\.xml:1: a document type",
        ),
        ("dior-r", "<a>" * 50 + "</a>" * 50, r"a\.xml:1: nested deeper"),
        ("dior-r", '<?xml version="1.0" encoding="nonsense"?><annotation/>', r"a\.xml:1: not XML"),
        ("fair1m", FAIR.format(POINTS + "<point>9,9</point>"), r"not XML \(no element found\)"),
        (
            "fair1m",
            FAIR.format(POINTS[:40]) + "</object></objects></annotation>",
            r"a\.xml:5: not XML|a\.xml:3: its <points>",
        ),
        (
            "fair1m",
            FAIR.format(POINTS + "<point>9,9</point>") + "</object></objects></annotation>",
            r"a\.xml:3: expected <points> as a ring",
        ),
        ("fair1m", FAIR.format(POINTS) + "</object></objects></annotation>", None),
        ("hrsc2016", HRSC.format("100000021", ""), r"a\.xml:2: <HRSC_Object> without <mbox_cx>"),
        ("hrsc2016", HRSC.format("100000021", MBOX), None),
        ("ultralytics", "0 0 0 1 0 1 1 0\n", r"a\.txt:1: 8 columns"),
        ("ultralytics", "\n7 0 0 1 0 1 1 0 1\n", r"a\.txt:2: class 7, but 3 names"),
        ("ultralytics", "0 0 0 1 0 1 1 0 y\n", r"a\.txt:1: 'y' is not a finite number"),
        ("rscovlm", "{}", "expected a list of records"),
        ("rscovlm", '[{"output": "x"}]', "record 0: neither file_name nor img_path"),
        ("rscovlm", '[{"output": "x", "file_name": "a"}]', "record 0: no original_width"),
        ("rscovlm", '[{"file_name": "a"}]', "no record holds an output"),
        ("lmmrotate", "[]", "no answers by file name"),
        ("lmmrotate", '{"a": {"<ROD>": {"labels": []}}}', "a: no polygons and labels"),
        (
            "lmmrotate",
            '{"a": {"<ROD>": {"labels": ["x"], "polygons": [["q"]]}}}',
            "'q' is not a finite number",
        ),
        ("mmrotate-json", '{"a": 1}', "no list of detections but a dict"),
        ("mmrotate-json", '[{"bbox": [1, 2, 3, 4]}]', "entry 0: missing or malformed value"),
        (
            "mmrotate-json",
            '[{"bbox": [1, 2, 3], "score": 1, "category_id": 0, "image_id": "a"}]',
            "entry 0: a box of 3 numbers; COCO's have 4, rotated ones 5, polygons 8",
        ),
        (
            "mmrotate-json",
            '[{"bbox": [1, 2, 3, 4, 0], "score": 1, "category_id": 3, "image_id": "a"}]',
            "entry 0: category 3, but 3 class names are given, counted from 0",
        ),
        ("predictions", "", r":1: no predictions"),
        ("predictions", '{"schema": "x"}', r":1: no predictions"),
        ("predictions", '{"schema": "detection_eval.predictions/1"}', r":1: no list of classes"),
    ],
)
def test_malformed_files_are_told_by_place(tmp_path, name, content, message):
    suffix = {"dior-r": "xml", "fair1m": "xml", "hrsc2016": "xml", "ultralytics": "txt"}.get(name, "json")
    path = tmp_path / f"a.{suffix}"
    path.write_text(content)
    told = options(name, ()) | ({"sizes": (10, 10)} if name == "ultralytics" else {})
    if message is None:
        assert len(read(path, name, **told).detections["a"]) == 1
        return
    with pytest.raises(FormatError, match=message) as caught:
        read(path, name, **told)
    assert str(caught.value).startswith(str(path))


IMAGE = '{"schema": "detection_eval.predictions/1", "classes": ["ship"]}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", ":2: expected a JSON object, not list"),
        ("{", ":2: not JSON"),
        ('{"file_name": "a"}', ":2: no image"),
        ('{"image": "a", "size": {"width": 0, "height": 1}}', "no {.width"),
        ('{"image": "a", "size": [1024, 768]}', "no {.width"),
        ('{"image": "a", "file_name": 3}', "file_name and source are text"),
        ('{"image": "a", "boxes": [1]}', ":2: boxes need polygons and labels"),
        ('{"image": "a", "boxes": {"polygons": [[1]], "labels": ["ship"]}}', "a box is not 8 numbers"),
        ('{"image": "a", "boxes": {"polygons": [[1]], "labels": []}}', "as many of each"),
        ('{"image": "a", "reply": "x"}', ":2: unknown contract ''"),
        (
            '{"image": "a", "reply": "x", "contract": "rscovlm-quad"}',
            "a reply is text about an image with a size",
        ),
        ('{"image": "a", "parse": {"guesses": [], "bad": 1}}', "not a parse report"),
        ('{"image": "a"}\n{"image": "a"}', ":3: image 'a' is listed twice"),
    ],
)
def test_malformed_lines_of_predictions_are_told_by_number(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text(IMAGE + line)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "a.jsonl")


def test_entities_are_refused_before_they_grow(tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    (tmp_path / "a.xml").write_text(f"<!DOCTYPE a [{laughs}]>\n<annotation>&l11;</annotation>")
    with pytest.raises(FormatError, match=r"a\.xml:1: a document type"):
        read(tmp_path / "a.xml", "dior-r")
    (tmp_path / "a.xml").write_text('<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<annotation/>')
    with pytest.raises(FormatError, match=r"a\.xml:1: a document type"):
        read(tmp_path / "a.xml", "dior-r")


def test_names_with_markup_in_them_survive_xml(tmp_path):
    names = ("a<b>&c", "plain")
    found = Detections(box_quads([[0, 0, 4, 4]]), [0], names)
    write(tmp_path / "x", Collection({"a": ImageBoxes(found)}, names), "dior-r")
    assert read(tmp_path / "x", "dior-r", names).detections["a"] == found


def test_a_class_id_that_hrsc_has_not_is_told_only_where_classes_count(tmp_path):
    (tmp_path / "a.xml").write_text(HRSC.format("100000021", MBOX))
    with pytest.raises(FormatError, match=r"a\.xml:2: Class_ID 100000021 is none of HRSC2016's"):
        read(tmp_path / "a.xml", classes=classes("hrsc2016-31"))


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A proper file of each format, by name."""
    files = {}
    for name in FORMATS:
        path = target(tmp_path_factory.mktemp("originals"), name)
        write(path, sample(name, counts=(2, 1)), name)
        files[name] = max(path.iterdir(), key=lambda file: file.stat().st_size) if path.is_dir() else path
    return files


SPLICES = [
    b"",
    b"\x00",
    b"\xff",
    b"-",
    b"9e999",
    b"nan",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"<a>",
    b"\n",
    b" ",
    b"1_0",
]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_give_boxes_or_one_error_that_names_the_file(originals, tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(FORMATS)))
    content = bytearray(originals[name].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 12))] = data.draw(st.sampled_from(SPLICES))
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / originals[name].name
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content))) or None]))
    told = options(name, ["P0000", "P0001"])
    try:
        read(folder if name == "task1" else path, name, **told)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017 - boxes are as good
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01", b"<html></html>", b"[1, 2]", b"words only\n", b'{"a": 1}']
)
def test_what_cannot_be_told_asks_for_a_name(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.bin: format not recognised; give"):
        detect_format(tmp_path / "a.bin")


# --- PATH:FORMAT and conversion -------------------------------------------------------------------


def test_a_format_stands_after_the_last_colon():
    split = {spec: split_format(spec) for spec in ("a/b", "a:coco", "C:\\x\\y", "C:/x:dota", "s3://x/y")}
    assert {spec: (str(path), name) for spec, (path, name) in split.items()} == {
        "a/b": ("a/b", None),
        "a:coco": ("a", "coco"),
        "C:\\x\\y": ("C:\\x\\y", None),
        "C:/x:dota": ("C:/x", "dota"),
        "s3://x/y": ("s3:/x/y", None),
    }
    for spec, message in [
        ("a:coc", "unknown format 'coc'; choose predictions"),
        (":coco", "no path"),
        ("", "empty"),
    ]:
        with pytest.raises(SettingError, match=message):
            split_format(spec)


def test_a_conversion_says_what_the_target_cannot_hold(tmp_path):
    write(tmp_path / "a.jsonl", collection(1, [3, 0], scored=True, graded=True), "predictions")
    done = convert(tmp_path / "a.jsonl", tmp_path / "out", target_format="dota")
    assert done[:4] == ("predictions", "dota", 2, 3)
    assert done.lost == ("the scores", "the size of 2 images", "the suffix of the file names of 2 images")
    done = convert(tmp_path / "a.jsonl", tmp_path / "b.pkl")
    assert done.target == "mmrotate-1.x"
    assert done.lost == (
        "the difficulty of objects in 1 images",
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


@pytest.mark.parametrize("name", FOLDERS)
def test_an_image_id_cannot_lead_out_of_the_folder(tmp_path, name):
    names = CLASS_LISTS[FORMATS[name].classes] if FORMATS[name].classes else NAMES
    found = Detections(box_quads([[0, 0, 4, 4]]), [0], names, [0.5])
    evil = Collection({"../evil": ImageBoxes(found, size=(9, 9))}, names)
    with pytest.raises(CannotWrite, match=r"not a valid file name|does not fit"):
        write(tmp_path / "out", evil, name)
    assert not (tmp_path / "evil.txt").exists()
