"""Text to boxes: what is read, mended, dropped and reported, for every kind of reply that models give."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_eval.detections import Detections
from detection_eval.errors import CannotWrite, SettingError
from detection_eval.geometry.overlap import pair_iou
from detection_eval.geometry.quads import area, bounds, box_quads
from detection_eval.geometry.rotated import boxes_to_quads
from detection_eval.text.contract import Json, Lines, Tagged, VertexForm, detection_prompt
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.labels import LabelMatcher, singular, spoken
from detection_eval.text.parsing import ParseReport, parse_first_box, parse_response
from detection_eval.text.writing import render_response

PLAIN, JSON, HBB = CONTRACTS["rscovlm-quad"], CONTRACTS["rscovlm-json-quad"], CONTRACTS["qwen2.5-vl"]
CLASSES = ("plane", "small-vehicle", "ship")
WIDTH, HEIGHT = 504, 448
BOX = "10,20,30,20,30,40,10,40"
SQUARE = [[10, 20], [30, 20], [30, 40], [10, 40]]
OTHER = "110,120,130,120,130,140,110,140"


def parse(text, contract=PLAIN, classes=CLASSES, **options):
    return parse_response(text, contract, classes, WIDTH, HEIGHT, **options)


def item(numbers=BOX, label='"ship"', key="quadrant bbox"):
    return f'{{"{key}": [{numbers}], "label": {label}}}'


def scene(seed, count, classes=CLASSES):
    rng = np.random.default_rng(seed)
    boxes = np.column_stack(
        [rng.uniform(80, 360, (count, 2)), rng.uniform(12, 90, (count, 2)), rng.uniform(-3, 3, count)]
    )
    return Detections(boxes_to_quads(boxes), rng.integers(0, len(classes), count), classes)


def writable(contract, seed, count):
    """Boxes that a contract can state: of one class where it writes no labels."""
    classes = ("ship",) if isinstance(contract.syntax, Tagged) and contract.syntax.label is None else CLASSES
    return scene(seed, count, classes)


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CONTRACTS))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 12))
def test_what_is_rendered_is_read_back_whole_and_without_repair(name, seed, count):
    contract = CONTRACTS[name]
    truth = writable(contract, seed, count)
    text = render_response(truth, contract, WIDTH, HEIGHT)
    read = parse_response(text, contract, truth.classes, WIDTH, HEIGHT)
    assert len(read.detections) == count
    assert sorted(read.detections.names) == sorted(truth.names)
    assert read.report == ParseReport(
        responses=1,
        boxes=count,
        ok=count,
        declared_empty=int(count == 0),
        duplicate=read.report.duplicate,
        outside=read.report.outside,
    )
    again = render_response(read.detections, contract, WIDTH, HEIGHT)
    if contract.form in (VertexForm.QUAD, VertexForm.HORIZONTAL):
        assert again == text


@pytest.mark.parametrize("name", [n for n, c in CONTRACTS.items() if c.form is VertexForm.QUAD])
def test_vertices_come_back_within_half_a_quantum(name):
    contract = CONTRACTS[name]
    truth = scene(5, 40, ("ship",))
    read = parse_response(render_response(truth, contract, WIDTH, HEIGHT), contract, ("ship",), WIDTH, HEIGHT)
    quantum = (
        np.array([1, 1])
        if contract.space.extent is None
        else np.array([WIDTH, HEIGHT]) / contract.space.extent
    )
    written = read.detections.polygons.reshape(-1, 1, 2)
    meant = truth.polygons.reshape(1, -1, 2)
    nearest = (np.abs(written - meant) / quantum).max(axis=2).min(axis=1)
    assert nearest.max() <= 0.5 + 1e-9


@pytest.mark.parametrize("name", ["rscovlm-obb", "rscovlm-json-obb", "geochat"])
def test_rotated_boxes_come_back_over_the_same_ground(name):
    contract = replace(CONTRACTS[name], decimals=2)
    truth = Detections(scene(6, 30).polygons, np.zeros(30), ("ship",))
    read = parse_response(render_response(truth, contract, WIDTH, HEIGHT), contract, ("ship",), WIDTH, HEIGHT)
    best = [pair_iou(np.repeat(p[None], 30, 0), truth.polygons).max() for p in read.detections.polygons]
    assert min(best) > 0.9  # a degree turns a box of 90 x 12 px by 1.5 px at its ends


@pytest.mark.parametrize(("contract", "degrees"), [("rscovlm-obb", 30), ("geochat", -30)])
def test_the_sense_of_rotation_belongs_to_the_contract(contract, degrees):
    turned = Detections(boxes_to_quads([[200, 200, 80, 20, np.radians(30)]]), [0], ("ship",))
    text = render_response(turned, CONTRACTS[contract], 400, 400)
    assert str(degrees) in text
    read = parse_response(text, CONTRACTS[contract], ("ship",), 400, 400)
    assert pair_iou(read.detections.polygons, turned.polygons)[0] > 0.7  # turned the other way: 0.29


def test_boxes_are_written_by_class_then_from_top_to_bottom_then_left_to_right():
    boxes = box_quads([[50, 90, 60, 99], [9, 50, 20, 60], [5, 50, 8, 60], [0, 0, 9, 9]])
    found = Detections(boxes, [0, 0, 0, 1], ("ship", "Harbor"))
    lines = render_response(found, PLAIN, WIDTH, HEIGHT).splitlines()
    assert [line.split()[1] for line in lines] == ["harbor", "ship", "ship", "ship"]
    assert [line.split(",")[0] for line in lines[1:]] == ["5", "9", "50"]


def test_the_frame_of_the_contract_scales_x_and_y_apart():
    read = parse("500,0,1000,0,1000,1000,500,1000 ship", CONTRACTS["nano"])
    assert read.detections.polygons[0].tolist() == [[252, 0], [504, 0], [504, 448], [252, 448]]


def test_bins_are_read_at_their_centre_and_never_leave_their_range():
    contract = CONTRACTS["florence-2"]
    text = render_response(Detections(box_quads([[0, 0, 1000, 1000]]), [0], ("ship",)), contract, 1000, 1000)
    assert text == "ship<loc_0><loc_0><loc_999><loc_999>"
    read = parse_response(text, contract, ("ship",), 1000, 1000)
    assert read.detections.polygons[0].tolist() == [[0.5, 0.5], [999.5, 0.5], [999.5, 999.5], [0.5, 999.5]]


def test_paligemma_and_gemini_write_y_before_x():
    for name, text in [
        ("gemini", '[{"box_2d": [100, 200, 300, 400], "label": "ship"}]'),
        ("paligemma", "<loc0102><loc0204><loc0307><loc0409> ship"),
    ]:
        x0, y0 = parse_response(text, CONTRACTS[name], ("ship",), 1000, 1000).detections.polygons[0, 0]
        assert (x0, y0) == pytest.approx((200, 100), abs=1)


def test_several_classes_cannot_be_written_where_labels_are_not():
    with pytest.raises(CannotWrite, match="writes no labels"):
        render_response(
            Detections(box_quads([[0, 0, 1, 1]] * 2), [0, 1], CLASSES), CONTRACTS["teochat"], 9, 9
        )


# --- prompts --------------------------------------------------------------------------------------


def test_the_prompt_lists_classes_alphabetically_without_hyphens():
    assert detection_prompt(CONTRACTS["nano"], ("ship", "Small-Vehicle", "plane")) == (
        None,
        "find the plane, ship, small vehicle.",
    )
    system, user = detection_prompt(PLAIN, ("ship",))
    assert system.endswith("plain text format 'x1,y1,x2,y2,x3,y3,x4,y4 object'.")
    assert user == "find the ship"


def test_a_prompt_without_classes_exists_only_where_the_family_has_one():
    assert detection_prompt(PLAIN, None)[1] == "find all the visible remote sensing objects"
    with pytest.raises(SettingError, match="nano has no open-vocabulary prompt"):
        detection_prompt(CONTRACTS["nano"], None)
    with pytest.raises(SettingError, match="empty class list"):
        detection_prompt(PLAIN, ())


def test_a_contract_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="do not go together"):
        replace(PLAIN, form=VertexForm.ROTATED)
    with pytest.raises(ValueError, match="bins need a space with an extent"):
        replace(PLAIN, binned=True)


# --- plain lines, as models really write them ------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"{BOX} ship\n", {}),
        (f"{BOX} ship", {}),
        (f"{BOX} Ship.\r\n", {}),
        ("10, 20, 30, 20, 30, 40, 10, 40 ship", {}),
        ("(10,20),(30,20),(30,40),(10,40) ship", {}),
        (f"1. {BOX} ship", {}),
        (f"- {BOX} ship", {}),
        (f"Here are 2 ships from 2020:\n{BOX} ship\n", {}),
        (f"Here are the ships in the image: {BOX} ship", {}),
        (f"ship {BOX}", {"label first": 1}),
        (f"ship: [{BOX}]", {"label first": 1}),
        ("10.0,20.0,30.0,20.0,30.0,40.0,10.0,40.0 ship", {}),
        ("10.4,20,30,20,30,40,10,40 ship", {"fractional number": 1}),
        ("10,20,30,40 ship", {"upright rectangle": 1}),
        (f"{BOX} ships", {"plural label": 1}),
        ("10,20,30,40,30,20,10,40 ship", {"crossing sides": 1}),
    ],
)
def test_a_line_is_read_and_its_repair_reported(text, repairs):
    read = parse(text)
    assert read.detections.names == ["ship"]
    assert np.abs(read.detections.polygons[0] - SQUARE).max() < 0.5
    assert read.report.repaired == repairs
    assert read.report.ok == int(not repairs)
    assert not read.report.unreadable


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10,20,30,20,30,40,10 ship\n", "too few numbers"),
        (f"{BOX},99 ship\n", "too many numbers"),
        (f"{BOX},99,98 ship\n", "too many numbers"),
        ("10,20,null,20,30,40,10,40,5 ship\n", "missing number"),
        (f"{BOX}\n{OTHER} ship\n", "no label"),
        (f"{'9' * 400},20,30,20,30,40,10,40 ship\n", "number out of range"),
        ("1e400,20,30,20,30,40,10,40 ship\n", "number out of range"),
    ],
)
def test_a_line_that_has_no_single_reading_is_dropped_by_reason(text, reason):
    assert parse(text).report.dropped == {reason: 1}


def test_a_missing_line_break_does_not_merge_two_boxes():
    read = parse(f"{BOX} ship {OTHER} plane\n")
    assert read.detections.names == ["ship", "plane"]
    assert read.report.repaired == {"missing line break": 1}


def test_repeated_boxes_are_kept_and_counted():
    read = parse(f"{BOX} ship\n" * 3 + f"{BOX} plane\n")
    assert len(read.detections) == 4
    assert read.report.duplicate == 2


def test_coordinates_beyond_the_image_are_kept_and_counted():
    read = parse("-5,20,30,20,30,40,-5,40 ship\n9000,20,9999,20,9999,40,9000,40 ship")
    assert len(read.detections) == 2
    assert read.report.outside == 2


def test_boxes_without_area_count_since_they_were_stated():
    read = parse("10,10,20,20,30,30,40,40 ship\n7,7,7,7,7,7,7,7 ship\n")
    assert len(read.detections) == 2
    assert read.report.no_area == 2
    assert parse("10,10,20,20,30,30,40,40 ship\n", policy="keep").report.boxes == 1


def test_the_policy_decides_over_crossing_sides():
    bow_tie = "10,20,30,40,30,20,10,40 ship\n"
    assert area(parse(bow_tie).detections.polygons).tolist() == [400]
    assert parse(bow_tie, policy="reject").report.dropped == {"broken polygon": 1}
    assert area(parse(bow_tie, policy="keep").detections.polygons).tolist() == [0]


def test_spans_point_at_the_words():
    text = f"Sure.\n{BOX} ship\n{OTHER} plane\n"
    read = parse(text)
    assert [text[a:b] for a, b in read.spans] == [f"{BOX} ship", f"{OTHER} plane"]
    text = f"```json\n[{item()}, {item(OTHER)}]\n```"
    assert [text[a:b] for a, b in parse(text, JSON).spans] == [item(), item(OTHER)]


# --- JSON, as models really write it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"```json\n[\n\t{item()}\n]\n```", {}),
        (f"[{item()}]", {}),
        (item(), {}),
        (f"The scene's ships:\n[{item()}]", {}),
        (f"The scene's ships are [{item()}] as asked.", {}),
        (f'{{"label": "ship", "quadrant bbox": [{BOX}]}}', {}),
        ('{"quadrant bbox": [[10, 20], [30, 20], [30, 40], [10, 40]], "label": "ship"}', {}),
        (f"{{'quadrant bbox': [{BOX}], 'label': 'ship'}}", {}),
        (f'{{"quadrant bbox": [{BOX}], "label": "ship", "score": 0.93}}', {}),
        (f'{{"quadrant bbox": ({BOX}), "label": "ship"}}', {"brackets": 1}),
        (f'{{"quadrant bbox": [{BOX}, "label": "ship"}}', {"unclosed list": 1}),
        ('{"quadrant bbox": [10 20 30 20 30 40 10 40], "label": "ship"}', {"missing comma": 1}),
        (item("10,20,30,40", key="bbox_2d"), {"upright rectangle": 1, "box key": 1}),
        (item(BOX.replace("10", "10.25")), {"fractional number": 1}),
        (item(key="bbox"), {"box key": 1}),
        (item(key="bbox_2d"), {"box key": 1}),
        (f'{{"quadrant bbox": [{BOX}], "category": "ship"}}', {"label key": 1}),
        (f'{{"quadrant bbox": [{BOX}], "label": "ship\n}}', {"unclosed string": 1}),
    ],
)
def test_a_json_object_is_read_and_its_repair_reported(text, repairs):
    read = parse(text, JSON)
    assert read.detections.names == ["ship"]
    assert np.abs(read.detections.polygons[0] - SQUARE).max() < 0.5
    assert read.report.repaired == repairs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (item(label="null"), "no label"),
        (item(label='""'), "no label"),
        (item("1,2,3,4,5,6,7"), "too few numbers"),
        (item(BOX + ",1,2"), "too many numbers"),
        ('{"label": "ship"}', "no box"),
    ],
)
def test_a_json_object_that_has_no_single_reading_is_dropped_by_reason(text, reason):
    read = parse(f"[{text}, {item()}]", JSON)
    assert read.report.dropped == {reason: 1}
    assert len(read.detections) == 1


@pytest.mark.parametrize(
    "text", ["7", "null", "[1, 2, 3]", '"ship"', "{}", "[[[[", '{"a": {"b": 1}}', "{{{{", "]}"]
)
def test_json_of_another_shape_is_unparsable_but_harmless(text):
    report = parse(text, JSON).report
    assert report.unparsable == 1
    assert report.boxes == 0


def test_objects_that_lost_the_braces_between_them_are_told_apart():
    text = f'[{{"quadrant bbox": [{BOX}], "label": "ship", "quadrant bbox": [{OTHER}], "label": "plane"}}]'
    assert parse(text, JSON).detections.names == ["ship", "plane"]
    text = f'[{{"quadrant bbox": [{BOX}], "label": "ship" {{"quadrant bbox": [{OTHER}], "label": "plane"}}]'
    assert parse(text, JSON).detections.names == ["ship", "plane"]


def test_corners_the_wrong_way_round_are_mended():
    read = parse('[{"bbox_2d": [30, 40, 10, 20], "label": "ship"}]', HBB)
    assert read.detections.polygons[0].tolist() == SQUARE
    assert read.report.repaired == {"inverted box": 1}


# --- markers and tokens ----------------------------------------------------------------------------


def test_numbers_of_one_digit_without_commas_are_told_apart():
    read = parse('[{"quadrant bbox": [1 2 9 2 9 8 1 8], "label": "ship"}]', JSON)
    assert read.detections.polygons[0].tolist() == [[1, 2], [9, 2], [9, 8], [1, 8]]
    assert read.report.repaired == {"missing comma": 1}


def test_a_last_line_without_a_label_is_dropped_and_an_inner_one_too():
    assert parse(f"{OTHER} ship\n{BOX} ").report.dropped == {"truncated": 1}
    assert parse(f"{BOX} \n{OTHER} ship\n").report.dropped == {"no label": 1}


def test_a_location_beyond_the_last_bin_is_kept_and_counted():
    tokens = "".join(f"<loc_{n}>" for n in (100, 100, 1200, 100, 1200, 200, 100, 200))
    report = parse(f"ship{tokens}", CONTRACTS["lmmrotate"]).report
    assert (report.boxes, report.outside) == (1, 1)


def test_a_list_of_location_tokens_is_cut_into_boxes_and_a_rest_is_dropped():
    tokens = "".join(f"<loc_{n}>" for n in range(100, 119))  # 8 + 8 + 3
    report = parse(f"ship{tokens}", CONTRACTS["lmmrotate"]).report
    assert (report.boxes, report.dropped, report.truncated) == (2, {"truncated": 1}, 1)


def test_several_boxes_of_one_label_share_it():
    one, two = "[1,2,3,2,3,4,1,4]", "[5,6,9,6,9,8,5,8]"
    text = f"<ref>ship</ref><box>[{one}, {two}]</box> and <ref>plane</ref><box>[{one}]</box>"
    assert parse(text, CONTRACTS["internvl"]).detections.names == ["ship", "ship", "plane"]


@pytest.mark.parametrize(
    ("name", "text", "corners"),
    [
        ("rscovlm-quad", "100,200,300,200,300,400,100,400 ship\n", (100, 200, 300, 400)),
        ("rscovlm-obb", "200,300,200,200,0 ship\n", (100, 200, 300, 400)),
        ("rscovlm-hbb", "100,200,300,400 ship\n", (100, 200, 300, 400)),
        ("rscovlm-json-quad", item("100,200,300,200,300,400,100,400"), (100, 200, 300, 400)),
        ("rscovlm-json-obb", item("200, 300, 200, 200, 0", key="oriented bbox"), (100, 200, 300, 400)),
        ("rscovlm-json-hbb", item("100, 200, 300, 400", key="bbox_2d"), (100, 200, 300, 400)),
        ("qwen2.5-vl", item("100, 200, 300, 400", key="bbox_2d"), (100, 200, 300, 400)),
        ("qwen3-vl", item("100, 200, 300, 400", key="bbox_2d"), (100, 100, 300, 200)),
        (
            "qwen2-vl",
            "<|object_ref_start|>ship<|object_ref_end|><|box_start|>(100,200),(300,400)<|box_end|>",
            (100, 100, 300, 200),
        ),
        (
            "lmmrotate",
            "ship" + "".join(f"<loc_{n}>" for n in (100, 200, 300, 200, 300, 400, 100, 400)) + "<sep>",
            (100.5, 100.25, 300.5, 200.25),
        ),
        ("florence-2", "ship<loc_100><loc_200><loc_300><loc_400>", (100.5, 100.25, 300.5, 200.25)),
        (
            "internvl",
            "<ref>ship</ref><box>[[100,200,300,200,300,400,100,400]]</box>",
            (100, 100, 300, 200),
        ),
        (
            "deepseek-vl2",
            "<|ref|>ship<|/ref|><|det|>[[100, 200, 300, 400]]<|/det|>",
            (100.1, 100.1, 300.3, 200.2),
        ),
        ("geochat", "<p>ship</p> {<10><20><30><40>|<0>}", (100, 100, 300, 200)),
        ("paligemma", "<loc0200><loc0100><loc0400><loc0300> ship", (98.1, 97.9, 293.5, 195.6)),
        ("gemini", item("200, 100, 400, 300", key="box_2d"), (100, 100, 300, 200)),
        ("lhrs-bot", "[0.10, 0.20, 0.30, 0.40]", (100, 100, 300, 200)),
        ("kimi-vl", "[0.100, 0.200, 0.300, 0.400]", (100, 100, 300, 200)),
        ("teochat", "[10, 20, 30, 40]", (100, 100, 300, 200)),
        ("vhm", "It is at [100, 200, 300, 400].", (100, 100, 300, 200)),
        ("geoground", "[100,200,300,400]", (100.1, 100.1, 300.3, 200.2)),
        ("geoground-obb", "[200, 300, 200, 200, 0]", (100.1, 100.1, 300.3, 200.2)),
        (
            "skysensegpt",
            "There are 1 ships in the image: <rbox>({<20.00><30.00><20.00><20.00>|<0>})</rbox>",
            (100, 100, 300, 200),
        ),
        ("falcon", "ship<100><200><300><200><300><400><100><400>", (100.5, 100.25, 300.5, 200.25)),
        ("falcon-hbb", "ship<100><200><300><400>", (100.5, 100.25, 300.5, 200.25)),
    ],
)
def test_one_box_in_the_words_of_each_family(name, text, corners):
    read = parse_response(text, CONTRACTS[name], ("ship",), 1000, 500)
    assert read.report.ok == len(read.detections) == 1
    assert bounds(read.detections.polygons)[0] == pytest.approx(corners, abs=0.1)


def test_prose_around_geochats_boxes_is_not_taken_for_labels():
    text = "There are 2 <p>ships</p> {<10><20><30><40>|<0>}<delim>{<50><50><60><60>|<90>} near the pier."
    read = parse(text, CONTRACTS["geochat"])
    assert read.detections.names == ["ship", "ship"]
    assert read.report.repaired == {"plural label": 2}


def test_a_form_without_labels_answers_for_the_one_class_asked():
    assert parse("[10, 20, 30, 40]", CONTRACTS["teochat"], ("ship",)).detections.names == ["ship"]
    assert parse("[10, 20, 30, 40]", CONTRACTS["teochat"]).report.dropped == {"no label": 1}


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", ["small vehicle", "Small-Vehicle", "small_vehicle", "SMALL  VEHICLE", '"small vehicle",']
)
def test_case_hyphens_and_underscores_do_not_matter(label):
    report = parse(f"{BOX} {label}\n").report
    assert report.ok == 1
    assert report.guesses == ()


@pytest.mark.parametrize(
    "label",
    ["car", "truck", "boat", "building", "vehicle", "person", "tree", "harbour", "there are none", "```json"],
)
def test_an_unknown_label_is_never_taken_for_some_class_unless_asked(label):
    report = parse(f"{BOX} {label}\n").report
    assert report.boxes == 0
    assert report.unknown_label == 1
    assert report.unparsable == 0


def test_aliases_and_likeness_are_listed_box_by_box():
    text = f"{BOX} boat\n{BOX} smal vehicle\n{BOX} tree\n"
    report = parse(text, aliases={"boat": "ship"}, fuzzy=0.9).report
    assert [(g.box, g.written, g.name, g.how) for g in report.guesses] == [
        (0, "boat", "ship", "alias"),
        (1, "smal vehicle", "small-vehicle", "fuzzy"),
    ]
    assert 0.9 <= report.guesses[1].likeness < 1
    assert report.unknown_labels == {"tree": 1}
    assert report.repaired == {"label by alias": 1, "label by fuzzy": 1}


def test_wrong_settings_are_told_to_the_caller():
    with pytest.raises(SettingError, match="'yacht', which is not among"):
        parse("", aliases={"boat": "yacht"})
    with pytest.raises(SettingError, match="outside"):
        parse("", fuzzy=1.5)


def test_class_names_with_brackets_and_digits_survive():
    classes = ("Boeing737", "Car carrier([]==[])", "OXo|--)", "Class 3 yacht")
    text = "".join(f"{BOX} {name}\n" for name in classes)
    assert parse(text, PLAIN, classes).detections.names == list(classes)


def test_without_a_class_list_labels_are_taken_as_they_come():
    read = parse(f"{BOX} Oil Tank\n{BOX} barge\n{BOX} oil-tank\n", classes=None)
    assert read.detections.classes == ("barge", "oil tank")
    assert read.detections.names == ["oil tank", "barge", "oil tank"]


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("ships", "ship"),
        ("ferries", "ferry"),
        ("buses", "bus"),
        ("churches", "church"),
        ("bus", "bus"),
        ("glass", "glass"),
    ],
)
def test_regular_plurals(plural, one):
    assert singular(plural) == one
    assert LabelMatcher([one])(plural).label == 0


# --- the response as a whole -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "There are none.",
        "there are none",
        "There are no ships in the image.",
        "None",
        "[]",
        "```json\n[]\n```",
    ],
)
@pytest.mark.parametrize("contract", [PLAIN, JSON])
def test_nothing_to_find_is_an_answer(text, contract):
    report = parse(text, contract).report
    assert (report.declared_empty, report.unparsable, report.refused) == (1, 0, 0)


@pytest.mark.parametrize("text", ["I'm sorry, I cannot help with that.", "I am unable to see the image."])
def test_a_refusal_is_not_an_empty_answer(text):
    report = parse(text).report
    assert (report.refused, report.declared_empty, report.unparsable) == (1, 0, 0)


@pytest.mark.parametrize("text", ["", "   \n", "The harbour is busy.", "<tool_call>", "\x00\ud800"])
def test_what_cannot_be_read_is_said_to_be_unparsable(text):
    for contract in (PLAIN, JSON, CONTRACTS["lmmrotate"]):
        report = parse(text, contract).report
        assert report.unreadable
        assert (report.refused, report.declared_empty) == (0, 0)


def test_reports_add_up():
    first, second = parse(f"{BOX} ships\n"), parse(f"{BOX} ships\n{BOX} car\n1,2,3 ship\n")
    both = first.report + second.report
    assert (both.responses, both.boxes, both.unknown_label) == (2, 2, 1)
    assert both.repaired == {"plural label": 2}
    assert [guess.box for guess in both.guesses] == [0, 1]
    assert ParseReport() + both == both
    assert both.to_json()["guesses"][1]["written"] == "ships"


# --- truncation and hostile text -------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_cutting_a_reply_anywhere_never_loses_a_complete_box(name):
    contract = CONTRACTS[name]
    truth = writable(contract, 11, 4)
    text = render_response(truth, contract, WIDTH, HEIGHT)
    whole = parse_response(text, contract, truth.classes, WIDTH, HEIGHT)
    ends = whole.spans[:, 1]
    if isinstance(contract.syntax, Tagged) and not contract.syntax.label_first:
        ends = ends + [len(f" {spoken(label)} ; ") for label in whole.detections.names]
    for cut in range(len(text) + 1):
        part = parse_response(text[:cut], contract, truth.classes, WIDTH, HEIGHT)
        complete = int((ends <= cut).sum())
        assert len(part.detections) >= complete
        first = slice(0, complete)
        np.testing.assert_array_equal(part.detections.polygons[first], whole.detections.polygons[first])
        assert part.detections.names[first] == whole.detections.names[first]


@pytest.mark.parametrize(
    ("text", "contract"),
    [
        (f"{BOX} ship\n{BOX[:-1]}", PLAIN),
        (f"{BOX} ship\n{BOX}", PLAIN),
        (f"[{item()}, {item()[:30]}", JSON),
        (f"[{item()}, {item()[:-8]}", JSON),
        (f"[{item()},", JSON),
        ("<ref>ship</ref><box>[[1,2,3,2,3,4,1,4], [5,6", CONTRACTS["internvl"]),
    ],
)
def test_a_cut_reply_is_said_to_be_cut(text, contract):
    report = parse(text, contract).report
    assert (report.boxes, report.truncated) == (1, 1)


def test_a_last_number_that_may_go_on_is_not_believed():
    cut = f'[{{"label": "ship", "quadrant bbox": [{BOX}'
    assert parse(cut, JSON).report.boxes == 0
    assert parse(cut + "]", JSON).report.boxes == 1


pieces = st.sampled_from(
    [
        *(BOX, "ship", "plane", "null", "There are none.", "9" * 50, "1e9", "\x00", "٣", "é"),
        *"\n, \"'\\{}[]()-.",
        *('"quadrant bbox": ', '"label": ', '"bbox_2d": ', "<loc_5>", "<sep>", "<ref>", "</ref>", "<box>["),
        *("]</box>", "<p>", "</p>", "<12>", "{<1>", "|<3>}", "<|ref|>", "<|/ref|>", "<|det|>["),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=40).map("".join), st.sampled_from(sorted(CONTRACTS)))
def test_no_text_whatever_makes_the_parser_raise(text, name):
    for classes in (CLASSES, None):
        read = parse_response(text, CONTRACTS[name], classes, WIDTH, HEIGHT, fuzzy=0.8)
        assert len(read.detections) == read.report.boxes == len(read.spans)
        assert np.isfinite(read.detections.polygons).all()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.sampled_from(sorted(CONTRACTS)))
def test_random_characters_make_no_parser_raise(text, name):
    parse_response(text, CONTRACTS[name], CLASSES, WIDTH, HEIGHT)


HOSTILE = {
    "open braces": "{",
    "open brackets": "[",
    "quotes": '"',
    "escaped quotes": '"\\',
    "apostrophes": " '",
    "digits": "9",
    "digits and points": "1.",
    "signs": "-",
    "commas": "1,,,,,,,,,,,,,,,,,,,,,",
    "spaces": "1" + " " * 500,
    "numbers": "1 ",
    "labels": '"label": "',
    "keys": '{"quadrant bbox": [',
    "tokens": "<loc_1>",
    "open tokens": "<loc_",
    "half numbers": "1e",
    "boxes": f"{BOX} ship ",
    "nested objects": '{"a": [',
    "bare words": "[a ",
    "repeated keys": '"a": 1, ',
    "curly quotes": "\u201e",
    "escaped escapes": '\\\\\\"',
    "encoded JSON": '"[\\"',
    "comments": "[/*",
    "thoughts": "<think></think>",
    "ends of thoughts": "</think>",
    "entities": "&quot;",
    "zero width": "1\u200b",
    "entries": "a: [1, 2, 3, 4]\n",
    "table": "| label | x1 | y1 | x2 | y2 |\n",
    "elements": "<a>1</a>",
    "corrections": '[{"bbox_2d": [1, 2, 3, 4], "label": "ship"}] wait ',
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("syntax", [Lines, Json, Tagged])
def test_hostile_text_takes_linear_time(kind, syntax):
    contract = next(c for c in CONTRACTS.values() if type(c.syntax) is syntax and c.form is VertexForm.QUAD)

    def seconds(size):
        text = HOSTILE[kind] * (size // len(HOSTILE[kind]))
        start = time.process_time()
        parse_response(text, contract, CLASSES, WIDTH, HEIGHT)
        return time.process_time() - start

    small, large = seconds(20_000), seconds(160_000)
    if large >= 40 * small + 0.2:  # a collection of the whole process's garbage may have fallen into it
        large = min(large, seconds(160_000))
    assert large < 40 * small + 0.2  # 8 for linear, 64 for quadratic time


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[{"bbox_2d": [10, 20, 30, 40], "label": "ship"}]\n```',
        "The 2D box is [10, 20, 30, 40].",
        "10,20,30,40 ship",
    ],
)
def test_the_first_box_is_read_without_the_number_in_the_name_of_its_field(text):
    found = parse_first_box(text, CONTRACTS["qwen2.5-vl"], 100, 100)
    assert found.tolist() == [[[10, 20], [30, 20], [30, 40], [10, 40]]]


@pytest.mark.parametrize(
    ("text", "at_limit", "reason"),
    [
        (f"[{item()}]", False, None),
        ("There are none.", False, None),
        (f"[{item()}]", True, "the reply was cut off at its token limit after 1 box"),
        (f"[{item()}, {item()[:30]}", False, "the reply ends inside a box or a list, after 1 box: "),
        ('[{"quad', False, "the reply ends inside brackets, and no box can be read from it: "),
        ("<think>perhaps [10, 20", False, "the reply ends inside its thoughts: '<think>perhaps"),
        ("I cannot help with that request.", False, "the model declined: 'I cannot"),
        ("I see [many] ships (", False, "the reply cannot be read: 'I see [many] ships ('"),
    ],
)
def test_why_a_reply_does_not_tell_all_about_its_image(text, at_limit, reason):
    said = parse(text, JSON).shortfall(text, at_limit=at_limit)
    assert (said is None) if reason is None else said.startswith(reason)
