"""Options that mean the same in every command, and how their text is read."""

from __future__ import annotations

import difflib
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from tiling.view import Window

Model = Annotated[
    str,
    typer.Option(
        help="nano, a checkpoint folder, a hub id, vllm:PATH or http://HOST:PORT/v1#NAME.", metavar="MODEL"
    ),
]
Device = Annotated[
    str | None, typer.Option(help="cuda, mps, cpu, or auto for all GPUs together; the best by default.")
]
Family = Annotated[
    str | None,
    typer.Option(help="How the model sees and writes, where its checkpoint does not tell: rscovlm, ..."),
]
MaxPixels = Annotated[
    int | None, typer.Option(help="Largest area of an image shown to the model.", metavar="N", min=1)
]
Bands = Annotated[
    str | None,
    typer.Option(
        help="One or three bands to show, by number or name: 4,3,2 or red,green,blue.", metavar="R,G,B"
    ),
]


SensorName = Annotated[
    str | None,
    typer.Option(
        "--sensor",
        help="What took the scene and how its values are stored: sentinel2-l2a@05.09, ... or FILE.yaml.",
        metavar="NAME[@VERSION]",
    ),
]

AssumeCrs = Annotated[
    str | None, typer.Option(help="Coordinate reference system of the scene.", metavar="EPSG:N")
]

AssumeGsd = Annotated[
    float | None,
    typer.Option(help="Metres per pixel of the scene, in place of what its file says.", metavar="M"),
]


class Upright(StrEnum):
    """Which way up scenes are shown, for the help text."""

    north = "north"
    file = "file"


Classes = Annotated[
    str | None,
    typer.Option(
        help="Class names, a file with one a line, or the name of a list (dota-v1.0, dior-r, ...).",
        metavar="A,B|FILE|LIST",
    ),
]


class Shown(StrEnum):
    """Names of the resolution policies, for the help text."""

    native = "native"
    max = "max"
    min = "min"
    small = "small"


ShownAt = Annotated[
    Shown | None,
    typer.Option("--resolution", help="Size of images: their own, or brought to the max, min or small area."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(help="Most tokens of one reply; as --config or the model says.", metavar="N", min=1),
]
Config = Annotated[
    str | None,
    typer.Option(
        help="How the model is run: a recipe by name (rscovlm/dota, qwen3-vl/zoom, ...) or a YAML file.",
        metavar="NAME|FILE",
    ),
]
Sampled = Annotated[
    str | None,
    typer.Option(
        "--sampling",
        help="greedy, checkpoint (its own rules), or temperature=0.7,top_p=0.8,...",
        metavar="RULES",
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="Precision of a model in process: bfloat16 (the default on CUDA), float16 or float32.",
        metavar="TYPE",
    ),
]
Vllm = Annotated[
    list[str] | None,
    typer.Option(
        help="Argument of vLLM for --model vllm:..., as tensor_parallel_size=2; may be repeated.",
        metavar="NAME=VALUE",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds for one attempt at a request to a server; 600.", metavar="S")
]
Attempts = Annotated[
    int | None, typer.Option(help="Attempts at a request that fails for a passing reason; 6.", min=1)
]
InFlight = Annotated[int | None, typer.Option(help="Requests to a server at the same time; 16.", min=1)]
Header = Annotated[
    list[str] | None,
    typer.Option(help="Sent with every request to a server; may be repeated.", metavar="'NAME: VALUE'"),
]
Dialect = Annotated[
    str | None,
    typer.Option(
        help="Words of the zoom tool: deepeyes, mini-o3, ... or a YAML file; the model's by default.",
        metavar="NAME|FILE",
    ),
]
Runs = Annotated[
    int, typer.Option("--n", help="Runs of each question, of whose answers most count.", metavar="N", min=1)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent to the model, and stop.")]
Seed = Annotated[int, typer.Option(help="Random seed.", metavar="N")]
InWindow = Annotated[
    str | None,
    typer.Option("--window", help="Examine this part of the scene only, in pixels.", metavar="X,Y,W,H"),
]
InBox = Annotated[
    str | None,
    typer.Option(
        "--bbox", help="Examine this box only, in degrees or a CRS.", metavar="LON,LAT,LON,LAT[,CRS]"
    ),
]
LayerCrs = Annotated[
    str | None,
    typer.Option(
        "--crs", help="Of a .gpkg, .fgb or .parquet output; the (first) scene's by default.", metavar="EPSG:N"
    ),
]
Overlay = Annotated[
    Path | None, typer.Option("--overlay", help="Draw the boxes on the scene: .png.", metavar="FILE")
]


class Outlines(StrEnum):
    """Kinds of outlines, for the help text."""

    rectangles = "rectangles"
    as_written = "as-written"


Boxes = Annotated[
    Outlines,
    typer.Option("--boxes", help="Rectangles on the ground, or the four corners as the model wrote them."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_classes(text: str | None, option: str = "--classes") -> tuple[str, ...] | None:
    """Class names from an option: the name of a list, a file with one a line, or names with commas between.

    Of a data.yaml of Ultralytics the ``names`` count.

    A list counts before a file, and a file before names; None stays None.

    Raises:
        UsageError: for what looks like a list or a file and is none, or names nothing.
        DataError: for a data.yaml without names.
        OSError: for a file that cannot be read.
    """
    if text is None:
        return None
    from detection_eval.formats.class_lists import CLASS_LISTS, classes

    path = Path(text)
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        from rscovlm.data.readers.yolo import names_in

        return names_in(path)
    if text in CLASS_LISTS or path.is_file():
        return classes(text)
    near = [name for name in CLASS_LISTS if name.startswith(text.lower())]
    near = near or difflib.get_close_matches(text.lower(), CLASS_LISTS, n=1, cutoff=0.8)
    if near:
        raise UsageError(f"{option} {text!r} is no class list; did you mean {' or '.join(near)}?")
    if path.suffix in (".txt", ".names") or "/" in text:
        raise UsageError(f"{option} {text!r}: no such file; give a file with one class name a line")
    return read_list(text, option)


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


def read_bands(text: str | None) -> list[int | str] | None:
    """Band numbers or names separated by commas; None stays None.

    Raises:
        UsageError: where a band has neither.
    """
    names = None if text is None else [part.strip() for part in text.split(",")]
    if names is not None and not all(names):
        raise UsageError(
            f"--bands {text!r} is not a list of bands; give one or three, such as 4,3,2 or red,green,blue"
        )
    return None if names is None else [int(name) if name.isdecimal() else name for name in names]


def read_window(text: str | None) -> Window | None:
    """A window in scene pixels from ``x,y,width,height``; None stays None.

    Raises:
        UsageError: for what is no window.
    """
    from tiling.view import Window

    if text is None:
        return None
    try:
        numbers = [float(number) for number in text.split(",")]
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        x, y, width, height = numbers
        return Window(x, y, width, height)
    except ValueError:
        raise UsageError(
            f"--window {text!r} is not a window; "
            "give left, top, width and height in pixels, such as 0,0,512,512"
        ) from None
