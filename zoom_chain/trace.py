"""Trace: everything that was shown, said and spent while one question was answered; JSON both ways."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import (
    Base64Bytes,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from configs.checking import problems, told
from tiling.bounds import Bounds, lonlat_bounds, map_bounds
from tiling.focus import Axis, FocusedView
from tiling.gsd import Gsd, gsd_of_view
from tiling.view import UPRIGHT, Orientation, Size, View, Window
from zoom_chain.errors import TraceError

if TYPE_CHECKING:
    from tiling.scene import Scene

SCHEMA = "rscovlm.zoom-trace/3"
"""Written into each trace; a reader refuses another number after the slash."""

THUMBNAIL_SIDE = 640
"""Longer side of a thumbnail in px; smaller views are kept at their own size."""


def _read_size(value: Any) -> Any:
    """A size from JSON, ``{"width":, "height":}``."""
    if not isinstance(value, Mapping):
        return value
    if set(value) != {"width", "height"}:
        raise ValueError(f"a size has a width and a height, not {sorted(value)}")
    return Size(value["height"], value["width"])


JsonSize = Annotated[Size, BeforeValidator(_read_size), PlainSerializer(Size.to_json)]


class _ViewJson(TypedDict):
    window: Window
    size: JsonSize
    orientation: NotRequired[Annotated[Orientation, PlainSerializer(Orientation._asdict)]]


def _view_json(view: View) -> _ViewJson:
    """A view as JSON; the orientation is left out where the view lies as the scene does."""
    plain = _ViewJson(window=view.window, size=view.size)
    return plain if view.orientation == UPRIGHT else {**plain, "orientation": view.orientation}


JsonView = Annotated[
    View,
    BeforeValidator(lambda value: View(**_adapter(_ViewJson).validate_python(value))),
    PlainSerializer(lambda view: _adapter(_ViewJson).dump_python(_view_json(view))),
]


@dataclass(frozen=True)
class ViewRecord:
    """One image that the model was shown.

    Attributes:
        view: the window of the scene and the size at which it was shown.
        gsd_m: metres per pixel of the view, None where unknown; how it is known is told of the scene.
        magnification: view pixels per scene pixel over those of the overview; 1 for the overview.
        gain: how many times finer it resolves the source than what was shown of that place before; 1 where
            only the pixels were enlarged.
        visual_tokens: tokens that the image takes in the prompt.
        map_bounds: west, south, east, north in the scene's CRS; None without georeference.
        lonlat_bounds: the same in WGS84 degrees; west is above east where the antimeridian is crossed.
        thumbnail: PNG file; empty where no picture was kept.
        parent: index of the view that it was chosen in; None for the first.
        score: what it is ranked by, where a policy ranks views: the probability in [0, 1] that it shows what
            the question is about, or a similarity.
        focus: of a view in which a region is enlarged and the rest compressed: its x and y axis; ``view`` is
            then the even view of the same size.
    """

    view: JsonView
    gsd_m: float | None
    magnification: float
    gain: float
    visual_tokens: int
    map_bounds: Bounds | None
    lonlat_bounds: Bounds | None
    thumbnail: Base64Bytes
    parent: int | None = None
    score: float | None = None
    focus: tuple[Axis, Axis] | None = None

    @property
    def ranked(self) -> bool:
        """Whether a policy ranked it."""
        return self.score is not None

    @property
    def frame(self) -> View | FocusedView:
        """The view as it was shown."""
        return self.view if self.focus is None else FocusedView(self.view, *self.focus)

    @property
    def closer(self) -> Window:
        """The part of the scene that is shown closest: all of it, of a focused view its region."""
        frame = self.frame
        return frame.finest.window if isinstance(frame, FocusedView) else frame.window


@dataclass(frozen=True)
class RequestRecord:
    """A zoom that the model asked for.

    Attributes:
        frame: index of the view that the box was drawn in.
        box: x1, y1, x2, y2 as fractions of that view.
        label: object that the model looks for, or "".
        window: the part of the scene asked for, before margin; None where there is none.
        notes: irregularities of the request and how they were mended.
    """

    frame: int
    box: Bounds
    label: str
    window: Window | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReplyRecord:
    """One reply of the model and what came of it.

    Attributes:
        reply: the text, unmodified.
        words: text beside a call.
        request: the zoom asked for, where the reply holds a readable one.
        refusal: why the zoom was not carried out, as the model was told; None where it was, or none asked.
        shown: indices of the views that the request led to.
        final: whether the tool had been withdrawn before this reply.
        told: what the model was told since its reply before, without pictures.
        about: indices of the views that it was shown since its reply before.
        prompt_tokens: tokens of the whole prompt.
        prefilled_tokens: those computed for this turn; None where unknown.
        completion_tokens: generated tokens.
        seconds: wall-clock time of the batch that the reply was part of.
        score: of a reply that judges a view: the score that its probabilities give the view.
        confidence: of an answer that a search may choose: the geometric mean of its tokens' probabilities.
    """

    reply: str
    words: str
    request: RequestRecord | None = None
    refusal: str | None = None
    shown: tuple[int, ...] = ()
    final: bool = False
    told: str = ""
    about: tuple[int, ...] = ()
    prompt_tokens: int = 0
    prefilled_tokens: int | None = None
    completion_tokens: int = 0
    seconds: float = 0.0
    score: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class EvidenceRecord:
    """An object that an answer counts: where it is, and the one view that it was counted in.

    Attributes:
        label: class.
        polygon: its four corners (x, y) in scene pixels.
        view: index of the view whose part of the scene owns it.
        lonlat: longitude and latitude of its centre in degrees; None without georeference.
        score: None where the model states no confidence.
    """

    label: str
    polygon: tuple[tuple[float, float], ...]
    view: int
    lonlat: tuple[float, float] | None = None
    score: float | None = None


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class Trace:
    """The evidence behind one answer.

    Attributes:
        question: question as the user put it.
        answer: answer of the model, or "".
        stop_reason: why the chain ended; see ``zoom_chain.effects.StopReason``.
        error: one line where something failed, else None.
        scene: facts about the scene: source, identity, width, height, crs, gsd_m, and as gsd its interval and
            source (``tiling.gsd.Gsd``).
        settings: facts about the run: model, dialect, policy, tool_offered, budget, crops; where another
            policy answered than the one named, ``chosen`` and ``why``.
        views: images in the order shown; the first is the overview.
        turns: replies in order.
        seconds: from the first look to the end.
        evidence: the objects that the answer counts, each once.
        notes: what a reader has to know of the answer, a line each.
    """

    question: str
    answer: str
    stop_reason: str
    error: str | None
    scene: Mapping[str, Any]
    settings: Mapping[str, Any]
    views: tuple[ViewRecord, ...]
    turns: tuple[ReplyRecord, ...]
    seconds: float
    evidence: tuple[EvidenceRecord, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def visual_tokens(self) -> int:
        """Visual tokens of all images shown."""
        return sum(view.visual_tokens for view in self.views)

    def merit(self, turn: ReplyRecord) -> float | None:
        """The confidence of an answer times the score of its view, by which a search chooses."""
        if turn.confidence is None or not turn.about:
            return None
        score = self.views[turn.about[-1]].score
        return None if score is None else turn.confidence * score

    @property
    def chosen_answer(self) -> ReplyRecord | None:
        """The reply that a search chose; None where the answer came of no such choice."""
        best = max(self.turns, key=lambda turn: self.merit(turn) or -1.0, default=None)
        chosen = best is not None and self.merit(best) is not None and best.words == self.answer
        return best if chosen else None

    def to_json(self) -> str:
        """This trace as one JSON object."""
        plain = _adapter(Trace).dump_python(self, mode="json")
        return json.dumps({"schema": SCHEMA, **plain}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """The trace that ``to_json`` wrote.

        Raises:
            TraceError: the text is not a trace of this schema.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise TraceError(f"a trace is JSON: {error}") from None
        schema = data.pop("schema", None) if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise TraceError(f"trace has schema {schema!r}; this version reads {SCHEMA!r}")
        try:
            trace: Trace = _adapter(Trace).validate_python(data)
        except ValidationError as error:
            wrong = told(problems(error, Trace), "")
            raise TraceError(f"trace does not have the fields of {SCHEMA}: {wrong}") from None
        return trace


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made when it is first used: building one takes longer than reading a trace."""
    return TypeAdapter(kind)


def record_view(
    scene: Scene,
    gsd: Gsd,
    view: View | FocusedView,
    pixels: NDArray[np.uint8],
    overview: View,
    gain: float,
    visual_tokens: int,
    thumbnail_side: int = THUMBNAIL_SIDE,
) -> ViewRecord:
    """The record of a view as it is shown, with its place on the map where the scene has one.

    Ground sampling distance and magnification of a focused view are those of its region. With
    ``thumbnail_side`` 0 no picture is kept.
    """
    even, finest = (view.base, view.finest) if isinstance(view, FocusedView) else (view, view)
    return ViewRecord(
        view=even,
        gsd_m=gsd_of_view(scene, finest, gsd).metres,
        magnification=finest.magnification_over(overview),
        gain=gain,
        visual_tokens=visual_tokens,
        map_bounds=map_bounds(scene, view.window),
        lonlat_bounds=lonlat_bounds(scene, view.window),
        thumbnail=thumbnail_png(pixels, thumbnail_side) if thumbnail_side else b"",
        focus=(view.columns, view.rows) if isinstance(view, FocusedView) else None,
    )


def thumbnail_png(pixels: NDArray[np.uint8], side: int = THUMBNAIL_SIDE) -> bytes:
    """A PNG of (height, width, 3) pixels whose longer side is at most ``side``."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=3)  # as small as the default, in half the time
    return buffer.getvalue()
