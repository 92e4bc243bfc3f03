"""``rscovlm bench list`` and ``rscovlm bench info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rscovlm.cli.options import AsJson

if TYPE_CHECKING:
    from rscovlm.bench.benchmark import Benchmark


def list_benchmarks(as_json: AsJson = False) -> None:
    """Name the benchmarks that can be run."""
    from rscovlm.bench.suites import SUITES

    if as_json:
        print(json.dumps([_record(each) for each in SUITES.values()], ensure_ascii=False, indent=1))
        return
    width = max(map(len, SUITES))
    for name, each in SUITES.items():
        print(f"{name.ljust(width)}  {each.title}")


def info(
    name: Annotated[str, typer.Argument(help="Name of a benchmark, or a file of items.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of its files, to count and fingerprint them.", metavar="ROOT")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of it; its first by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how a benchmark is laid out, how to get it, and under which licence; of --data, what is there."""
    from rscovlm.cli.bench_plan import benchmark_named

    benchmark = benchmark_named(name)
    record = _record(benchmark)
    if data is not None:
        record["found"] = _found(benchmark, data, split)
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=1))
        return
    for key, value in record.items():
        _tell(key, value)


def _record(benchmark: Benchmark) -> dict[str, Any]:
    from rscovlm.bench.protocols.available import protocols_of
    from rscovlm.bench.suites.reading import Reader

    reader = benchmark.read
    tasks = {"tasks": list(reader.kinds), "groups": list(reader.groups)} if isinstance(reader, Reader) else {}
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "how to get it": benchmark.source,
        "licence": benchmark.licence,
        "layout": benchmark.layout,
        "splits": list(benchmark.splits),
        "published items": dict(benchmark.counts),
        "published hashes": dict(benchmark.hashes),
        **tasks,
        "prompts": benchmark.prompts,
        "protocols": {short: each.id for short, each in protocols_of(benchmark.name).items()},
    }


def _found(benchmark: Benchmark, root: Path, split: str | None) -> dict[str, Any]:
    """What a folder holds of a benchmark."""
    from collections import Counter

    from rscovlm.bench.runs.job import read_questions

    questions = read_questions(benchmark, root, split)
    images = {image for item in questions.items for image in item.images}
    return {
        "split": questions.split,
        "items": questions.of,
        "images": len(images),
        "tasks": dict(Counter(item.kind for item in questions.items)),
        "files": questions.facts()["files"],
        "notes": list(questions.notes),
    }


def _tell(key: str, value: Any, indent: str = "") -> None:
    if isinstance(value, dict):
        if value:
            print(f"{indent}{key}:")
        for name, each in value.items():
            _tell(name, each, f"{indent}  ")
    elif isinstance(value, list):
        if value:
            print(f"{indent}{key}: {', '.join(map(str, value))}")
    else:
        lines = str(value).splitlines()
        print(f"{indent}{key}: {lines[0] if lines else ''}")
        for line in lines[1:]:
            print(f"{indent}  {line}")
