"""docs/benchmark_sets.md is true: its table, and the commands that reproduce RSCoVLM's tables."""

import re
import shlex
from pathlib import Path

import pytest

from configs import available
from rscovlm.bench.prompts import load_profile
from rscovlm.bench.results.published import load_publication
from rscovlm.bench.suites import SUITES
from rscovlm.bench.suites.tables import table, updated
from rscovlm.cli import main
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.recipe import Recipe, load_recipe

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "benchmark_sets.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in re.search(r"<!-- reproduce: begin -->\n(.*?)<!-- reproduce: end -->", PAGE, re.S)[
        1
    ].splitlines()[2:]
]


def test_the_table_of_benchmarks_is_in_step():
    assert updated(PAGE) == PAGE, "run: python -m rscovlm.bench.suites.tables docs/benchmark_sets.md"


def test_the_table_has_each_benchmark_with_its_licence_and_layout():
    text = table(SUITES.values())
    for name, suite in SUITES.items():
        assert f"| `{name}` | {suite.title} |" in text
        assert f"| {suite.licence} |" in text
        assert f"    {suite.layout.splitlines()[0]}\n" in text


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="the page lacks <!-- benchmarks: begin -->"):
        updated("# Benchmarks\n")


def options(command):
    words = shlex.split(command.strip("`"))
    assert words[:3] == ["rscovlm", "bench", "run"]
    return words[3], dict(zip(words[4::2], words[5::2], strict=True))


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_command_names_what_there_is_and_the_values_that_are_published(row):
    _, columns, command, values, _ = row
    name, given = options(command)
    suite = SUITES[name]
    split = given.get("--split", suite.splits[0])
    assert split in suite.splits
    load_profile(given.get("--prompts", suite.prompts))
    if "--config" in given:
        assert given["--config"] in available()
        load_recipe(given["--config"])
    (published,) = [found for found in load_publication("rscovlm") if found.benchmark == name]
    line = (
        "RSCoVLM + Zoom-in Chain"
        if "Zoom" in row[0]
        else "RSCoVLM + Max Mode"
        if "Max" in row[0]
        else "RSCoVLM"
    )
    found = next(numbers for model, numbers in published.rows.items() if model in (line, f"{line} 7B"))
    if split in published.columns:
        found = (found[published.columns.index(split)],)
    for value in re.findall(r"\d+\.\d+", values):
        assert float(value) in found, columns


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_command_is_one_that_the_program_takes(row, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where there is no ROOT, which is what every one of them has to say
    words = shlex.split(row[2].strip("`"))[1:]
    words[words.index("--model") + 1] = "nano"
    assert main(words) == 2
    assert "ROOT is no folder; give the one that holds" in capsys.readouterr().err


def test_every_column_of_the_paper_has_a_command():
    commands = [options(row[2]) for row in ROWS]
    for published in load_publication("rscovlm"):
        splits = {given.get("--split") for name, given in commands if name == published.benchmark}
        assert splits, published.benchmark
        for column in published.columns:
            if column in SUITES[published.benchmark].splits and len(published.columns) > 1:
                assert column in splits or (
                    column == SUITES[published.benchmark].splits[0] and None in splits
                )


SIDES_PX = {
    **{"dior-rsvg": 800, "vrsbench-vg": 512, "vrsbench-vqa": 512, "rsvqa-hr": 512, "rsvqa-lr": 256},
    **{"aid": 600, "whu-rs19": 600, "ucmerced": 256, "nwpu-resisc45": 256, "dota-v1.0": 512},
}
"""Of images, or of tiles, as their authors or RSCoVLM publish them."""


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_the_cost_of_a_row_is_that_of_images_of_the_published_size(row):
    name, given = options(row[2])
    if name not in SIDES_PX:
        return
    recipe = load_recipe(given["--config"]) if "--config" in given else Recipe()
    resolution = recipe.family(FAMILIES["rscovlm"]).resolution
    tokens = resolution.tokens(resolution.fit(SIDES_PX[name], SIDES_PX[name]))
    items = SUITES[name].counts.get(given.get("--split", SUITES[name].splits[0]))
    if name == "dota-v1.0":
        assert row[4] == f"{tokens:,} a tile"
    elif items is None:
        assert row[4] == f"{tokens:,} an item"
    else:
        assert row[4] == f"{items:,}; {items * tokens / 1e6:.2f} M"
