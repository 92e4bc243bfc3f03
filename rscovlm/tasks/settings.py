"""Settings of a detection run from YAML: classes, tile and overlap."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from configs import load_config
from configs.checking import Section, checked


def _length(value: Any) -> str | None:
    """A length as the options of the command line take it; YAML reads a bare 512 as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError(f"{value!r} is no length such as 512 (pixels) or 500m")
    return None if value is None else str(value)


Length = Annotated[str | None, BeforeValidator(_length)]


class DetectSettings(Section):
    """What to look for in a scene, and in which tiles."""

    classes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Names of the classes; None for the model's own."""
    tile: Length = None
    """Side of a tile: ``512`` (pixels) or ``500m``; None for what the model sees best."""
    overlap: Length = None
    """Overlap of neighbouring tiles, in the same way; None for a quarter of a tile."""


def load_detect_settings(name_or_path: str) -> DetectSettings:
    """The settings in a YAML file, or in one that ships with the package.

    Raises:
        ConfigError: where there is no such file, naming all that is unknown or wrong in it.
    """
    return checked(DetectSettings, load_config(name_or_path), name_or_path)
