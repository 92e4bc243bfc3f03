"""Files are opened without the warnings of libraries about what this package expects or tells itself."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

_EXPECTED = (NotGeoreferencedWarning, Image.DecompressionBombWarning)
"""A picture may have no place on the map, and scenes are large."""

_lock = threading.Lock()
_inside = 0
_outside: warnings.catch_warnings[None] | None = None


@contextmanager
def unwarned() -> Iterator[None]:
    """Open, read or write files without warnings that they have no place, or very many pixels.

    Threads may be in here at the same time, which ``warnings.catch_warnings`` does not allow: what held
    before the first one came holds again when the last one has left.
    """
    global _inside, _outside
    with _lock:
        if not _inside:
            _outside = warnings.catch_warnings()
            _outside.__enter__()
            for category in _EXPECTED:
                warnings.simplefilter("ignore", category)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _outside is not None:
                _outside.__exit__(None, None, None)
