"""docs/data.md says what is there: its examples are samples, its table names every format."""

import json
import re
from pathlib import Path

from rscovlm.data.readers import ADAPTERS
from rscovlm.data.sample import TASKS, Sample

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def test_there_is_one_example_of_each_task_and_it_is_a_sample():
    lines = re.search(r"```jsonl\n(.*?)```", TEXT, re.DOTALL)[1].splitlines()
    samples = [Sample.from_json(json.loads(line)) for line in lines]
    assert [sample.task for sample in samples] == list(TASKS)
    assert [Sample.from_json(json.loads(sample.to_line())) for sample in samples] == samples


def test_the_table_names_every_format():
    table = TEXT.partition("## Formats read")[2]
    named = [
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    ]
    assert sorted(named[1:]) == sorted(ADAPTERS)  # the first is --from
