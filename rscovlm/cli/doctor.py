"""``rscovlm doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict

from rscovlm.cli.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Say which versions, device and accelerated parts are in use, and why others are not."""
    from rscovlm.doctor import diagnose

    rows = diagnose()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1))
        return
    name_width = max(len(row.name) for row in rows)
    state_width = max(len(row.state) for row in rows)
    for row in rows:
        print(f"{row.name:<{name_width}}  {row.state:<{state_width}}  {row.detail}".rstrip())
