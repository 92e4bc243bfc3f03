"""Zoom dialects: the exact words in which a family of models asks for a closer look and receives it.

A dialect is a value, used by inference and by the builders of training data alike, so that what a
model was taught and what it is shown later cannot drift apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.text.coordinates import PERMILLE, PIXELS, CoordinateSpace
from zoom_chain.chat import Conversation, ImagePart, Part, Picture

Frame = Literal["latest", "original"]


@dataclass(frozen=True)
class ZoomDialect:
    """The wire format of one family's zoom tool.

    Attributes:
        name: how configs and checkpoints refer to the dialect.
        tool_name: the function that the model calls; "" where a call is its arguments alone.
        box_key: the argument that holds the box (x1, y1, x2, y2).
        space: the units in which the box is written.
        frame: the image that the box refers to: the ``latest`` one shown, or the ``original``
            overview however often the model has zoomed. A call with an image index overrides it.
        system_prompt: the system turn that offers the tool.
        user_suffix: text that follows the question when the tool is offered.
        crop_before: text that precedes the crop in the user turn that returns it; may be empty. ``{i}`` in it
            stands for the number of the crop from 1, ``{previous}`` for one less, ``{width}`` and
            ``{height}`` for the size of the crop in pixels.
        crop_text: text that follows it there, likewise.
        error_text: the user turn about a request that was not carried out, with ``{reason}`` in it.
        final_text: the user turn that withdraws the tool and asks for the answer.
        multiline_call: whether line breaks separate the call's tags from its JSON.
        takes_label: whether a call names what it looks for.
        takes_image_index: whether a call may say which of the images shown its box is in.
        writes_image_index: whether training data say so in each call.
        image_key: the argument that says so.
        image_base: number of the first image.
        image_names: names of images instead of numbers: the first one's, and that of crop ``{i}``.
        call_open, call_close: tags around a call.
        calls_until_seen: whether the model was taught to call the tool until it sees what it needs, and to
            answer then, so that the probability of a call tells whether a view shows that. Others are asked.
        stop: strings at which generation ends, since what would follow is for the program to say.
    """

    name: str
    tool_name: str
    box_key: str
    space: CoordinateSpace
    frame: Frame
    system_prompt: str
    user_suffix: str = ""
    crop_before: str = ""
    crop_text: str = ""
    error_text: str = "The zoom request was not carried out: {reason}"
    final_text: str = "No further zooming is possible. Answer the question now from the images above."
    multiline_call: bool = True
    takes_label: bool = False
    takes_image_index: bool = False
    writes_image_index: bool = False
    image_key: str = "img_idx"
    image_base: int = 0
    image_names: tuple[str, str] | None = None
    call_open: str = "<tool_call>"
    call_close: str = "</tool_call>"
    calls_until_seen: bool = False
    stop: tuple[str, ...] = ("<tool_response>",)

    @property
    def announcement(self) -> str:
        """Words with which a crop returns, up to what differs from crop to crop; "" where there are few."""
        words = (self.crop_before or self.crop_text).partition("{")[0].strip()
        return words if len(words) >= 12 else ""

    @property
    def steps(self) -> float | None:
        """Units along a side of an image, as exactly as boxes are written; None where they are pixels."""
        return 1000.0 if self.space.extent == 1 else self.space.extent

    def image_named(self, name: str) -> int | None:
        """The index of an image by its name; None where the dialect has no such name."""
        if self.image_names is None:
            return None
        first, other = self.image_names
        pattern = re.escape(other).replace(re.escape("{i}"), r"(\d{1,4})")
        crop = re.fullmatch(pattern, name.strip())
        return 0 if name.strip() == first else int(crop[1]) if crop else None

    def space_of(self, numbers: Iterable[float]) -> CoordinateSpace:
        """The units of a box: in a 0-1 space numbers above 1 are pixels, as published for such formats."""
        return PIXELS if self.space.extent == 1 and max(numbers) > 1.5 else self.space

    def opening(self, image: Picture | NDArray[np.uint8], question: str, zoom: bool) -> Conversation:
        """The conversation up to the model's first turn; without ``zoom`` no tool is mentioned."""
        if not zoom:
            return Conversation().say("user", _part(image), question)
        offered = Conversation().say("system", self.system_prompt)
        return offered.say("user", _part(image), question + self.user_suffix)

    def crop_turn(self, conversation: Conversation, image: Picture | NDArray[np.uint8]) -> Conversation:
        """The crop, returned in a user turn: chat templates and servers reject images in tool turns."""
        picture = _part(image)
        words = {"{i}": str(len(conversation.images)), "{previous}": str(len(conversation.images) - 1)}
        if not isinstance(picture, str):
            words |= {"{width}": str(picture.size.width), "{height}": str(picture.size.height)}
        content = (_filled(self.crop_before, words), picture, _filled(self.crop_text, words))
        return conversation.say("user", *(part for part in content if part != ""))

    def error_turn(self, conversation: Conversation, reason: str) -> Conversation:
        """A user turn that tells the model why its request was not carried out."""
        return conversation.say("user", self.error_text.replace("{reason}", reason))

    def final_turn(self, conversation: Conversation) -> Conversation:
        """A user turn that withdraws the tool and asks for the answer."""
        return conversation.say("user", self.final_text)

    def render_call(
        self,
        box_pixels: Iterable[float],
        width: int,
        height: int,
        label: str = "",
        image_index: int = 0,
    ) -> str:
        """The assistant text that asks for a box.

        Args:
            box_pixels: x1, y1, x2, y2 in pixels of the image that ``frame`` refers to; written
                as the nearest whole numbers inside that image.
            width: image width in pixels.
            height: image height in pixels.
            label: object that is looked for; written only where the dialect takes labels.
            image_index: index of the image that the box is in; written only where the dialect writes it.
        """
        corners = np.fromiter(box_pixels, dtype=np.float64, count=4).reshape(2, 2)
        far_edge = (width, height) if self.space.extent is None else (self.space.extent, self.space.extent)
        digits = 3 if self.space.extent == 1 else 0
        exact = self.space.from_pixels(corners, width, height)
        written = np.clip(np.round(exact, digits), 0, far_edge).ravel().tolist()
        arguments: dict[str, object] = {self.box_key: written if digits else [int(each) for each in written]}
        if self.takes_label:
            arguments["label"] = label
        if self.writes_image_index:
            arguments[self.image_key] = self.image_reference(image_index)
        value = {"name": self.tool_name, "arguments": arguments} if self.tool_name else arguments
        call = json.dumps(value, ensure_ascii=False)
        line_break = "\n" if self.multiline_call else ""
        return f"{self.call_open}{line_break}{call}{line_break}{self.call_close}"

    def image_reference(self, index: int) -> int | str:
        """How a call refers to an image, from 0."""
        if self.image_names is None:
            return index + self.image_base
        return self.image_names[1].replace("{i}", str(index)) if index else self.image_names[0]

    def describe_box(self, width: int, height: int) -> str:
        """Description of a valid box, in words for a model; sizes in pixels of the image shown."""
        if self.space.extent is None:
            limits = f"x from 0 to {width} and y from 0 to {height}"
        else:
            limits = f"x and y from 0 to {self.space.extent:g}"
        return f'"{self.box_key}": [x1, y1, x2, y2] with {limits}, x1 < x2 and y1 < y2'


def _filled(text: str, words: Mapping[str, str]) -> str:
    for place, word in words.items():
        text = text.replace(place, word)
    return text


def _part(image: Part | NDArray[np.uint8]) -> Part:
    return ImagePart(image) if isinstance(image, np.ndarray) else image


def _tool_block(schema: str) -> str:
    """The system turn into which Qwen's chat templates render a tool (Qwen2.5, Qwen3 and their VL models)."""
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n"
        f"<tools>\n{schema}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n"
        '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    )


RSCOVLM = ZoomDialect(
    name="rscovlm",
    tool_name="image_zoom_in",
    box_key="bbox",
    space=PIXELS,
    frame="latest",
    # The published checkpoints were tuned on these bytes. The parameter block is no valid JSON Schema;
    # correcting it would prompt the model with something that it has never seen.
    system_prompt=_tool_block(
        '{"type": "function", "function": {"name": "image_zoom_in", "description": "Zoom in to the region of '
        "interest on the given image. Input the bounding box of the region of interest and return the "
        'zoomed-in image to help to focus and view more clearly.", "parameters": {"name": "bbox", "type": '
        '"list[int]", "description": "The bounding box of the region of interest as an array '
        "[x1, y1, x2, y2], where (x1, y1) and (x2, y2) indicate the positions' absolute coordinates of the "
        'left top and right down corners, respectively.", "required": true}}}'
    ),
    user_suffix="\nZoom in to the region of interest and answer the question.",
    crop_text="Here's the zoomed-in image. You can complete your task now.",
)
"""RSCoVLM's ``image_zoom_in``: ``bbox`` in absolute pixels of the resized image shown last."""


def _qwen3_tool(what: str, box: str, label: str, index: str, required: Iterable[str]) -> str:
    """The system turn that offers Qwen3-VL's ``image_zoom_in_tool``, in the words given."""
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    parameters = {
        "type": "object",
        "properties": {
            "bbox_2d": {**numbers, "description": box},
            "label": {"type": "string", "description": label},
            "img_idx": {"type": "number", "description": index},
        },
        "required": list(required),
    }
    function = {"name": "image_zoom_in_tool", "description": what, "parameters": parameters}
    return _tool_block(json.dumps({"type": "function", "function": function}, ensure_ascii=False))


QWEN3_VL = ZoomDialect(
    name="qwen3-vl",
    tool_name="image_zoom_in_tool",
    box_key="bbox_2d",
    space=PERMILLE,
    frame="original",
    # As Qwen-Agent declares it (qwen_agent/tools/image_zoom_in_qwen3vl.py).
    system_prompt=_qwen3_tool(
        "Zoom in on a specific region of an image by cropping it based on a bounding box (bbox) and an "
        "optional object label",
        "The bounding box of the region to zoom in, as [x1, y1, x2, y2], where (x1, y1) is the top-left "
        "corner and (x2, y2) is the bottom-right corner",
        "The name or label of the object in the specified bounding box",
        "The index of the zoomed-in image (starting from 0)",
        ("bbox_2d", "label", "img_idx"),
    ),
    crop_before="<tool_response>\n",
    crop_text="\n</tool_response>",
    error_text="<tool_response>\nTool Execution Error {reason}\n</tool_response>",
    takes_label=True,
    takes_image_index=True,
    writes_image_index=True,
)
"""Qwen3-VL's ``image_zoom_in_tool``: ``bbox_2d`` in 0-1000 of the original image, or of image ``img_idx``.

As published: the crop returns in a user turn between ``<tool_response>`` tags (Qwen-Agent's
``nous_fncall_prompt``)."""

QWEN3_VL_PLAIN = replace(
    QWEN3_VL,
    name="qwen3-vl-plain",
    system_prompt=_qwen3_tool(
        "Look closer at a part of an image; the part is returned enlarged.",
        "The part to enlarge as [x1, y1, x2, y2], top-left and bottom-right corner, in relative coordinates "
        "from 0 to 1000",
        "What is looked for there",
        "Index of the image that bbox_2d refers to, from 0 in the order shown; the original image (0) when "
        "left out",
        ("bbox_2d", "label"),
    ),
    crop_before="",
    crop_text="This is the enlarged part.",
    error_text=ZoomDialect.error_text,
    writes_image_index=False,
)
"""Qwen3-VL's call in words that state its coordinates, for models that never saw the published words."""

NANO = ZoomDialect(
    name="nano",
    tool_name="image_zoom_in_tool",
    box_key="bbox_2d",
    space=PERMILLE,
    frame="latest",
    system_prompt="You can zoom in.",
    final_text="Answer now.",
    multiline_call=False,
    calls_until_seen=True,
)
"""The embedded small model: Qwen3-VL's call with few tokens around it, 0-1000 of the image shown last."""

DIALECTS = {dialect.name: dialect for dialect in (RSCOVLM, QWEN3_VL, QWEN3_VL_PLAIN, NANO)}
