"""Several runs in one file: YAML that names benchmarks, models and what they are shown.

.. code-block:: yaml

    data: {lrs-vqa: /data/LRS-VQA, synth: /data/synth}
    model: nano
    runs:
      - {benchmark: synth, zoom: "off"}
      - {benchmark: synth, zoom: chain}
      - {benchmark: lrs-vqa, model: http://localhost:8000/v1#RSCoVLM-7B, config: rscovlm/lrs-vqa, limit: 500}
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from configs import load_config
from configs.checking import Section, checked
from rscovlm.bench.item import Item
from rscovlm.bench.runs.looking import Blind, Mode


def _policy(value: Any) -> Any:
    return "off" if value is False else value  # YAML 1.1 reads a bare off as false


Zoomed = Annotated[Mode | None, BeforeValidator(_policy)]


class Entry(Section):
    """One run; what is left out is as the file's top level says, else as the command line does."""

    benchmark: str | None = None
    """Name of a benchmark, or a file of items."""
    data: str | None = None
    """Folder of its files."""
    split: str | None = None
    """Part of it; its first by default."""
    model: str | None = None
    """As ``--model`` takes it."""
    family: str | None = None
    """Of that model, where its checkpoint does not tell."""
    config: str | None = None
    """Recipe: how the model is run."""
    prompts: str | None = None
    """Prompt profile; the benchmark's own by default."""
    zoom: Zoomed = None
    """What is shown; as the recipe says by default."""
    blind: Blind | None = None
    """What is shown in its place."""
    limit: int | None = Field(None, ge=1)
    """Number of items, drawn at random."""
    max_pixels: int | None = Field(None, ge=1)
    """Largest area of an image."""
    max_tokens: int | None = Field(None, ge=1)
    """Most tokens of one reply."""
    label: str | None = None
    """What tables call the run."""


class Plan(Entry):
    """Runs, and what they have in common."""

    data: str | dict[str, str] | None = None  # type: ignore[assignment]
    """Folder of the files, or one for each benchmark by name."""
    runs: tuple[Entry, ...] = Field(min_length=1)
    """The runs, in order."""


def load_plan(path: str) -> list[Entry]:
    """The runs of a file, each with what the file says for all of them.

    Raises:
        ConfigError: naming all that is unknown or wrong.
    """
    plan = checked(Plan, load_config(path), path)
    shared = {
        name: value
        for name in Entry.model_fields
        if name != "data" and (value := getattr(plan, name)) is not None
    }
    entries = []
    for entry in plan.runs:
        own = {name: value for name, value in entry if value is not None}
        merged = Entry(**{**shared, **own})
        if merged.data is None and plan.data is not None:
            by_name = plan.data if isinstance(plan.data, dict) else {}
            folder = by_name.get(merged.benchmark or "") if by_name else plan.data
            merged = merged.model_copy(update={"data": folder})
        entries.append(merged)
    return entries


def audit(entry: Entry, items: tuple[Item, ...]) -> list[Entry]:
    """The runs of a resize audit: how much of a score is what the model was shown.

    The whole image at the checkpoint's own cap, the overview, what is configured, the evidence alone where
    items state it, and no image.
    """
    shown: list[dict[str, Any]] = [{"zoom": "direct"}, {"zoom": "off"}, {"zoom": entry.zoom}]
    if any(item.evidence is not None for item in items):
        shown.append({"zoom": "oracle"})
    shown.append({"zoom": None, "blind": "text"})
    return [entry.model_copy(update={"blind": None, "label": None, **change}) for change in shown]


def slug(label: str) -> str:
    """A label as the name of a folder: ``nano, blind (text)`` -> ``nano-blind-text``."""
    return re.sub(r"[^\w.]+", "-", label).strip("-.").lower() or "run"
