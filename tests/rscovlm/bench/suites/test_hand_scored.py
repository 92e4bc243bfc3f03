"""Benchmarks of 20 rows each, answered as models answer and scored by hand under each protocol."""

import pytest

from rscovlm.bench.row import Row
from rscovlm.bench.suites import SUITES
from tests.rscovlm.bench.suites.laid_out import pictures
from tests.rscovlm.data.published import write_json
from tiling.view import Size, View, Window

PROTOCOLS = ("official", "rscovlm", "strict")
FAILED = None
"""In place of a reply: the request failed."""


def scored(name, root, replies, side, protocol, key=None):
    """The items of a split in file order, and what a protocol says of the replies to them."""
    whole = View(Window(0, 0, side, side), Size(side, side))
    rows = [
        Row(
            item,
            reply or "",
            whole,
            "error" if reply is FAILED else "stop",
            "timed out" if reply is FAILED else None,
        )
        for item, reply in zip(SUITES[name].read(root, SUITES[name].splits[0]), replies, strict=True)
    ]
    judge = SUITES[name].protocols[protocol]
    verdicts = [judge.judge(row) for row in rows]
    return [verdict.score for verdict in verdicts], judge.summarise(rows, verdicts)


MME = [  # category, right, reply -> official, rscovlm, strict
    ("color", "B", "B", 1, 1, 1),
    ("color", "B", "(B) blue", 1, 1, 1),
    ("color", "A", "The answer is B", 0, 1, 0),  # "answer" holds an a
    ("color", "B", "Answer: B", 0, 1, 1),  # the first capital is an A
    ("color", "B", "blue", 1, 1, 1),
    ("color", "C", "grey", 1, 0, 1),  # holds no c
    ("color", "A", "", 1, 0, 0),  # nothing is part of the first option
    ("color", "D", "a white one", 1, 0, 1),  # holds no d
    ("position", "E", "E", 1, 1, 1),
    ("position", "E", "I cannot tell.", 0, 1, 0),  # "tell" holds an e
    ("position", "D", "Best answer: D", 0, 1, 1),  # not taken off by the script; B is the first capital
    ("position", "D", "d", 0, 1, 1),  # "(A) red" is the first option that holds a d
    ("position", "A", "A or B", 1, 1, 0),  # two where one is right
    ("position", "C", "I'm sorry, I can't help with that.", 0, 1, 0),  # "can't" holds a c
    ("count", "C", "\\boxed{C}", 1, 1, 1),
    ("count", "B", "The best option is B", 1, 1, 1),
    ("count", "B", "Because the car is blue, B", 1, 1, 1),
    ("count", "A", "<think>B?</think>A", 0, 1, 1),  # the thought counts for the script
    ("count", "B", "Both D and B", 1, 1, 0),  # the B of "Both"
    ("count", "C", FAILED, None, None, 0),
]


@pytest.mark.parametrize(
    ("protocol", "by_category", "micro"),
    [
        ("official", {"color": 6 / 8, "position": 2 / 6, "count": 4 / 5}, 12 / 19),
        ("rscovlm", {"color": 5 / 8, "position": 6 / 6, "count": 5 / 5}, 16 / 19),
        ("strict", {"color": 6 / 8, "position": 3 / 6, "count": 4 / 6}, 13 / 20),
    ],
)
def test_mme_realworld(tmp_path, protocol, by_category, micro):
    pictures(tmp_path, ["a.png"])
    options = ["(A) red", "(B) blue", "(C) grey", "(D) a white one", "(E) The image does not feature the car"]
    fields = {"Image": "a.png", "Text": "?", "Answer choices": options, "Subtask": "Remote Sensing"}
    rows = [
        {**fields, "Question_id": number, "Ground truth": right, "Category": category}
        for number, (category, right, *_) in enumerate(MME)
    ]
    write_json(tmp_path / "MME_RealWorld_remote_sensing.json", rows)
    place = 3 + PROTOCOLS.index(protocol)
    scores, found = scored("mme-realworld-rs", tmp_path, [row[2] for row in MME], 100, protocol)
    assert scores == [row[place] for row in MME]
    assert found.metrics["micro"] == pytest.approx(micro)
    assert {
        value: group["micro"] for (column, value), group in found.groups.items() if column == "category"
    } == (pytest.approx(by_category))
    assert found.metrics["macro"] == pytest.approx(sum(by_category.values()) / 3)


OMNIEARTH = [  # sphere, type, right, reply -> official, rscovlm, strict
    ("Atmosphere", "Single Choice", "B", "B", 1, 1, 1),
    ("Atmosphere", "Single Choice", "B", "(B) 950 hPa", 1, 1, 1),
    ("Atmosphere", "Single Choice", "B", "B. 950 hPa", 0, 1, 1),  # "hPa" holds an A
    ("Atmosphere", "Single Choice", "B", "b", 0, 1, 1),
    ("Atmosphere", "Single Choice", "A", "The answer is B", 0, 1, 0),
    ("Atmosphere", "Single Choice", "C", "The answer is C.", 1, 1, 1),
    ("Atmosphere", "Single Choice", "A", "Pressure: 910 hPa", 0, 1, 1),  # no capital A to E; "hpa" holds an a
    ("Atmosphere", "Single Choice", "B", "", 0, 0, 0),
    ("Atmosphere", "Single Choice", "D", "D", 1, 1, 1),
    ("Atmosphere", "Single Choice", "B", "Unable to decide", 0, 1, 0),  # "unable" holds a b
    ("Cryosphere", "Single Choice", "C", "C because it is calm", 0, 1, 1),
    ("Cryosphere", "Single Choice", "B", FAILED, None, None, 0),
    ("Cryosphere", "Multiple Choice", "A, C", "A C", 1, 0, 1),
    ("Cryosphere", "Multiple Choice", "A, C", "A, C", 1, 0, 1),
    ("Cryosphere", "Multiple Choice", "A, C", "A and C", 0, 0, 1),  # "and" holds a d
    ("Cryosphere", "Multiple Choice", "A, C", "AC", 1, 1, 1),
    ("Cryosphere", "Multiple Choice", "A, C", "A", 0, 0, 0),
    ("Biosphere", "Visual Grounding", "<10><20><50><60>", "[10, 20, 50, 60]", 1, 1, 1),
    ("Biosphere", "Visual Grounding", "<10><20><50><60>", "[10, 20, 50, 40]", 0.5, 0, 1),  # the upper half
    ("Biosphere", "Visual Grounding", "<10><20><50><60>", "There is none.", 0, 0, 0),
]


@pytest.mark.parametrize(
    ("protocol", "atmosphere", "cryosphere", "boxes"),
    [
        ("official", 4 / 10, 3 / 6, 2 / 3),
        ("rscovlm", 9 / 10, 2 / 6, 1 / 3),
        ("strict", 7 / 10, 5 / 7, 2 / 3),
    ],
)
def test_omniearth_bench(tmp_path, protocol, atmosphere, cryosphere, boxes):
    pictures(tmp_path, ["a.png"], 100, 100)
    options = ["(A) 910 hPa", "(B) 950 hPa", "(C) 990 hPa", "(D) Unable to decide"]
    rows = [
        {
            "Question_id": f"Task/{number}",
            "Question Type": type_,
            "Text": "?",
            "Answer Choices": options,
            "Ground Truth": right,
            "Images": ["a.png"],
            "L1-task": sphere,
            "L4-task": "Task",
        }
        for number, (sphere, type_, right, *_) in enumerate(OMNIEARTH)
    ]
    (tmp_path / "jsons").mkdir()
    write_json(tmp_path / "jsons" / "task.json", rows)
    place = 4 + PROTOCOLS.index(protocol)
    scores, found = scored("omniearth-bench", tmp_path, [row[3] for row in OMNIEARTH], 100, protocol)
    assert scores == pytest.approx([row[place] for row in OMNIEARTH])
    assert found.groups["sphere", "Atmosphere"]["micro"] == pytest.approx(atmosphere)
    assert found.groups["sphere", "Cryosphere"]["micro"] == pytest.approx(cryosphere)
    assert found.metrics["macro"] == pytest.approx((atmosphere + cryosphere) / 2)  # of the choices alone
    asked = {"Cryosphere": 6 if protocol != "strict" else 7}
    of = 10 + asked["Cryosphere"]
    assert found.metrics["micro"] == pytest.approx((10 * atmosphere + asked["Cryosphere"] * cryosphere) / of)
    assert found.metrics["ground/acc@0.5"] == pytest.approx(boxes)


VQA = [  # type, right, reply -> official, rscovlm, strict
    ("object category", "ship", "ship", 1, 1, 1),
    ("object category", "ship", "Ships.", 1, 1, 1),
    ("object category", "harbor", "A harbour.", 0, 0, 1),  # left to a judge
    ("object category", "plane", "airplane", 1, 1, 1),
    ("object existence", "yes", "Yes, two of them.", 1, 1, 1),
    ("object existence", "no", "none", 1, 1, 0),  # holds "no"
    ("object existence", "no", "Yes.", 0, 0, 0),
    ("object quantity", "1", "11", 1, 1, 0),  # holds "1"
    ("object quantity", "3", "three", 0, 0, 1),
    ("object quantity", "3", "There are 3 planes.", 1, 1, 1),
    ("object quantity", "12", "many", 0, 0, 0),
    ("object color", "white", "White and grey", 1, 1, 0),
    ("object color", "gray", "grey", 0, 0, 1),  # left to a judge
    ("object shape", "round", "", 0, 0, 0),  # left to a judge
    ("object size", "small", "<think>small?</think>large", 1, 0, 0),  # the thought counts for the script
    ("object position", "top-left", "top left", 0, 0, 1),  # left to a judge
    ("object direction", "north", "northeast", 1, 1, 0),
    ("scene type", "urban", "suburban", 1, 1, 0),
    ("reasoning", "yes", "I'm sorry, I cannot answer.", 0, 0, 0),
    ("image", "aerial", FAILED, None, None, 0),  # reported as scene type
]


@pytest.mark.parametrize(
    ("protocol", "micro", "by_type"),
    [
        ("official", 11 / 19, [3 / 4, 2 / 3, 2 / 4, 1 / 2, 0, 1, 0, 1, 1, 0]),
        ("rscovlm", 10 / 19, [3 / 4, 2 / 3, 2 / 4, 1 / 2, 0, 0, 0, 1, 1, 0]),
        ("strict", 9 / 20, [4 / 4, 1 / 3, 2 / 4, 1 / 2, 0, 0, 1, 0, 0 / 2, 0]),
    ],
)
def test_questions_of_vrsbench(tmp_path, protocol, micro, by_type):
    pictures(tmp_path / "Images_val", ["a.png"], 512, 512)
    rows = [
        {"image_id": "a.png", "question": "?", "ground_truth": right, "question_id": number, "type": type_}
        for number, (type_, right, *_) in enumerate(VQA)
    ]
    write_json(tmp_path / "VRSBench_EVAL_vqa.json", rows)
    place = 3 + PROTOCOLS.index(protocol)
    scores, found = scored("vrsbench-vqa", tmp_path, [row[2] for row in VQA], 512, protocol)
    assert scores == [row[place] for row in VQA]
    assert found.metrics["micro"] == pytest.approx(micro)
    types = [group["micro"] for (column, _), group in found.groups.items() if column == "type"]
    assert types == pytest.approx(by_type)
    assert found.metrics["macro"] == pytest.approx(sum(by_type) / 10)
    if protocol == "official":
        assert found.metrics["unjudged"] == pytest.approx(4 / 19)


PHRASES = [  # reply -> IoU on the grid of 0-100, IoU in pixels; right under official, rscovlm, strict
    ("[128, 128, 256, 256]", 1, 1, 1, 1, 1),
    ('```json\n[{"bbox_2d": [128, 128, 256, 256], "label": "ship"}]\n```', 1, 1, 1, 1, 1),
    ("It is at [127, 129, 255, 257].", 1, 127 * 127 / (2 * 128**2 - 127 * 127), 1, 1, 1),
    # 192 px is 37.5 cells: (38 - 25 + 1) of 26 rows, where pixels have 64 of 128, not above a half
    ("[128, 128, 256, 192]", 14 / 26, 1 / 2, 1, 0, 1),
    # 43 px to the right are 8 cells: 18 of 26 columns are common, where pixels have 85 of 128
    ("[171, 128, 299, 256]", 18 / 34, 85 / 171, 1, 0, 0),
    # 48 px are 9 cells: 17 of 26 and 80 of 128
    ("[176, 128, 304, 256]", 17 / 35, 80 / 176, 0, 0, 0),
    # 32 px: 6 cells, 20 of 26; 96 of 128
    ("[160, 128, 288, 256]", 20 / 32, 96 / 160, 1, 1, 1),
    # half as high again: 26 of (63 - 25 + 1) rows; 128 of 192
    ("[128, 128, 256, 320]", 26 / 39, 128 / 192, 1, 1, 1),
    # a quarter: 26 of (56 - 25 + 1); 128 of 160
    ("[128, 128, 256, 288]", 26 / 32, 128 / 160, 1, 1, 1),
    ("[0, 0, 512, 512]", 26 * 26 / 101**2, 1 / 16, 0, 0, 0),
    ("128, 128, 256, 256", 1, 1, 1, 0, 1),  # no brackets
    ("<think>[0, 0, 9, 9]</think>[128, 128, 256, 256]", 1, 1, 1, 1, 1),
    ("[0, 0, 64, 64] or [128, 128, 256, 256]", 0, 0, 0, 0, 0),  # the first counts
    ("[0.25, 0.25, 0.5, 0.5]", 0, 0, 0, 0, 0),  # in parts of the sides
    ("[25, 25, 50, 50]", 0, 0, 0, 0, 0),  # in cells of the grid
    (
        "[250, 250, 500, 500]",
        2 * 2 / (676 + 50 * 50 - 4),
        6 * 6 / (128**2 + 250**2 - 36),
        0,
        0,
        0,
    ),  # in 0-1000
    ("There is none.", 0, 0, 0, 0, 0),
    ("I'm sorry, I can't see the image.", 0, 0, 0, 0, 0),
    ("", 0, 0, 0, 0, 0),
    (FAILED, None, None, None, None, 0),
]


@pytest.mark.parametrize(
    ("protocol", "unique", "others", "at_07"),
    [
        ("official", 6 / 10, 4 / 9, 6 / 19),
        ("rscovlm", 4 / 10, 3 / 9, None),
        ("strict", 5 / 10, 4 / 10, 6 / 20),
    ],
)
def test_phrases_of_vrsbench(tmp_path, protocol, unique, others, at_07):
    pictures(tmp_path / "Images_val", ["a.png"], 512, 512)
    rows = [
        {
            "image_id": "a.png",
            "question": "The ship.",
            "ground_truth": "{<25><25><50><50>}",  # 128 to 256 px, both ways
            "question_id": number,
            "unique": number % 2 == 0,
        }
        for number in range(20)
    ]
    write_json(tmp_path / "VRSBench_EVAL_referring.json", rows)
    place = 3 + PROTOCOLS.index(protocol)
    scores, found = scored("vrsbench-vg", tmp_path, [row[0] for row in PHRASES], 512, protocol)
    assert scores == [row[place] for row in PHRASES]
    assert found.groups["unique", "unique"]["acc@0.5"] == pytest.approx(unique)
    assert found.groups["unique", "non-unique"]["micro"] == pytest.approx(others)
    if at_07 is not None:
        assert found.metrics["acc@0.7"] == pytest.approx(at_07)
    if protocol == "official":
        assert found.metrics["mean_iou"] == pytest.approx(sum(row[1] for row in PHRASES[:19]) / 19)
    if protocol == "rscovlm":  # without the three that it reads no box of, and near enough in whole pixels
        assert found.metrics["mean_iou"] < sum(row[2] for row in PHRASES[:19]) / 19


RIGHT = "Two white planes stand near a hangar."
CAPTIONS = [  # reply; words in common, in order, with RIGHT, and words said: with thoughts, without them
    (RIGHT, (7, 7), (7, 7)),
    ("two white planes stand near a hangar", (7, 7), (7, 7)),
    ("Two planes.", (2, 2), (2, 2)),
    ("Two white planes.", (3, 3), (3, 3)),
    ("A hangar.", (2, 2), (2, 2)),
    ("A hangar near two white planes.", (3, 6), (3, 6)),  # "two white planes", not "near a hangar"
    ("Two planes stand near two hangars.", (4, 6), (4, 6)),
    ("Two grey planes stand near a grey hangar.", (6, 8), (6, 8)),
    ("The image shows two white planes that stand near a hangar.", (7, 11), (7, 11)),
    ("planes planes planes", (1, 3), (1, 3)),
    ("Hangar a near stand planes white two.", (1, 7), (1, 7)),
    ("Two white ships moored near a pier.", (4, 7), (4, 7)),
    ("A red car.", (1, 3), (1, 3)),
    ("Ships.", (0, 1), (0, 1)),
    ("Two-white planes", (1, 2), (1, 2)),  # a hyphen makes one word of two
    ("", (0, 0), (0, 0)),
    (
        "<think>Two ships?</think>Two white planes.",
        (3, 7),
        (3, 3),
    ),  # of "think two ships think two white planes"
    ("<think>Near a hangar.</think>Two planes.", (3, 7), (2, 2)),  # "near a hangar"
    ("I'm sorry, I cannot describe the image.", (0, 7), (0, 7)),
    (FAILED, None, None),
]


def rouge(common, said, wanted=7):
    """F of the longest common subsequence with beta 1.2."""
    if not common:
        return 0
    precision, recall = common / said, common / wanted
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


@pytest.mark.parametrize(
    ("protocol", "column", "failed"), [("official", 1, None), ("rscovlm", 2, None), ("strict", 2, 0)]
)
def test_captions_of_vrsbench(tmp_path, protocol, column, failed):
    pictures(tmp_path / "Images_val", ["a.png"], 512, 512)
    rows = [{"image_id": "a.png", "ground_truth": RIGHT, "question_id": number} for number in range(20)]
    write_json(tmp_path / "VRSBench_EVAL_Cap.json", rows)
    scores, found = scored("vrsbench-caption", tmp_path, [row[0] for row in CAPTIONS], 512, protocol)
    assert scores[:19] == pytest.approx([rouge(*row[column]) for row in CAPTIONS[:19]])
    assert scores[19] == failed
    said = sum(row[column][1] for row in CAPTIONS[:19])
    refused = 7 if protocol == "strict" else 0  # a refusal is an empty caption
    assert found.metrics["words"] == pytest.approx((said - refused) / (20 if protocol == "strict" else 19))
    assert found.metrics["coverage"] == pytest.approx(17 / 20)  # not the empty one, the refusal, the failure
