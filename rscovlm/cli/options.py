"""Options that mean the same in every command, and how their text is read."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.engines import Engine
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.families import ModelFamily
    from rscovlm.models.serving import Serving
    from rscovlm.tasks.recipe import Recipe
    from rscovlm.tasks.task import Prompt
    from tiling.overrides import Overrides
    from tiling.scene import Scene
    from tiling.view import Size
    from zoom_chain.chat import Generation, Sampling

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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent to the model, and stop.")]
Seed = Annotated[int, typer.Option(help="Random seed.", metavar="N")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_classes(text: str | None, option: str = "--classes") -> tuple[str, ...] | None:
    """Class names from an option: the name of a list, a file with one a line, or names with commas between.

    A list counts before a file, and a file before names; None stays None.

    Raises:
        UsageError: for what looks like a list or a file and is none, or names nothing.
        OSError: for a file that cannot be read.
    """
    if text is None:
        return None
    from detection_eval.formats.class_lists import CLASS_LISTS, classes

    path = Path(text)
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


@dataclass(frozen=True)
class ModelOptions:
    """Which model a command runs, and how; each field is an option of every command that runs one."""

    model: Model = "nano"
    config: Config = None
    resolution: ShownAt = None
    max_pixels: MaxPixels = None
    max_tokens: MaxTokens = None
    sampling: Sampled = None
    device: Device = None
    family: Family = None
    dtype: Dtype = None
    timeout: Timeout = None
    attempts: Attempts = None
    in_flight: InFlight = None
    header: Header = None
    seed: Seed = 0
    dry_run: DryRun = False

    def recipe(self) -> Recipe:
        """The recipe that ``--config`` names, with what the options change in it.

        Raises:
            ConfigError, UsageError: with one clear line.
        """
        from rscovlm.tasks.recipe import load_recipe, read_sampling

        changes = {
            "resolution": None if self.resolution is None else self.resolution.value,
            "max_pixels": self.max_pixels,
            "max_tokens": self.max_tokens,
            "sampling": None if self.sampling is None else read_sampling(self.sampling),
        }
        given = {name: value for name, value in changes.items() if value is not None}
        return load_recipe(self.config).model_copy(update=given)

    def checkpoint(self, recipe: Recipe) -> Checkpoint:
        """The model, as a recipe wants it run; no weights are loaded.

        Raises:
            ModelError, UsageError: with one clear line.
        """
        from rscovlm.models.checkpoints import resolve

        found = resolve(self.model, family=self.family)
        serving = self._serving(on_server=found.runner == "http")
        if self.dtype is not None and found.runner == "http":
            raise UsageError(f"--dtype {self.dtype} is for models in process; {found.spec} chooses its own")
        return replace(found, family=recipe.family(found.family), serving=serving, dtype=self.dtype)

    def _serving(self, on_server: bool) -> Serving | None:
        """The limits of requests to a server; None where none was given.

        Raises:
            ModelError, UsageError: for a wrong one, or one without a server.
        """
        from rscovlm.models.serving import Serving, read_headers

        stated = {
            "timeout_s": self.timeout,
            "attempts": self.attempts,
            "in_flight": self.in_flight,
            "headers": read_headers(self.header) or None,
        }
        given: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
        if given and not on_server:
            raise UsageError(
                "--timeout, --attempts, --in-flight and --header are for models on a server (http://...)"
            )
        return Serving(**given) if given else None

    def generation(self, recipe: Recipe, tokens: int) -> Generation:
        """How replies are generated; ``tokens`` bounds them where neither option nor recipe does."""
        from zoom_chain.chat import Generation

        return Generation(recipe.max_tokens or tokens, recipe.sampling_rules, self.seed)


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


@dataclass(frozen=True)
class ZoomingOptions(ModelOptions):
    """Which model a command lets zoom, and how."""

    dialect: Dialect = None
    n: Runs = 1

    def generation(self, recipe: Recipe, tokens: int) -> Generation:
        """As for every model.

        Raises:
            UsageError: for several runs that would all be the same.
        """
        options = super().generation(recipe, tokens)
        if self.n > 1 and options.sampling is not None and not options.sampling.temperature:
            raise UsageError(
                f"--n {self.n} would draw the same reply {self.n} times; give --sampling temperature=0.7 or "
                "--sampling checkpoint"
            )
        return options

    def recipe(self) -> Recipe:
        """As for every model, with the dialect.

        Raises:
            ConfigError, UsageError: with one clear line.
        """
        from zoom_chain.dialect_files import load_dialect

        recipe = super().recipe()
        if self.dialect is None:
            return recipe
        load_dialect(self.dialect)
        return recipe.model_copy(update={"dialect": self.dialect})


@dataclass(frozen=True)
class SceneOptions:
    """How the scenes of a command are read; each field is an option of every command that reads scenes."""

    bands: Bands = None
    alpha: Annotated[
        str | None,
        typer.Option(
            help="Band that says what is transparent, or none; by default the one marked, unless --bands "
            "names some.",
            metavar="N|none",
        ),
    ] = None
    nodata: Annotated[
        str | None,
        typer.Option(help="Value without data, or none; the file's own by default.", metavar="V|none"),
    ] = None
    mask: Annotated[
        str | None,
        typer.Option(
            help="Raster that is not 0 where pixels are valid, or none; the file's own by default.",
            metavar="FILE|none",
        ),
    ] = None
    assume_crs: Annotated[
        str | None, typer.Option(help="Coordinate reference system of the scene.", metavar="EPSG:N")
    ] = None
    assume_gsd: Annotated[
        float | None,
        typer.Option(help="Metres per pixel of the scene, in place of what its file says.", metavar="M"),
    ] = None

    orientation: Annotated[
        Upright,
        typer.Option(
            help="Which way up the model sees a scene: north (never mirrored), or as the file has it."
        ),
    ] = Upright.north

    def overrides(self) -> Overrides:
        """Overrides of what the files say.

        Raises:
            UsageError, SceneError: with one clear line.
        """
        from tiling.overrides import Overrides

        alpha: int | Literal["file", "none"] = "file"
        if self.alpha is not None:
            if self.alpha != "none" and not self.alpha.isdecimal():
                raise UsageError(f"--alpha {self.alpha!r} is no band; give its number, or none")
            alpha = "none" if self.alpha == "none" else int(self.alpha)
        nodata: float | Literal["file", "none"] = "file"
        if self.nodata is not None:
            try:
                nodata = "none" if self.nodata == "none" else float(self.nodata)
            except ValueError:
                raise UsageError(f"--nodata {self.nodata!r} is no number; give one, or none") from None
        mask: Path | Literal["file", "none"] = "file"
        if self.mask is not None:
            mask = "none" if self.mask == "none" else Path(self.mask)
        return Overrides(alpha, nodata, mask, self.assume_crs, self.assume_gsd)

    def open(self, source: str) -> Scene:
        """A scene, of which no more than the header is read.

        Raises:
            UsageError, SceneError: with one clear line.
        """
        from tiling.scene import Scene

        upright = self.orientation is Upright.north
        return Scene(source, read_bands(self.bands), north_up=upright, overrides=self.overrides())


def with_options(**groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with all options of some groups, each of which it gets as one value.

    Args:
        groups: by the name of the command's parameter: a dataclass whose fields are options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        more = {name: _parameters(group) for name, group in groups.items()}

        @wraps(command)
        def run(**given: Any) -> None:
            values = {
                name: group(**{option.name: given.pop(option.name) for option in more[name]})
                for name, group in groups.items()
            }
            command(**given, **values)

        kept = [parameter for parameter in own.parameters.values() if parameter.name not in groups]
        every = [*kept, *chain.from_iterable(more.values())]
        run.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        return run

    return decorate


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass as parameters of a command."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(group)
    ]


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


def print_request(prompt: Prompt, sizes: Sequence[Size], family: ModelFamily, options: Generation) -> None:
    """What a model would be sent, on stdout: the very words, image sizes, limits and sampling."""
    if prompt.system is not None:
        print(f"system: {prompt.system}")
    tokens = family.resolution.tokens
    shown = ", ".join(f"{size.width} x {size.height} px ({tokens(size):,} visual tokens)" for size in sizes)
    print(f"image: {shown}\nuser: {prompt.user}")
    rules = "the checkpoint's own" if options.sampling is None else _rules(options.sampling)
    print(f"reply: at most {options.max_new_tokens:,} tokens, sampling {rules}", flush=True)


def print_memory(checkpoint: Checkpoint) -> None:
    """What a model in process would take of memory, on stdout; nothing for others.

    Raises:
        ModelError: for a folder without weights.
    """
    if checkpoint.runner != "transformers":
        return
    from rscovlm.doctor import running_dtype
    from rscovlm.models.memory import estimate, lines

    taken = estimate(checkpoint.local, checkpoint.family.resolution, running_dtype(checkpoint.dtype))
    print(f"memory: {'; '.join(f'{part} {words}' for part, words in lines(taken))}", flush=True)


def _rules(sampling: Sampling) -> str:
    if not sampling.temperature:
        return "greedy"
    return ", ".join(f"{name} {value:g}" for name, value in asdict(sampling).items())
