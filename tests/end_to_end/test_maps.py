"""The maps of the code base name files and folders that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## .*`([a-z_]+/)`", re.M)
PATH = re.compile(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py|\.yml))`")


def test_each_entry_of_the_map_exists_below_its_package():
    parts = SECTION.split((ROOT / "docs" / "map.md").read_text(encoding="utf-8"))
    folders = ["", *parts[1::2]]
    assert folders == ["", "detection_eval/", "tiling/", "zoom_chain/", "rscovlm/"]
    missing = [
        f"{folder}{path}"
        for folder, text in zip(folders, parts[0::2])
        for path in PATH.findall(text)
        if not ((ROOT / folder / path).exists() or (ROOT / path).exists())
    ]
    assert missing == []


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_each_link_leads_to_a_file(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / file).parent.joinpath(link).exists()] == []


def test_each_path_of_the_contributors_table_exists():
    table = [line for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("|")]
    paths = [path for line in table for path in re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", line)]
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
