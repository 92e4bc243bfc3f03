"""Handles to a raster file, lent to one thread at a time, and what GDAL says of files in scene errors."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import rasterio
from affine import AffineError
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from tiling.containers import hint
from tiling.errors import EmptyScene, SceneError, SceneNotFound, SceneUnreadable
from tiling.unwarned import unwarned

GDAL_OPTIONS = {
    # Bytes of decoded blocks that GDAL keeps for all scenes together; its own default grows with the machine.
    "GDAL_CACHEMAX": 64 * 2**20,
    # Read whole, a PNG that is cut off would come out black below the cut, without an error.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,  # s
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,  # bytes/s, for as many seconds as
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
    "VSI_CACHE": True,
}

MOST_THREADS = 4
"""Threads that decode the blocks of one read, at most; several reads may run beside each other."""

_PARENT = os.getpid()

ABSENT = ("No such file or directory", "does not exist", "response code: 404")
"""Messages of GDAL about a missing file, archive member, object of a store or page."""
_CAUSES = (
    (("CURL error", "HTTP error code", "response code:"), ", its server cannot be reached or refuses"),
    (("not recognized as being in a supported file format",), ""),
    (ABSENT, ", a file that it names is missing"),
)
"""Messages of GDAL about a file that may well be whole, and what is to blame then."""

logging.getLogger("rasterio").addHandler(logging.NullHandler())  # else Python prints GDAL's log to stderr


class HandlePool:
    """Open handles to one file, each lent to one thread at a time; processes never share one.

    Args:
        source: a path or anything else that GDAL opens.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._idle: dict[int | None, list[rasterio.DatasetReader]] = {}
        self._owner = os.getpid()
        self._closed = False

    @contextlib.contextmanager
    def borrow(self, overview: int | None = None) -> Iterator[rasterio.DatasetReader]:
        """A handle to the stored pixels, or to one overview of them; GDAL's errors become scene errors.

        Raises:
            SceneError: where the file is missing, empty, not a raster, or corrupt.
        """
        with rasterio.Env(**GDAL_OPTIONS, GDAL_NUM_THREADS=decoding_threads()), self._explained():
            dataset = self._take(overview)
            try:
                yield dataset
            finally:
                self._give(overview, dataset)

    def _take(self, overview: int | None) -> rasterio.DatasetReader:
        with self._lock:
            if self._closed:
                raise SceneUnreadable(f"{self.source} is closed; read it inside its with block")
            if self._owner != os.getpid():
                # A forked child shares file positions with its parent: it leaves those handles alone.
                self._idle, self._owner = {}, os.getpid()
            idle = self._idle.setdefault(overview, [])
            if idle:
                return idle.pop()
            options = {} if overview is None else {"OVERVIEW_LEVEL": overview}
            with unwarned():
                return rasterio.open(self.source, **options)

    def _give(self, overview: int | None, dataset: rasterio.DatasetReader) -> None:
        with self._lock:
            if self._closed:
                dataset.close()
            else:
                self._idle[overview].append(dataset)

    def close(self) -> None:
        """Close what is idle now, and what is lent as it comes back."""
        with self._lock:
            self._closed = True
            for dataset in (handle for handles in self._idle.values() for handle in handles):
                dataset.close()
            self._idle.clear()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (RasterioError, CPLE_BaseError, AffineError, OSError) as error:
            raise self._explain(error) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if _is_own(error):
                raise
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> SceneError:
        path = Path(self.source)
        if path.is_file() and path.stat().st_size == 0:
            return EmptyScene(f"{self.source} is empty (0 bytes)")
        instead = hint(path)
        if instead is not None:
            return SceneUnreadable(instead)
        reason = " ".join(str(error.__cause__ or error).split())
        # A file that is there may still lack another that it names, as a VRT does its sources.
        if not path.exists() and any(phrase in reason for phrase in ABSENT):
            return SceneNotFound(f"{self.source} does not exist")
        return SceneUnreadable(f"{self.source} cannot be read{_blame(reason)}: {reason}")


def _blame(reason: str) -> str:
    """What is to blame for an error of GDAL's, where its words do not say so themselves."""
    known = (blame for phrases, blame in _CAUSES if any(phrase in reason for phrase in phrases))
    return next(known, ", it may be corrupt or cut off")


def file_identity(path: Path) -> str | None:
    """Place, size and time of change of a file, by which a resumed run knows it again; None for no file."""
    if not path.is_file():
        return None
    facts = path.stat()
    return f"{path.resolve()}|{facts.st_size} bytes|{facts.st_mtime_ns} ns"


def decoding_threads() -> int:
    """Threads in which GDAL decodes the blocks of one read: one a core, as the environment says, or one.

    A forked child inherits GDAL's pool of threads without the threads, and would wait for them for ever.
    """
    if os.getpid() != _PARENT:
        return 1
    stated = os.environ.get("GDAL_NUM_THREADS", "")
    return int(stated) if stated.isdigit() else min(MOST_THREADS, os.cpu_count() or 1)


def _is_own(error: Exception) -> bool:
    """Whether an error was raised by this package, and so is a defect of it, rather than below it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("tiling")
