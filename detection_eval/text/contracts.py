"""The contracts of model families by name: how each writes boxes, from its published code or card."""

from __future__ import annotations

from dataclasses import replace

from detection_eval.geometry.rotated import OC_V0
from detection_eval.text.contract import Angle, Contract, Json, Lines, Tagged, VertexForm
from detection_eval.text.coordinates import PERCENT, PERMILLE, PIXELS, UNIT, CoordinateSpace

BINS_1000 = CoordinateSpace("1000 bins", 1000.0)
"""Location tokens 0-999: Florence-2."""

BINS_1024 = CoordinateSpace("1024 bins", 1024.0)
"""Location tokens 0-1023: PaliGemma."""

PERMILLE_999 = CoordinateSpace("0-999", 999.0)
"""0-999 of the image's width and height: DeepSeek-VL2, GeoGround."""

_RSCOVLM_OPEN = "find all the visible remote sensing objects"


def _rscovlm(name: str, form: VertexForm, layout: str, domain: str, what: str) -> Contract:
    """RSCoVLM's plain contracts. Its weights expect this very system sentence."""
    return Contract(
        name,
        PIXELS,
        form,
        Lines(),
        open_user=_RSCOVLM_OPEN,
        system=f"As an AI assistant, you specialize in accurate {domain} detection, delivering coordinates "
        f"{what}in plain text format '{layout} object'.",
        angle=Angle() if form.has_angle else None,
    )


def _rscovlm_json(name: str, form: VertexForm, key: str, system: str | None) -> Contract:
    what = "" if form is VertexForm.HORIZONTAL else "oriented bbox "
    ask = f"Locate {{items}} in the image and output the {what}coordinates in JSON format."
    return Contract(
        name,
        PIXELS,
        form,
        Json(key),
        user=ask.format(items="every item from the category list") + " The category set includes {classes}.",
        open_user=ask.format(items="all the visible remote sensing objects"),
        system=system,
        angle=Angle() if form.has_angle else None,
    )


# as the weights were trained, spelling included
_RSCOVLM_JSON_SYSTEM = (
    "You are an AI assistant specializing in oriented object detection. Represent objects with"
)

_QWEN = Contract(
    "qwen3-vl",
    PERMILLE,
    VertexForm.HORIZONTAL,
    Json("bbox_2d"),
    # QwenLM/Qwen3-VL, evaluation/ODinW-13
    user="Locate every instance that belongs to the following categories: '{classes}'. "
    "Report bbox coordinates in JSON format.",
    open_user="Locate every object. Report bbox coordinates in JSON format.",
    empty="```json\n[]\n```",
)

_BRACKETS = Contract(
    "lhrs-bot",
    UNIT,
    VertexForm.HORIZONTAL,
    Tagged(box=("[", "]"), label=None),
    user="Where is the {classes}?",
    decimals=2,
)

_DETECT = "Detect the {classes}."

_ALL = (
    _rscovlm(
        "rscovlm-quad",
        VertexForm.QUAD,
        "x1,y1,x2,y2,x3,y3,x4,y4",
        "oriented object",
        "of the polygon vertices ",
    ),
    _rscovlm("rscovlm-obb", VertexForm.ROTATED, "x,y,w,h,a", "oriented object", ""),
    _rscovlm("rscovlm-hbb", VertexForm.HORIZONTAL, "x1,y1,x2,y2", "image object", ""),
    _rscovlm_json(
        "rscovlm-json-quad",
        VertexForm.QUAD,
        "quadrant bbox",
        _RSCOVLM_JSON_SYSTEM + " quadrant bbox: the corrdinates of each vertices of the oriented bounding "
        "boxes in clock-wise order.",
    ),
    _rscovlm_json(
        "rscovlm-json-obb",
        VertexForm.ROTATED,
        "oriented bbox",
        _RSCOVLM_JSON_SYSTEM.rstrip() + ": center (x,y), width (w), height (h), and rotation angle.",
    ),
    _rscovlm_json("rscovlm-json-hbb", VertexForm.HORIZONTAL, "bbox_2d", None),
    Contract("nano", PERMILLE, VertexForm.QUAD, Lines(label_first=True), user="find the {classes}."),
    replace(
        _QWEN,
        name="qwen2.5-vl",
        space=PIXELS,
        # QwenLM/Qwen2.5-VL, cookbooks/spatial_understanding
        user="Locate every item from the category list in the image and output the coordinates in JSON "
        "format. The category set includes {classes}.",
        open_user="Locate every object in the image and output the coordinates in JSON format.",
    ),
    _QWEN,
    Contract(
        "qwen2-vl",
        PERMILLE,
        VertexForm.HORIZONTAL,
        Tagged(
            joiner=",",
            pair=("(", ")"),
            box=("<|box_start|>", "<|box_end|>"),
            label=("<|object_ref_start|>", "<|object_ref_end|>"),
            grouped=False,
        ),
        user=_DETECT,
    ),
    Contract(
        "lmmrotate",
        BINS_1000,
        VertexForm.QUAD,
        Tagged(number="<loc_{}>", joiner="", box_joiner="", group_joiner="<sep>"),
        user="Use polygons to mark the location of each {classes} in the image.",
        binned=True,
    ),
    Contract(
        "florence-2",
        BINS_1000,
        VertexForm.HORIZONTAL,
        Tagged(number="<loc_{}>", joiner="", box_joiner=""),
        user="Locate the objects with category name {classes} in the image.",
        open_user="<OD>",
        binned=True,
    ),
    Contract(
        "internvl",
        PERMILLE,
        VertexForm.QUAD,
        Tagged(boxes=("<box>[", "]</box>"), box=("[", "]"), label=("<ref>", "</ref>")),
        user=_DETECT,
    ),
    Contract(
        "deepseek-vl2",
        PERMILLE_999,
        VertexForm.HORIZONTAL,
        Tagged(boxes=("<|det|>[", "]<|/det|>"), box=("[", "]"), label=("<|ref|>", "<|/ref|>")),
        user="<|ref|>{classes}<|/ref|>",
    ),
    Contract(
        "geochat",
        PERCENT,
        VertexForm.TURNED,
        Tagged(
            number="<{}>",
            joiner="",
            box=("{", "}"),
            box_joiner="<delim>",
            boxes=(" ", ""),
            label=("<p>", "</p>"),
        ),
        user="[refer] {classes}",
        open_user="[grounding] describe the image in detail",
        angle=Angle(clockwise=False),
    ),
    Contract(
        "paligemma",
        BINS_1024,
        VertexForm.HORIZONTAL,
        Tagged(number="<loc{:04d}>", joiner="", label_first=False, grouped=False, group_joiner=" ; "),
        user="detect {classes}",
        class_joiner=" ; ",
        binned=True,
        yx=True,
        empty="",
    ),
    Contract(
        "gemini",
        PERMILLE,
        VertexForm.HORIZONTAL,
        Json("box_2d"),
        user="Detect the 2d bounding boxes of: {classes}. Answer with a JSON list of box_2d and label.",
        open_user="Detect the 2d bounding boxes of all objects. Answer with a JSON list of box_2d and label.",
        yx=True,
        empty="```json\n[]\n```",
    ),
    _BRACKETS,
    replace(_BRACKETS, name="kimi-vl", decimals=3),
    replace(_BRACKETS, name="teochat", space=PERCENT, decimals=0),
    replace(_BRACKETS, name="vhm", space=PERMILLE, decimals=0),
    # no code of GeoGround is public: frame and order by its paper (arXiv 2411.11904), the rest a guess
    replace(_BRACKETS, name="geoground", space=PERMILLE_999, decimals=0),
    replace(
        _BRACKETS,
        name="geoground-obb",
        space=PERMILLE_999,
        form=VertexForm.ROTATED,
        syntax=Tagged(box=("[", "]"), angle_joiner=", ", label=None),
        angle=Angle(),
        decimals=0,
    ),
    Contract(
        "skysensegpt",
        PERCENT,
        VertexForm.ROTATED,
        Tagged(number="<{}>", joiner="", box=("{", "}"), boxes=("<rbox>(", ")</rbox>"), label=None),
        user="Detect all {classes} in the image.",
        angle=Angle(convention=OC_V0),
        decimals=2,
    ),
    Contract(
        "falcon",
        BINS_1000,
        VertexForm.QUAD,
        Tagged(number="<{}>", joiner="", box_joiner=""),
        user=_DETECT,
        binned=True,
    ),
    Contract(
        "falcon-hbb",
        BINS_1000,
        VertexForm.HORIZONTAL,
        Tagged(number="<{}>", joiner="", box_joiner=""),
        user=_DETECT,
        binned=True,
    ),
)

_RELATIVE = tuple(
    replace(contract, name=f"{contract.name}@{PERMILLE.name}", space=PERMILLE)
    for contract in _ALL
    if contract.name.startswith("rscovlm-")
)
"""RSCoVLM's words with Qwen3-VL's coordinates: what this project trains Qwen3-VL on."""

CONTRACTS: dict[str, Contract] = {contract.name: contract for contract in (*_ALL, *_RELATIVE)}
"""The contracts by name. Sources: the published code or cards of each family."""
