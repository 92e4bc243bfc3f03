"""The model that a ``--model`` string names, resolved once and passed on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from rscovlm.errors import ModelError
from rscovlm.models.families import FAMILIES, ModelFamily, family_in, family_named, family_of
from rscovlm.models.scale_words import SAID
from rscovlm.models.serving import Serving
from rscovlm.models.sidecars import OWN, read_sidecar

NANO_FOLDER = Path(__file__).parents[1] / "assets" / "nano"

ADAPTER = "adapter_config.json"
"""The file of PEFT that makes a folder an adapter."""

SCALED_ADAPTER = "scale_adapter.json"
"""The file that makes a folder an adapter which depends on the ground sampling distance."""

Runner = Literal["transformers", "vllm", "http"]

_HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt"]


@dataclass(frozen=True)
class Checkpoint:
    """Where a model is, who runs it, and how it sees and writes.

    Attributes:
        spec: the string that named it.
        runner: ``transformers`` and ``vllm`` in this process, ``http`` on a server.
        family: prompts, coordinates and image bounds.
        folder: local files; None on a server.
        url: root of the server's API, such as ``http://host:8000/v1``; None in process.
        served: name of the model on the server; None where the server is to be asked.
        revision: branch, tag or commit of a hub repository, where one was asked for.
        serving: how requests are sent to a server; None for the usual limits.
        dtype: of the weights of a model in process; None for the usual one.
        adapter: folder of a LoRA adapter over the weights in ``folder``.
        settings: arguments of vLLM in process, beyond those that follow from the rest.
    """

    spec: str
    runner: Runner
    family: ModelFamily
    folder: Path | None = None
    url: str | None = None
    served: str | None = None
    revision: str | None = None
    serving: Serving | None = None
    dtype: str | None = None
    adapter: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def identity(self) -> str:
        """What replies depend on, for journals: the very weights, and whether scales are said in words."""
        return self._weights + (SAID if self.family.states_gsd else "")

    @property
    def _weights(self) -> str:
        """The spec, what was stated of how it runs, and local files: weights, heads, facts about them."""
        if self.folder is None:
            return self.spec
        folders = [self.folder] if self.adapter is None else [self.folder, self.adapter]
        kinds = ("*.safetensors", "heads/*.safetensors", OWN)
        files = [file for folder in folders for kind in kinds for file in sorted(folder.glob(kind))]
        facts = [(file.name, file.stat()) for file in files]
        spec = self.spec if self.dtype is None else f"{self.spec} in {self.dtype}"
        if self.settings:
            spec += f" with {json.dumps(self.settings, sort_keys=True)}"
        return "|".join(
            [spec, *(f"{name} {fact.st_size} bytes {fact.st_mtime_ns} ns" for name, fact in facts)]
        )

    @property
    def local(self) -> Path:
        """The folder of local files.

        Raises:
            ModelError: where the model is on a server.
        """
        if self.folder is None:
            raise ModelError(f"{self.spec} is on a server; this needs a checkpoint folder or a hub id")
        return self.folder


def resolve(spec: str, *, family: str | None = None, max_pixels: int | None = None) -> Checkpoint:
    """Find the model that a string names, without loading its weights or asking a server.

    Args:
        spec: ``nano``, a folder, a hub id (``owner/name`` or ``owner/name@revision``), ``vllm:`` before one
            of them, or ``http://HOST:PORT/v1#NAME``.
        family: name of the family, where the checkpoint does not tell or another is wanted.
        max_pixels: upper bound on the area of an image, instead of the family's.

    Raises:
        ModelError: with one clear line.
    """
    if spec.startswith(("http://", "https://")):
        found = _on_server(spec, family)
    else:
        found = _in_process(spec, family)
    if max_pixels is None:
        return found
    return replace(found, family=found.family.with_max_pixels(max_pixels))


def resolve_here(spec: str, what: str) -> Checkpoint:
    """The model that a string names, for what needs its hidden states in this process.

    Args:
        spec: as of ``resolve``.
        what: needs it so, with its verb: ``number heads need``.

    Raises:
        ModelError: for a server or vLLM, which give none; else as ``resolve``.
    """
    if spec.startswith(("http://", "https://", "vllm:")):
        raise ModelError(
            f"{spec} is run elsewhere; {what} a checkpoint in this process: a folder or a hub id"
        )
    return resolve(spec)


def _on_server(spec: str, family: str | None) -> Checkpoint:
    url, _, served = spec.partition("#")
    known = family_named(family) if family else family_in(served)
    if known is None:
        raise ModelError(
            f"the family of {served or spec!r} does not show in its name; give --family "
            f"({', '.join(FAMILIES)})"
        )
    return Checkpoint(spec, "http", known, url=url, served=served or None)


def _in_process(spec: str, family: str | None) -> Checkpoint:
    name = spec.removeprefix("vllm:")
    runner: Runner = "transformers" if name == spec else "vllm"
    folder, revision = _folder(name)
    adapter = None
    kind = next((each for each in (ADAPTER, SCALED_ADAPTER) if (folder / each).is_file()), None)
    if kind is not None and not (folder / "config.json").is_file():
        adapter, name = folder, _base_of(folder, kind)
        if runner == "vllm" and kind == SCALED_ADAPTER:
            raise ModelError(
                f"{folder} is an adapter that depends on the scale; for vLLM bake it at some scales: "
                "rscovlm export RUN --gsd 0.3,1,10"
            )
        folder, revision = _folder(name)
    known = family_of(folder, name)
    if family is not None:
        # The bounds of this very checkpoint, the words of the named family.
        known = replace(family_named(family), resolution=known.resolution)
    return Checkpoint(spec, runner, known, folder=folder, revision=revision, adapter=adapter)


def _base_of(adapter: Path, kind: str) -> str:
    """The model that a LoRA adapter lies over: a folder, beside it too, or a hub id.

    Raises:
        ModelError: where the adapter does not say.
    """
    base = (read_sidecar(adapter, kind) or {}).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(f"{adapter / kind} names no base model (base_model_name_or_path)")
    beside = adapter / base
    return str(beside) if not Path(base).is_absolute() and beside.is_dir() else base


def _folder(name: str) -> tuple[Path, str | None]:
    """The folder of a checkpoint and its revision: the shipped one, a local one, or one of the hub."""
    if name == "nano":
        if not (NANO_FOLDER / "model.safetensors").is_file():
            raise ModelError(
                f"nano's weights are missing from {NANO_FOLDER}; reinstall rscovlm or give --model"
            )
        return NANO_FOLDER, None
    if Path(name).is_dir():
        return Path(name), None
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(
            f"model {name!r} is neither a folder nor known; "
            "give nano, a checkpoint folder, a hub id, vllm:PATH or http://HOST:PORT/v1#NAME"
        )
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(repository, revision=revision or None, allow_patterns=_HUB_FILES)
    except Exception as error:  # the hub's client raises errors of many libraries
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"model {name!r} is not a local folder and the hub does not give it: {reason}"
        ) from error
    return Path(folder), revision or None
