"""The command line called in process, with a scripted model in place of a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rscovlm.cli import main
from rscovlm.models.families import FAMILIES
from tests.rscovlm.regression import Reader, checkpoint
from tests.rscovlm.scripted import ONE_SCALE, ScriptedEngine, write_raster

MODEL = "http://scripted/v1#nano"
"""A model string whose family shows in its name; the scripted engine stands behind it."""


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys) -> Callable[..., Done]:
    """Run a command; arguments may be paths."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture(autouse=True)
def one_scale(monkeypatch) -> None:
    """The scripted model looks for every class in one pass."""
    monkeypatch.setitem(FAMILIES, "nano", ONE_SCALE)


@pytest.fixture
def scripted(monkeypatch) -> Callable[..., ScriptedEngine]:
    """Put an engine that answers by a function behind ``MODEL``."""

    def install(script, **arguments) -> ScriptedEngine:
        engine = ScriptedEngine(script, **arguments)
        monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: engine)
        return engine

    return install


@pytest.fixture
def no_model(monkeypatch) -> None:
    """Fail where a model is loaded at all."""

    def load(spec, **_):
        raise AssertionError(f"model {spec} was loaded before everything else was checked")

    monkeypatch.setattr("rscovlm.engines.load_model", load)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "scene.tif", 1024, 1024)


@pytest.fixture
def reader(monkeypatch):
    """Put a reader of pixels behind any checkpoint."""

    def install(**arguments) -> Reader:
        engine = Reader(**arguments)
        monkeypatch.setattr("rscovlm.engines.load_model", lambda spec, **_: engine)
        return engine

    return install


@pytest.fixture
def model(tmp_path):
    return checkpoint(tmp_path / "model")
