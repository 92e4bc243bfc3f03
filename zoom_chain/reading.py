"""Views that questions wait for: read by threads, recorded, charged; an overview once for all of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from tiling.errors import SceneError
from tiling.focus import FocusedView, read_focused
from zoom_chain.chat import ImagePart, Picture, PngPart
from zoom_chain.effects import Look, Outcome, Showing, Sight
from zoom_chain.jobs import Job
from zoom_chain.session import Session
from zoom_chain.trace import ViewRecord, record_view

_OVERVIEWS = 4


class Views:
    """Reads what questions look at; may be used from several threads.

    Args:
        pool: threads that read.
        thumbnails: whether records of views hold pictures, for a page.
        as_files: whether pictures are kept as files, in less memory than their pixels.
    """

    def __init__(self, pool: ThreadPoolExecutor, *, thumbnails: bool, as_files: bool) -> None:
        self._pool, self._thumbnails, self._files = pool, thumbnails, as_files
        self._overviews: OrderedDict[tuple[int, Showing], Future[_Seen | SceneError]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, job: Job) -> list[Future[_Seen | SceneError]]:
        """Begin to read the views that a question waits for."""
        look, session = job.wanted, job.session
        assert isinstance(look, Look)
        side = look.thumbnail_side if self._thumbnails else 0

        def begin(showing: Showing) -> Future[_Seen | SceneError]:
            return self._pool.submit(_see, session, showing, side, self._files)

        if not look.overview:
            return [begin(showing) for showing in look.showings]
        futures = []
        with self._lock:
            for showing in look.showings:
                key = id(session.scene), showing
                if key not in self._overviews:
                    self._overviews[key] = begin(showing)
                    while len(self._overviews) > _OVERVIEWS:
                        self._overviews.popitem(last=False)
                futures.append(self._overviews[key])
        return futures

    def show(self, job: Job, seen: Sequence[_Seen | SceneError]) -> None:
        """Record what was read, charge it, and tell the policy."""
        look, session = job.wanted, job.session
        assert isinstance(look, Look)
        sights = []
        for each in seen:
            if isinstance(each, SceneError):
                if look.overview:
                    job.end(Outcome("error", error=str(each)))
                    return
                sights.append(Sight(None, None, str(each)))
            elif not (each.valid or look.overview):
                sights.append(Sight(None, None))
            else:
                record = replace(each.record, visual_tokens=0) if look.unseen else each.record
                session.views.append(record)
                if not look.unseen:
                    _charge_view(session, record, judged=look.judged)
                sights.append(Sight(len(session.views) - 1, each.image))
                if look.overview:
                    job.overview = each.image
        job.give(tuple(sights))


@dataclass(frozen=True)
class _Seen:
    """A view that was read."""

    image: Picture
    record: ViewRecord
    valid: bool


def _see(session: Session, showing: Showing, thumbnail_side: int, as_file: bool) -> _Seen | SceneError:
    """A view, read and recorded; the error of a file is a value, since it may concern this view alone."""
    scene, view = session.scene, showing.view
    try:
        if isinstance(view, FocusedView):
            pixels, mask = read_focused(scene, view)
        else:
            raster = scene.read(view)
            pixels, mask = raster.pixels, raster.mask
    except SceneError as error:
        return error
    even = view.base if isinstance(view, FocusedView) else view
    record = record_view(
        scene,
        session.gsd,
        view,
        pixels,
        session.shown[0] if session.shown else even,
        showing.gain,
        session.resolution.tokens(view.size),
        thumbnail_side,
    )
    image = ImagePart(pixels, gsd_m=record.gsd_m)
    return _Seen(
        PngPart.of(image) if as_file and image.is_rgb else image,
        replace(record, parent=showing.parent, score=showing.score),
        bool(mask.any()),
    )


def _charge_view(session: Session, record: ViewRecord, *, judged: bool) -> None:
    spending, size = session.spending, record.view.size
    spending.views += 1
    spending.judged += judged
    spending.pixels += size.height * size.width
    spending.visual_tokens += record.visual_tokens
