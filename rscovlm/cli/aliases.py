"""``--aliases``: other words for classes in replies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rscovlm.errors import UsageError

Aliases = Annotated[
    str | None,
    typer.Option(
        help="Other words for classes in replies: a list (dota, dior-r), or a file of 'word = class' lines "
        "or YAML.",
        metavar="NAME|FILE",
    ),
]


def words_for(aliases: str, classes: Sequence[str]) -> dict[str, str]:
    """Other words for the classes; those for other classes are said and left out.

    Raises:
        DetectionError: not a list of aliases.
        UsageError: no word is for any of the classes.
    """
    from detection_eval.text.aliases import aliases_for, read_aliases

    used, others = aliases_for(read_aliases(aliases), classes)
    if not used:
        raise UsageError(
            f"--aliases {aliases} has words for {', '.join(others)}; none of them is a class: "
            f"{', '.join(classes)}"
        )
    if others:
        print(f"--aliases: no such class, left out: {', '.join(others)}", file=sys.stderr)
    return used
