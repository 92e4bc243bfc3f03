"""Options that come together as one value: of the model that a command runs, of the scenes that it reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from rscovlm.cli.options import (
    AssumeCrs,
    AssumeGsd,
    Attempts,
    Bands,
    Config,
    Device,
    Dialect,
    DryRun,
    Dtype,
    Family,
    Header,
    InFlight,
    MaxPixels,
    MaxTokens,
    Model,
    Runs,
    Sampled,
    Seed,
    ShownAt,
    Timeout,
    Upright,
    Vllm,
    read_bands,
)
from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.models.checkpoints import Checkpoint
    from rscovlm.models.serving import Serving
    from rscovlm.tasks.recipe import Recipe
    from tiling.overrides import Overrides
    from tiling.scene import Scene
    from zoom_chain.chat import Generation


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
    vllm: Vllm = None
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
        return replace(
            found,
            family=recipe.family(found.family),
            serving=serving,
            dtype=self.dtype,
            settings=self._settings(in_vllm=found.runner == "vllm"),
        )

    def _settings(self, in_vllm: bool) -> dict[str, Any]:
        """Arguments of vLLM in process.

        Raises:
            UsageError: for a wrong one, or one for another engine.
        """
        from rscovlm.engines.vllm_settings import read_settings

        if self.vllm and not in_vllm:
            raise UsageError(f"--vllm {self.vllm[0]!r} is for vLLM in process (--model vllm:PATH)")
        return read_settings(self.vllm or [])

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
    assume_crs: AssumeCrs = None
    assume_gsd: AssumeGsd = None

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
