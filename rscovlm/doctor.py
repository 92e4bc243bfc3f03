"""``rscovlm doctor``: versions, the device, accelerated parts in use, and reasons for those that are not."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata, util
from typing import Literal

from detection_eval.words import counted
from rscovlm.errors import ModelError

State = Literal["ok", "in use", "available", "not in use", "missing"]

_REQUIRED = ("numpy", "shapely", "rasterio", "torch", "transformers", "tokenizers", "safetensors", "httpx")


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        name: of the part.
        state: ``ok`` and ``missing`` for what has to be there; ``in use``, ``available`` (used where a
            command asks for it) and ``not in use`` for what makes things faster.
        detail: version, or why it is not in use and what would change that.
    """

    name: str
    state: State
    detail: str


def diagnose(model: str | None = None, dtype: str | None = None) -> list[Row]:
    """Look at this machine and environment; loads torch, opens no network.

    Args:
        model: whose memory is estimated, without loading it; None for none.
        dtype: in which it would run; None for the usual one.

    Raises:
        ModelError: for a model that is not there, or on a server.
    """
    return [*_environment(), *([] if model is None else memory_rows(model, dtype))]


def memory_rows(model: str, dtype: str | None = None) -> list[Row]:
    """The memory that a model takes in process, and whether its libraries are there.

    Raises:
        ModelError: for a model that is not there, or on a server.
    """
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.memory import estimate, lines
    from rscovlm.models.weights import check_quantization

    found = resolve(model)
    folder = found.local
    name = running_dtype(dtype)
    memory = estimate(folder, found.family.resolution, name)
    rows = [Row("model", "ok", f"{model}, family {found.family.name}, in {name}")]
    rows += [Row(f"  {part}", "ok", words) for part, words in lines(memory)]
    try:
        check_quantization(folder)
    except ModelError as error:
        rows.append(Row("  quantised", "missing", str(error)))
    return rows


def running_dtype(dtype: str | None) -> str:
    """The precision in which a model in process runs, by name.

    Raises:
        ModelError: for an unknown one.
    """
    import torch

    from rscovlm.models.weights import best_device, default_dtype, dtype_named

    precision = default_dtype(torch.device(best_device())) if dtype is None else dtype_named(dtype)
    return str(precision).removeprefix("torch.")


def _environment() -> list[Row]:
    rows = [
        Row("rscovlm", "ok", _version("rscovlm") or "run from a source tree, not installed"),
        Row("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(_required(name) for name in _REQUIRED),
        _gdal(),
    ]
    if _version("torch") is None or _version("transformers") is None:
        return rows
    return [*rows, *_device(), _flash_attention(), _liger(), *_extras(), _nano()]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _required(package: str) -> Row:
    version = _version(package)
    if version is None:
        return Row(package, "missing", f"reinstall rscovlm, or pip install {package}")
    return Row(package, "ok", version)


def _gdal() -> Row:
    """GDAL is bundled with rasterio; its drivers decide what can be opened."""
    if _version("rasterio") is None:
        return Row("gdal", "missing", "comes with rasterio")
    import rasterio
    from rasterio.drivers import raster_driver_extensions

    return Row(
        "gdal", "ok", f"{rasterio.__gdal_version__}, {len(raster_driver_extensions())} raster suffixes"
    )


def _device() -> list[Row]:
    import torch

    from rscovlm.models.weights import best_device, default_dtype

    device = torch.device(best_device())
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        count = torch.cuda.device_count()
        detail = f"cuda: {count} x {torch.cuda.get_device_name(device)}, {memory:.0f} GiB each"
    elif device.type == "mps":
        detail = "mps: Apple GPU; no CUDA device"
    else:
        cuda = "this torch was built without CUDA" if torch.version.cuda is None else "no CUDA device found"
        cores, threads = counted(os.cpu_count() or 1, "core"), counted(torch.get_num_threads(), "thread")
        detail = f"cpu: {cores}, {threads}; {cuda}"
    dtype = str(default_dtype(device)).removeprefix("torch.")
    return [Row("device", "ok", detail), Row("dtype", "ok", f"{dtype} on {device.type}")]


def _flash_attention() -> Row:
    import torch

    from rscovlm.models.weights import attention_for, best_device, default_dtype

    device = torch.device(best_device())
    attention, reason = attention_for(device, default_dtype(device))
    if attention == "flash_attention_2":
        return Row("flash-attn", "in use", f"{_version('flash-attn')}; attention is {attention}")
    return Row("flash-attn", "not in use", f"{reason}; attention is {attention}")


def _liger() -> Row:
    """Fused kernels for training; Triton has to have a device to compile for."""
    import torch

    version = _version("liger-kernel")
    if version is None:
        return Row("liger-kernel", "not in use", "not installed (extra: liger); it only serves training")
    if not torch.cuda.is_available():
        return Row("liger-kernel", "not in use", f"{version} is installed; its kernels need a CUDA device")
    return Row("liger-kernel", "available", f"{version}, for training")


def _extras() -> list[Row]:
    """Packages that are used only where something asks for them."""
    return [
        _optional("vllm", "for --model vllm:PATH; not installed (extra: vllm)"),
        _optional("deepspeed", "for training on several devices; not installed (extra: train)"),
        _optional("torchvision", "not installed, and not needed: images are cut into patches here"),
    ]


def _optional(package: str, absent: str) -> Row:
    version = _version(package)
    if version is None or util.find_spec(package) is None:
        return Row(package, "not in use", absent)
    if package == "torchvision":
        return Row(package, "not in use", f"{version} is installed, but not needed")
    return Row(package, "available", version)


def _nano() -> Row:
    from rscovlm.models.checkpoints import NANO_FOLDER

    weights = NANO_FOLDER / "model.safetensors"
    if not weights.is_file():
        return Row("nano", "missing", f"no weights in {NANO_FOLDER}; reinstall rscovlm")
    return Row("nano", "ok", f"{weights.stat().st_size / 2**20:.1f} MiB of weights")
