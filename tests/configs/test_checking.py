"""Wrong settings: one line each, with file, key, what is wrong and the nearest known key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from pydantic import Field

from configs import ConfigError
from configs.checking import Section, checked


@dataclass(frozen=True)
class Limits:
    """A dataclass as a section; it is as strict as a model inside one."""

    most: int = 5
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ValueError(f"most {self.most} is negative")


class Source(Section):
    """One of a list."""

    name: str
    weight: float = Field(1.0, gt=0)


class Settings(Section):
    """All kinds of sections."""

    sources: tuple[Source, ...] = ()
    limits: Limits = Limits()
    title: str | None = None
    named: dict[str, Source] = Field(default={})


def wrong(data: dict) -> str:
    with pytest.raises(ConfigError) as error:
        checked(Settings, data, "mine.yaml")
    return str(error.value)


def test_what_is_right_is_read():
    settings = checked(
        Settings, {"sources": [{"name": "a", "weight": 2}], "limits": {"seconds": 3}}, "mine.yaml"
    )
    assert settings == Settings(sources=(Source(name="a", weight=2.0),), limits=Limits(seconds=3.0))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"titel": "x"}, "mine.yaml: titel: unknown setting; did you mean title?"),
        ({"zzz": 1}, "mine.yaml: zzz: unknown setting; known here are sources, limits, title, named"),
        ({"most": 1}, "mine.yaml: most: unknown setting; did you mean limits.most?"),
        ({"limits": {"title": 1}}, "mine.yaml: limits.title: unknown setting; did you mean title?"),
        ({"limits": {"mots": 1}}, "mine.yaml: limits.mots: unknown setting; did you mean most?"),
        (
            {"sources": [{"name": "a"}, {"name": "b", "wieght": 1}]},
            "mine.yaml: sources.1.wieght: unknown setting; did you mean weight?",
        ),
        ({"sources": [{}]}, "mine.yaml: sources.0.name: is missing"),
        (
            {"sources": [{"name": "a", "weight": 0}]},
            "mine.yaml: sources.0.weight: input should be greater than 0, not 0",
        ),
        ({"limits": {"most": -1}}, "mine.yaml: limits: most -1 is negative"),
    ],
)
def test_a_problem_is_one_line_with_file_and_key(data, line):
    assert wrong(data) == line


@pytest.mark.parametrize("value", ["3", True, 2.5, None, [3]])
def test_nothing_is_converted(value):
    assert wrong({"limits": {"most": value}}).startswith(
        "mine.yaml: limits.most: input should be a valid integer, not "
    )


def test_all_problems_come_together():
    text = wrong({"titel": 1, "title": 2, "limits": {"most": "x"}})
    assert text.count("mine.yaml: ") == 3


def test_a_long_value_is_shown_in_short():
    assert len(wrong({"title": list(range(10_000))})) < 120


def test_a_key_of_an_earlier_version_is_answered_with_what_to_write_now():
    class Renamed(Section):
        formerly: ClassVar[dict[str, str]] = {"colour": "is hue now"}
        hue: int = 0

    class Outer(Section):
        inner: Renamed = Renamed()

    with pytest.raises(ConfigError, match=r"^a\.yaml: inner\.colour: is hue now$"):
        checked(Outer, {"inner": {"colour": 3}}, "a.yaml")
    with pytest.raises(ConfigError, match=r"inner\.color: unknown setting"):
        checked(Outer, {"inner": {"color": 3}}, "a.yaml")


def test_below_names_of_the_users_own_the_nearest_key_is_told_too():
    with pytest.raises(ConfigError, match=r"named\.mine\.wieght: unknown setting; did you mean weight\?"):
        checked(Settings, {"named": {"mine": {"name": "a", "wieght": 2.0}}}, "run.yaml")
