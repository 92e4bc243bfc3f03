"""Every choice is a pure function of what it is for, never of what was drawn before it."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for one purpose, such as ``generator(seed, source, index, visit, "size")``.

    The same arguments give the same numbers on any worker, rank, machine and after any resume.
    """
    text = "\x1f".join(f"{type(name).__name__}:{name}" for name in (seed, *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))
