"""All formats: exact round trips, malformed and damaged files, PATH:FORMAT."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, FormatError, SettingError
from detection_eval.formats import (
    FORMATS,
    Collection,
    ImageBoxes,
    read,
    split_format,
    write,
)
from detection_eval.formats.class_lists import CLASS_LISTS
from detection_eval.geometry.quads import box_quads
from tests.detection_eval.formats.material import (
    FOLDERS,
    HRSC,
    MBOX,
    NAMES,
    options,
    sample,
    target,
)

ROUNDED = ("mmrotate-0.x", "mmrotate-1.x", "hrsc2016", "rscovlm")


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


def test_the_documentation_names_every_format_and_class_list():
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(FORMATS)
    assert all(f"`{name}`" in text for name in CLASS_LISTS)


# --- class lists ----------------------------------------------------------------------------------


# --- malformed files ------------------------------------------------------------------------------

DIOR = "<annotation>\n<object>\n<name>ship</name>\n{}\n</object>\n</annotation>"
FAIR = (
    "<annotation>\n<objects>\n<object>\n"
    "<possibleresult><name>Bus</name></possibleresult>\n<points>{}</points>"
)
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
        ("mmrotate-json", '[{"bbox": [1, 2, 3, 4]}]', "entry 0: it has no 'category_id'"),
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


@pytest.mark.parametrize("name", FOLDERS)
def test_an_image_id_cannot_lead_out_of_the_folder(tmp_path, name):
    names = CLASS_LISTS[FORMATS[name].classes] if FORMATS[name].classes else NAMES
    found = Detections(box_quads([[0, 0, 4, 4]]), [0], names, [0.5])
    evil = Collection({"../evil": ImageBoxes(found, size=(9, 9))}, names)
    with pytest.raises(CannotWrite, match=r"not a valid file name|does not fit"):
        write(tmp_path / "out", evil, name)
    assert not (tmp_path / "evil.txt").exists()
