"""Scenes and models of a command, opened: what is wrong with them is told before long work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.cli.option_groups import SceneOptions
    from rscovlm.engines import Engine
    from rscovlm.models.checkpoints import Checkpoint
    from tiling.scene import Scene


def open_scene(source: str, reading: SceneOptions) -> Scene:
    """The scene, once it is sure that it shows something; its warnings go to stderr.

    Raises:
        UsageError, SceneError: with one clear line.
    """
    scene = reading.open(source)
    try:
        scene.require_pixels()
        _probe(scene)
    except BaseException:
        scene.close()
        raise
    for warning in scene.warnings:
        print(f"rscovlm: warning: {source}: {warning}", file=sys.stderr, flush=True)
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


def tell_of_each(
    sources: Sequence[str],
    reading: SceneOptions,
    facts: Callable[[Scene], dict[str, Any]],
    words: Callable[[dict[str, Any]], str] | None,
    *,
    between: str = "",
) -> None:
    """Print what is known of each scene as soon as it was read; one that cannot be read costs itself.

    Args:
        sources: of the scenes.
        reading: how they are read.
        facts: of an open scene, as JSON holds them.
        words: about facts; None prints the facts of all scenes as JSON.
        between: printed between the words about two scenes.

    Raises:
        SceneError: for a single scene that cannot be read.
        Incomplete: where some of several cannot be read; each is named on stderr.
    """
    from tiling.errors import SceneError

    found: list[dict[str, Any]] = []
    failed: list[SceneError] = []
    for source in sources:
        try:
            with reading.open(source) as scene:
                found.append(facts(scene))
        except SceneError as error:
            if len(sources) == 1:
                raise
            failed.append(error)
            print(f"rscovlm: {error}", file=sys.stderr)
            continue
        if words is not None:
            print((between if len(found) > 1 else "") + words(found[-1]), flush=True)
    if words is None:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1))
    if failed:
        raise Incomplete(f"{len(failed)} of {counted(len(sources), 'file')} cannot be read: {failed[0]}")


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


def placed(checkpoint: Checkpoint, device: str | None) -> tuple[str | None, str | None]:
    """The device and the number type that a model in process runs in; None where others decide."""
    if checkpoint.runner != "transformers":
        return None, None
    import torch

    from rscovlm.models.weights import best_device, default_dtype

    chosen = device or best_device()
    return chosen, str(default_dtype(torch.device(chosen))).removeprefix("torch.")


def _check_device(device: str | None) -> None:
    """Make sure that torch can use a device.

    Raises:
        UsageError: with torch's own reason.
    """
    import torch

    try:
        torch.zeros(1, device=None if device == "auto" else device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"--device {device} cannot be used: {reason}") from error
