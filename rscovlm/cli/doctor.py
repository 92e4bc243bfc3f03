"""``rscovlm doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from rscovlm.cli.options import AsJson, Dtype


def doctor(
    model: Annotated[
        str | None,
        typer.Option(help="Also estimate the memory of this model, without loading it.", metavar="MODEL"),
    ] = None,
    dtype: Dtype = None,
    as_json: AsJson = False,
) -> None:
    """Say which versions, device and accelerated parts are in use, and why others are not."""
    from rscovlm.doctor import diagnose

    rows = diagnose(model, dtype)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1))
        return
    name_width = max(len(row.name) for row in rows)
    state_width = max(len(row.state) for row in rows)
    for row in rows:
        print(f"{row.name:<{name_width}}  {row.state:<{state_width}}  {row.detail}".rstrip())
