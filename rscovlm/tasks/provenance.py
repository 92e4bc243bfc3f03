"""Provenance of a result: program, model and words, for output files and journals."""

from __future__ import annotations

import hashlib
from importlib import metadata


def version() -> str:
    """Version of this package, as installed."""
    try:
        return metadata.version("rscovlm")
    except metadata.PackageNotFoundError:
        return "unknown"


def text_hash(text: str) -> str:
    """A short fingerprint of a text (SHA-256, 16 hexadecimal digits)."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
