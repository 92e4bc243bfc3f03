"""Options that mean the same in every command, and how their text is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.checkpoints import Checkpoint
    from tiling.scene import Scene

Model = Annotated[
    str,
    typer.Option(
        help="nano, a checkpoint folder, a hub id, vllm:PATH or http://HOST:PORT/v1#NAME.", metavar="MODEL"
    ),
]
Device = Annotated[str | None, typer.Option(help="cuda, mps or cpu; the best there is by default.")]
Family = Annotated[
    str | None,
    typer.Option(help="How the model sees and writes, where its checkpoint does not tell: rscovlm, ..."),
]
MaxPixels = Annotated[
    int | None, typer.Option(help="Largest area of an image shown to the model.", metavar="N", min=1)
]
Bands = Annotated[str | None, typer.Option(help="Bands to show, such as 4,3,2.", metavar="R,G,B")]
Classes = Annotated[
    str | None,
    typer.Option(help="Class names, separated by commas; the model's own by default.", metavar="A,B"),
]
MaxTokens = Annotated[int, typer.Option(help="Most tokens of one reply.", metavar="N", min=1)]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn at random.", metavar="N")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_list(text: str | None, option: str) -> tuple[str, ...] | None:
    """Names separated by commas, without repeats; None stays None.

    Raises:
        UsageError: where nothing is named.
    """
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"{option} {text!r} names nothing; give names separated by commas")
    return names


def read_bands(text: str | None) -> list[int] | None:
    """Band numbers separated by commas; None stays None.

    Raises:
        UsageError: for what is no number.
    """
    names = None if text is None else [part.strip() for part in text.split(",")]
    if names is not None and not all(name.isdecimal() for name in names):
        raise UsageError(f"--bands {text!r} is not a list of band numbers; give one or three, such as 4,3,2")
    return None if names is None else [int(name) for name in names]


def open_scene(source: str, bands: str | None) -> Scene:
    """The scene, once it is sure that it shows something.

    Raises:
        UsageError, SceneError: with one clear line.
    """
    from tiling.scene import Scene

    scene = Scene(source, read_bands(bands))
    try:
        scene.require_pixels()
        _probe(scene)
    except BaseException:
        scene.close()
        raise
    return scene


def _probe(scene: Scene) -> None:
    """Read what a truncated file lacks: its last pixel, and its coarsest overview, which comes after it.

    Raises:
        SceneError: where they cannot be read.
    """
    from tiling.view import Size, View, Window

    scene.read(View(Window(scene.width - 1, scene.height - 1, 1, 1), Size(1, 1)))
    if scene.overviews:
        coarsest = scene.overviews[-1]
        size = Size(max(1, scene.height // coarsest), max(1, scene.width // coarsest))
        scene.read(View(scene.window, size))


def open_model(checkpoint: Checkpoint, device: str | None) -> Engine:
    """The engine of a model, loaded without progress bars of its library.

    Raises:
        ModelError, UsageError: with one clear line.
    """
    from rscovlm.engines import load_model

    if checkpoint.runner != "http":
        from transformers.utils import logging

        logging.disable_progress_bar()
        _check_device(device)
    return load_model(checkpoint, device=device)


def _check_device(device: str | None) -> None:
    """Make sure that torch can use a device.

    Raises:
        UsageError: with torch's own reason.
    """
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"--device {device} cannot be used: {reason}") from error


def check_file(path: Path | None, option: str, suffixes: tuple[str, ...]) -> None:
    """Make sure that a file can be written, before long work starts.

    Raises:
        UsageError: for another suffix than those supported, or a folder in its place.
        OSError: where the folder is missing or cannot be written.
    """
    from detection_eval.files import check_folder

    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path.name} has an unknown suffix; choose {' or '.join(suffixes)}")
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder; give the name of a file")
    check_folder(path)
