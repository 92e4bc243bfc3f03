"""Records damaged at random: each becomes a sample or is counted; none stops a conversion by a defect."""

import copy
import random

import pytest

from tests.rscovlm.data.published import image, read, write_json

TALK = [
    {"from": "human", "value": "<image>\n[refer] <p>a</p>"},
    {"from": "gpt", "value": "{<1><2><30><40>|<5>}"},
]
RECORDS = {
    "refgeo": {
        "image_id": "a.png",
        "dataset": "d",
        "question": "q",
        "bbox": [1, 2, 3, 4],
        "poly": [[1, 2], [3, 2], [3, 4], [1, 4]],
        "image_width": 200,
        "image_height": 100,
    },
    "vhm": {"id": 1, "image": "a.png", "image_path": ".", "conversations": TALK},
    "vrsbench": {
        "image_id": "a.png",
        "question": "q",
        "ground_truth": "{<1><2><30><40>}",
        "obj_corner": [0.1, 0.2, 0.3, 0.2, 0.3, 0.4, 0.1, 0.4],
        "question_id": 1,
    },
    "lrs-vqa-zoom": {
        "image": "a.png",
        "question": "q",
        "answer": "a",
        "Answer choices": ["(A) x"],
        "image_ori_width": 200,
        "image_ori_height": 100,
        "bbox_info": {"crop_hbox": [[1, 2, 30, 40]], "rbox": [[1, 2, 3, 2, 3, 4, 1, 4]]},
    },
    "lrs-vqa-zoom (raw)": {"image": "a.png", "conversations": TALK, "crop_hbox": [1, 2, 30, 40], "id": 1},
    "llava": {"id": 1, "image": ["a.png"], "conversations": TALK, "system": "s"},
    "geochat": {"id": 1, "image": "a.png", "conversations": TALK},
    "teochat": {
        "id": 1,
        "video": ["a.png"],
        "timestamps": ["2020-01-01"],
        "task": "x",
        "conversations": TALK,
    },
    "reo-instruct": {"id": 1, "image": "a.png", "agbd": 3.0, "gsd": 10, "targets": {}, "conversations": TALK},
    "chat": {"id": 1, "instruction": "q", "input": "i", "output": "o"},
}
DAMAGE = (
    None,
    "",
    " ",
    "x",
    0,
    -1,
    1e308,
    float("nan"),
    True,
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    ["x", 3],
    "<image>",
)


def places(value, path=()):
    """The path of every value in a record."""
    yield path
    for key, part in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from places(part, (*path, key))


def damaged(record, rng):
    record = copy.deepcopy(record)
    *parents, last = rng.choice([path for path in places(record) if path])
    parent = record
    for key in parents:
        parent = parent[key]
    if rng.random() < 0.2:
        del parent[last]
    else:
        parent[last] = copy.deepcopy(rng.choice(DAMAGE))
    return record


@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_becomes_a_sample_or_is_counted(tmp_path, name):
    image(tmp_path / "images" / "a.png")
    rng = random.Random(name)
    for _ in range(150):
        record = damaged(RECORDS[name], rng)
        if rng.random() < 0.5:
            record = damaged(record, rng) if len(list(places(record))) > 1 else record
        path = write_json(tmp_path / "r.json", [record])
        samples, account = read(name.split()[0], path, tmp_path / "images")
        assert len(samples) + sum(account.left_out.values()) == 1, record
