"""Replies as models really write them: each is read as a careful person reads it."""

import json
from pathlib import Path

import numpy as np
import pytest

from detection_eval.geometry.quads import bounds
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.parsing import parse_response

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "replies.jsonl").read_text(encoding="utf-8").splitlines()
]
SAYS = {
    "empty": lambda report: report.declared_empty,
    "refused": lambda report: report.refused,
    "truncated": lambda report: report.truncated,
    "unparsable": lambda report: report.unparsable,
    "unknown": lambda report: report.unknown_labels,
    "outside": lambda report: report.outside,
    "reported": lambda report: report.repaired or report.dropped or report.unparsable,
}


@pytest.mark.parametrize("case", REPLIES, ids=[case["id"] for case in REPLIES])
def test_a_reply_is_read_as_a_careful_person_reads_it(case):
    read = parse_response(
        case["reply"], CONTRACTS[case["contract"]], case["classes"], case["width"], case["height"]
    )
    found = bounds(read.detections.polygons) if len(read.detections) else np.zeros((0, 4))
    assert read.detections.names == [label for label, _ in case["boxes"]]
    # the replies state whole numbers of the contract's space: up to half a permille of 800 px
    np.testing.assert_allclose(found, np.array([box for _, box in case["boxes"]]).reshape(-1, 4), atol=0.41)
    assert case["says"] is None or SAYS[case["says"]](read.report)


# --- the same box in other shapes ------------------------------------------------------------------

PLANE = '{"bbox_2d": [10, 20, 110, 80], "label": "plane"}'
SHIP = '{"bbox_2d": [300, 400, 360, 500], "label": "ship"}'
PLANE_BOX, SHIP_BOX = ("plane", [10, 20, 110, 80]), ("ship", [300, 400, 360, 500])


def parse(text, contract="qwen2.5-vl", classes=("plane", "ship"), **options):
    return parse_response(text, CONTRACTS[contract], classes, 1000, 800, **options)


def boxes(text, *args, **options):
    """Labels and bounds, and whether all are read without a repair."""
    read = parse(text, *args, **options)
    found = bounds(read.detections.polygons).tolist() if len(read.detections) else []
    return list(zip(read.detections.names, found))


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ('[{"label": "plane", "x1": 10, "y1": 20, "x2": 110, "y2": 80}]', {"named coordinates"}),
        (
            '[{"label": "plane", "xmin": "10", "ymin": "20", "xmax": "110", "ymax": "80"}]',
            {"named coordinates", "numbers as strings"},
        ),
        ('[{"label": "plane", "left": 10, "top": 20, "right": 110, "bottom": 80}]', {"named coordinates"}),
        (
            '[{"label": "plane", "x": 10, "y": 20, "width": 100, "height": 60}]',
            {"named coordinates", "width and height"},
        ),
        (
            '[{"label": "plane", "bbox_2d": {"cx": 60, "cy": 50, "w": 100, "h": 60}}]',
            {"named coordinates", "centre and size"},
        ),
        ('[{"label": "plane", "top_left": [10, 20], "bottom_right": [110, 80]}]', {"named coordinates"}),
        ('[{"label": "plane", "bbox_2d": "[10, 20, 110, 80]"}]', {"numbers as strings"}),
        ('[{"label": "plane", "bbox_2d": ["10", "20", "110", "80"]}]', {"numbers as strings"}),
        ('{"plane": [[10, 20, 110, 80]]}', {"label as key"}),
        ('{"objects": {"plane": [[10, 20, 110, 80]], "ship": []}}', {"label as key"}),
        ('{"scene": "harbor", "found": [{"plane": [10, 20, 110, 80]}]}', {"label as key"}),
        ('{"plane": {"bbox_2d": [10, 20, 110, 80]}}', set()),
        ('[{"attributes": {"label": "plane"}, "bbox_2d": [10, 20, 110, 80]}]', {"label key"}),
        ('[["plane", 10, 20, 110, 80]]', {"no keys"}),
        ('[[10, 20, 110, 80, "plane"]]', {"no keys"}),
        ('{"labels": ["plane"], "bbox_2d": [[10, 20, 110, 80]]}', {"label key"}),
        ("[{\u201cbbox_2d\u201d: [10, 20, 110, 80], \u201clabel\u201d: \u201cplane\u201d}]", {"quotes"}),
        ("[{\u00abbbox_2d\u00bb: [10, 20, 110, 80], \u00ablabel\u00bb: \u00abplane\u00bb}]", {"quotes"}),
        (PLANE.replace('"', "&quot;"), {"entities"}),
        ("[{bbox_2d: [10, 20, 110, 80], label: plane}]", {"unquoted key"}),
        (json.dumps({"answer": f"[{PLANE}]", "n": 1}), {"encoded twice"}),
        (PLANE[1:-1], {"missing brace"}),
        (f"[{PLANE[:-1]}", {"unclosed object"}),
        (PLANE.replace("80]", "80]]"), {"extra bracket"}),
        (PLANE.replace("80]", "80,]"), {"trailing comma"}),
        (PLANE.replace("20,", "20, /* y */"), {"comment"}),
        ('[{"label": "plane, "bbox_2d": [10, 20, 110, 80]}]', {"unclosed string"}),
        ("plane: [10, 20, 110, 80]\n", {"no brackets", "label as key", "other layout"}),
        (
            "- label: plane\n  bbox_2d:\n    - 10\n    - 20\n    - 110\n    - 80\n",
            {"no brackets", "other layout"},
        ),
        (
            "label,x1,y1,x2,y2\nplane,10,20,110,80\n",
            {"table", "named coordinates", "other layout"},
        ),
        (
            '<box label="plane" x1="10" y1="20" x2="110" y2="80"/>',
            {"elements", "named coordinates", "other layout"},
        ),
        (
            "<item><label>plane</label><bbox_2d>10, 20, 110, 80</bbox_2d></item>",
            {"elements", "numbers as strings", "other layout"},
        ),
        (
            '[{"label": "plane", "bbox_2d": [[10, 20], [60, 20], [110, 20], [110, 80], [60, 80], [10, 80]]}]',
            {"polygon bounds"},
        ),
    ],
)
def test_a_box_is_found_in_any_shape_and_what_was_mended_is_noted(text, repairs):
    read = parse(text)
    assert boxes(text) == [PLANE_BOX]
    assert set(read.report.repaired) == repairs


@pytest.mark.parametrize("minus", "\u2212\u2013\u2010")
def test_a_minus_of_any_kind_is_a_minus_and_noted(minus):
    read = parse(f'[{{"bbox_2d": [{minus}10, 20, 110, 80], "label": "plane"}}]')
    assert bounds(read.detections.polygons).tolist() == [[-10, 20, 110, 80]]
    assert read.report.repaired == {"odd characters": 1}


def test_spans_count_characters_of_the_reply_as_it_was_given():
    text = "<think>\u200b</think>&quot;pl\u200bane&quot;\u200b: " + PLANE.replace("pl", "pl\u200b").replace(
        "[", "\u200b["
    )
    (start, stop), *_ = parse(text).spans
    assert text[start:stop].startswith('{"bbox_2d"')
    assert text[start:stop].endswith("}")


def test_named_coordinates_know_their_axes_where_lists_put_y_first():
    text = '[{"box_2d": {"x1": 10, "y1": 25, "x2": 110, "y2": 100}, "label": "plane"}]'
    assert boxes(text, "gemini") == [PLANE_BOX]


def test_four_points_under_upright_boxes_are_bounded_and_four_numbers_under_quadrilaterals_are_upright():
    eight = '[{"bbox_2d": [60, 20, 110, 50, 60, 80, 10, 50], "label": "plane"}]'
    assert boxes(eight) == [PLANE_BOX]
    assert parse(eight).report.repaired == {"quadrilateral bounds": 1}
    four = "10,20,110,80 plane\n"
    assert boxes(four, "rscovlm-quad") == [PLANE_BOX]
    assert parse(four, "rscovlm-quad").report.repaired == {"upright rectangle": 1}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 9, 12, 16])
@pytest.mark.parametrize("contract", ["qwen2.5-vl", "rscovlm-json-quad"])
def test_any_other_count_of_numbers_makes_no_box_and_is_counted(count, contract):
    numbers = list(range(10, 10 + count))
    report = parse(f'[{{"{CONTRACTS[contract].syntax.key}": {numbers}, "label": "plane"}}]', contract).report
    assert report.boxes == 0
    assert sum(report.dropped.values()) == 1


@pytest.mark.parametrize("missing", ["null", "NaN", "None", "nan"])
@pytest.mark.parametrize(
    ("contract", "text"),
    [
        ("qwen2.5-vl", '[{{"bbox_2d": [10, {}, 20, 110, 80], "label": "plane"}}]'),
        ("qwen2.5-vl", '[{{"bbox_2d": [10, {}, 110, 80], "label": "plane"}}]'),
        ("rscovlm-hbb", "10, {}, 20, 110, 80 plane\n"),
        ("rscovlm-hbb", "10, 20, 110, 80, {} plane\n"),
        ("teochat", "[10, {}, 20, 30, 40]"),
        ("internvl", "<ref>plane</ref><box>[[10, {}, 20, 110, 80]]</box>"),
    ],
)
def test_a_missing_number_drops_its_box(contract, text, missing):
    report = parse(text.format(missing), contract, ("plane",)).report
    assert (report.boxes, report.dropped) == (0, {"missing number": 1})


def test_percentages_are_dropped_by_that_reason():
    assert parse('[{"bbox_2d": [1%, 2.5%, 11%, 10%], "label": "plane"}]').report.dropped == {"percent": 1}
    assert parse("[1%, 2%, 3%, 4%]", "teochat", ("ship",)).report.dropped == {"percent": 1}


def test_json_is_read_under_contracts_of_lines_and_markers_too():
    for contract in ("rscovlm-hbb", "rscovlm-quad"):
        assert boxes(f"```json\n[{PLANE}, {SHIP}]\n```", contract) == [PLANE_BOX, SHIP_BOX]
    assert boxes(f"10,20,110,80 plane\n[{SHIP}]", "rscovlm-hbb") == [PLANE_BOX, SHIP_BOX]
    scaled = ("plane", [10, 16, 110, 64])
    assert boxes(f"[{PLANE}]", "internvl") == [scaled]


# --- thoughts, examples, corrections ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["think", "thinking", "reasoning"])
def test_thoughts_are_no_answer(name):
    assert boxes(f"<{name}>Maybe [{PLANE}]</{name}>\n[{SHIP}]") == [SHIP_BOX]
    assert boxes(f"Maybe [{PLANE}]</{name}>\n[{SHIP}]") == [SHIP_BOX]
    assert boxes(f"[{PLANE}]\n<{name}>or [{SHIP}]?</{name}>") == [PLANE_BOX]


def test_a_reply_that_ends_in_its_thoughts_has_no_answer_and_that_is_said():
    report = parse(f"<think>Maybe [{PLANE}], or").report
    assert (report.boxes, report.unfinished, report.truncated, report.unparsable) == (0, 1, 1, 1)
    assert parse(f"<think>Maybe [{PLANE}]</think>There are none.").report.declared_empty == 1


def test_only_what_is_marked_as_the_answer_counts_where_something_is():
    assert boxes(f"The plane {PLANE}.\n<answer>[{SHIP}]</answer>\n{PLANE}") == [SHIP_BOX]
    assert boxes(f"The plane {PLANE}.\n<answer>[{SHIP}]") == [SHIP_BOX]


@pytest.mark.parametrize("words", ["For example:\n```json\n", "The format is, e.g. ", "An example: "])
def test_examples_are_no_answer_and_counted(words):
    read = parse(f"{words}[{PLANE}]\n```\nThe objects:\n[{SHIP}]")
    assert read.detections.names == ["ship"]
    assert read.report.dropped == {"example": 1}


@pytest.mark.parametrize(
    ("contract", "text"),
    [
        ("qwen2.5-vl", "I write boxes as [1, 2, 3, 4] in prose."),
        ("rscovlm-hbb", "I write boxes as [1, 2, 3, 4] in prose."),
        ("vhm", "The format is [1, 2, 3, 4] here."),
        ("vhm", "A box such as [1, 2, 3, 4] has corners."),
    ],
)
def test_numbers_in_prose_are_no_box_and_do_not_hide_that_nothing_was_found(contract, text):
    report = parse(text + " There are no planes.", contract, ("plane",)).report
    assert (report.boxes, report.unknown_label, report.declared_empty) == (0, 0, 1)
    assert sum(report.dropped.values()) == 1


@pytest.mark.parametrize(
    "words",
    [
        "Let me correct that:",
        "Corrected list:",
        "Wait, the wing was cut off. Refined boxes:",
        "Final answer:",
        "I made a mistake.",
        "更正：",  # noqa: RUF001
    ],
)
def test_a_later_list_that_says_so_replaces_what_came_before(words):
    read = parse(f"```json\n[{PLANE}]\n```\n{words}\n```json\n[{SHIP}]\n```")
    assert read.detections.names == ["ship"]
    assert read.report.superseded == 1
    lines = parse(f"10,20,110,80 plane\n{words}\n300,400,360,500 ship\n", "rscovlm-hbb")
    assert (lines.detections.names, lines.report.superseded) == (["ship"], 1)


def test_an_empty_list_replaces_too():
    report = parse(f"[{PLANE}]\nOn second thought, that is a shadow. Corrected:\n[]").report
    assert (report.boxes, report.superseded, report.declared_empty) == (0, 1, 1)


@pytest.mark.parametrize(
    "words",
    ["", "**Ships**", "Wait, I also see a ship:", "Actually, I missed another one:", "Finally, the ships:"],
)
def test_a_later_list_of_other_objects_is_kept_beside_the_first(words):
    read = parse(f"**Planes**\n```json\n[{PLANE}]\n```\n{words}\n```json\n[{SHIP}]\n```")
    assert read.detections.names == ["plane", "ship"]
    assert read.report.superseded == 0


def test_an_answer_that_is_given_once_more_counts_once_and_a_loop_counts_each_time():
    again = parse(f"{PLANE} and {SHIP}\nIn JSON:\n```json\n[{PLANE}]\n```")
    assert (again.detections.names, again.report.superseded) == (["plane", "ship"], 1)
    loop = parse(f"[{PLANE}, {PLANE}, {PLANE}]")
    assert (len(loop.detections), loop.report.duplicate, loop.report.superseded) == (3, 2, 0)


# --- labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "how"),
    [
        ("plane 1", "numbered"),
        ("plane_2", "numbered"),
        ("plane #1", "numbered"),
        ("plane (3)", "numbered"),
        ("plane3", "numbered"),
        ("2 planes", "numbered"),
        ("two planes", "numbered"),
        ("a plane", "numbered"),
        ("plane/airplane", "either"),
        ("plane or airplane", "either"),
        ("plane (airplane)", "either"),
    ],
)
def test_a_number_or_an_unknown_alternative_does_not_hide_the_class(label, how):
    (guess,) = parse(PLANE.replace("plane", label)).report.guesses
    assert (guess.name, guess.how) == ("plane", how)


@pytest.mark.parametrize("label", ["white plane", "plane/ship", "seaplane", "747", "plane tail 2", "1/2"])
def test_adjectives_and_two_classes_at_once_stay_unknown(label):
    assert parse(PLANE.replace("plane", label)).report.unknown_label == 1


def test_a_class_whose_name_ends_in_a_number_is_found_by_it():
    classes = ("Boeing737", "A220", "Class 3 yacht")
    for name in classes:
        assert parse(PLANE.replace("plane", name), classes=classes).detections.names == [name]
        assert parse(PLANE.replace("plane", name), classes=classes).report.guesses == ()


# --- what a reply says as a whole --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "No planes are visible.",
        "The image does not contain any planes or ships.",
        "I could not find any planes.",
        "I'm sorry, but I can't detect any ships in this image.",
        "There don't appear to be any. There are no ships.",
        "Neither is there: none of the requested objects are visible.",
        '{"objects": []}',
        '{"plane": [], "ship": []}',
        "图中没有飞机。",
        "未检测到目标。",
        "Es sind keine Flugzeuge zu sehen.",
        "Aucun avion n'est visible.",
        "Il n\u2019y a pas d'avions.",
        "No hay aviones en la imagen.",
        "Non ci sono aerei.",
        "Não há aviões.",
        "画像に飛行機はありません。",
        "비행기가 없습니다.",
        "На снимке нет самолётов.",  # noqa: RUF001
    ],
)
def test_that_nothing_is_there_is_an_answer_in_any_language(text):
    report = parse(text).report
    assert (report.declared_empty, report.refused, report.unparsable) == (1, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I am not able to view images.",
        "I cannot see any image. Please upload the image.",
        "I'm unable to view or analyze images directly.",
        "抱歉，我无法查看图片。",  # noqa: RUF001
    ],
)
def test_that_the_image_cannot_be_seen_is_a_refusal(text):
    report = parse(text).report
    assert (report.declared_empty, report.refused, report.unparsable) == (0, 1, 0)


def test_a_box_that_was_lost_is_no_statement_that_nothing_is_there():
    report = parse('No planes are visible. Ships: [{"bbox_2d": [1, 2, 3], "label": "ship"}]').report
    assert (report.declared_empty, report.unparsable) == (0, 1)


def test_what_was_not_read_is_said_in_a_line_each():
    report = (
        parse(f"[{PLANE}, {SHIP}]", classes=("harbor",)).report
        + parse('[{"bbox_2d": [1, 2], "label": "ship"}]').report
        + parse(f"<think>[{PLANE}").report
        + parse("I cannot see the image.").report
        + parse(f"[{PLANE}]\nCorrected:\n[{SHIP}").report
    )
    assert report.losses() == [
        "2 boxes left out whose label is not among the classes: plane 1, ship 1",
        "1 box dropped: too few numbers 1",
        "1 box left out that their reply corrects or repeats further on",
        "of 5 replies 1 cannot be read, 1 end inside their thoughts, 1 decline to answer, 1 break off",
    ]
    assert parse(f"[{PLANE}]").report.losses() == []


# --- truncation ---------------------------------------------------------------------------------------

LAYOUTS = {
    "mapping": '{"plane": [[10, 20, 110, 80], [200, 210, 260, 280]], "ship": [[300, 400, 360, 500]]}',
    "several boxes a label": '[{"label": "plane", "bbox_2d": [[10, 20, 110, 80], [200, 210, 260, 280]]}]',
    "points": '[{"label": "plane", "points": [[10, 20], [110, 20], [110, 80], [10, 80]]}, ' + SHIP + "]",
    "named": '[{"label": "plane", "x1": 10, "y1": 20, "x2": 110, "y2": 80}, ' + SHIP + "]",
    "boxes as objects": '[{"label": "plane", "bbox_2d": {"x1": 10, "y1": 20, "x2": 110, "y2": 80}}]',
    "tuples": '[("plane", [10, 20, 110, 80]), ("ship", [300, 400, 360, 500])]',
    "label last in tuples": '[[10, 20, 110, 80, "plane"], [300, 400, 360, 500, "ship"]]',
    "numbers as text": '[{"label": "plane", "bbox_2d": "[10, 20, 110, 80]"}, ' + SHIP + "]",
    "nested attributes": '[{"attributes": {"label": "plane"}, "bbox_2d": [10, 20, 110, 80]}, ' + SHIP + "]",
    "encoded twice": json.dumps(f"[{PLANE}, {SHIP}]"),
    "unquoted": "[{label: plane, bbox_2d: [10, 20, 110, 80]}, {label: ship, bbox_2d: [300, 400, 360, 500]}]",
    "lines of JSON": f"{PLANE}\n{SHIP}\n",
    "YAML": "- bbox_2d: [10, 20, 110, 80]\n  label: plane\n- bbox_2d: [300, 400, 360, 500]\n  label: ship\n",
    "entries": "plane: [10, 20, 110, 80]\nship: [300, 400, 360, 500]\n",
    "table": "| label | x1 | y1 | x2 | y2 |\n|-|-|-|-|-|\n| plane | 10 | 20 | 110 | 80 |\n",
    "thoughts": f"<think>Perhaps [{SHIP}]</think>[{PLANE}, {SHIP}]",
    "two blocks": f"**Planes**\n```json\n[{PLANE}]\n```\n**Ships**\n```json\n[{SHIP}]\n```",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_cut_at_any_character_adds_no_box_and_takes_back_none(name):
    """Each cut reads a first part of the boxes of the whole, and a longer one no fewer."""
    text = LAYOUTS[name]
    whole = boxes(text)
    assert whole
    counts = []
    for cut in range(len(text) + 1):
        part = boxes(text[:cut])
        assert part == whole[: len(part)], text[:cut]
        counts.append(len(part))
    assert counts == sorted(counts)
