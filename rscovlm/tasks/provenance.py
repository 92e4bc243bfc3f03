"""What made a result: program, model and words, for output files and journals."""

from __future__ import annotations

import hashlib
from importlib import metadata


def version() -> str:
    """Of this package, as installed."""
    try:
        return metadata.version("rscovlm")
    except metadata.PackageNotFoundError:
        return "unknown"


def text_hash(text: str) -> str:
    """A short fingerprint of a text (SHA-256, 16 hexadecimal digits)."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def weights_identity(spec: str) -> str:
    """What a journal knows a model by: its ``--model`` string, and the size and time of local weights.

    Raises:
        ModelError: for a checkpoint that is not there.
    """
    from rscovlm.engines import checkpoint_folder

    if spec.startswith(("http://", "https://")):
        return spec
    files = sorted(checkpoint_folder(spec.removeprefix("vllm:")).glob("*.safetensors"))
    facts = [(file.name, file.stat()) for file in files]
    return "|".join([spec, *(f"{name} {fact.st_size} bytes {fact.st_mtime_ns} ns" for name, fact in facts)])
