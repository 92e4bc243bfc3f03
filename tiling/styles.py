"""Styles of map layers as QGIS reads them (QML), so that a layer shows at once what it holds.

QGIS takes the file ``NAME.qml`` beside a layer's file as its style, and the default one in the table
``layer_styles`` inside a GeoPackage. Lines have widths in millimetres on the screen, so that they are as
thick at every scale of the map. Labels are prepared and switched off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tiling.colours import class_colours

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_MARK = "<!-- made with a layer by rscovlm; QGIS leaves this line out when it saves the style -->\n"
_WRITTEN_FOR = "3.22.0"
"""Oldest version of QGIS that knows all that is written; newer ones read it too."""
_CASING = "#0c1018"
_OTHER = "#bdbdbd"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Stroke(NamedTuple):
    """A line of a symbol; lines of a lower level are drawn below those of all symbols of a higher one."""

    colour: str
    width_mm: float
    dash: str = "solid"
    level: int = 0


_Symbol = tuple[_Stroke, ...]

_TILES: Mapping[str, _Symbol] = {
    "examined": (_Stroke("#35c4ff", 0.3),),
    "failed": (_Stroke(_CASING, 1.1, level=1), _Stroke("#ff4b4b", 0.7, level=2)),
    "skipped": (_Stroke("#9aa4b2", 0.3, "dash"),),
    "outside": (_Stroke("#9aa4b2", 0.3, "dot"),),
}


def style_path(layer: Path) -> Path:
    """Where QGIS looks for the style of a layer's file: ``out.qml`` for ``out.geojson``."""
    return layer.with_suffix(".qml")


def is_untouched(style: Path) -> bool:
    """Whether a style is one of this module's that nobody has changed in QGIS, so that nothing is lost by it.

    Two layers of one name and different suffixes share a style; the later one may replace it.
    """
    try:
        with style.open("rb") as file:
            return _MARK.strip().encode() in file.read(1024)
    except OSError:
        return False


def class_style(classes: Sequence[str]) -> str:
    """The style of a layer of boxes: an outline in the colour of the overlay for each value of ``class``."""
    symbols = {
        name: (_Stroke(_CASING, 0.8), _Stroke(colour, 0.45, level=1))
        for name, colour in class_colours(classes).items()
    }
    other = (_Stroke(_CASING, 0.8), _Stroke(_OTHER, 0.45, level=1))
    return _style("class", symbols, other, label="class")


def tile_style() -> str:
    """The style of a layer of tiles: an outline for each value of ``status``."""
    return _style("status", _TILES, (_Stroke(_OTHER, 0.3),), label="reason")


def _style(field: str, symbols: Mapping[str, _Symbol], other: _Symbol, label: str) -> str:
    """A style that tells the values of a field apart; ``other`` is for values that have no symbol."""
    root = Element("qgis", version=_WRITTEN_FOR, styleCategories="Symbology|Labeling", labelsEnabled="0")
    renderer = SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr=field, symbollevels="1", enableorderby="0"
    )
    categories, drawn = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, (value, symbol) in enumerate([*symbols.items(), ("", other)]):
        plain = _NOT_IN_XML.sub("\ufffd", value)
        SubElement(
            categories,
            "category",
            {
                "type": "string",
                "value": plain,
                "label": plain or "other",
                "symbol": str(number),
                "render": "true",
            },
        )
        _add_symbol(drawn, str(number), symbol)
    _add_labels(root, label)
    indent(root)
    return _DOCTYPE + _MARK + tostring(root, encoding="unicode") + "\n"


def _add_symbol(parent: Element, name: str, strokes: _Symbol) -> None:
    """Outlines alone, so that what is outlined can be seen."""
    symbol = SubElement(
        parent, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    for stroke in strokes:
        line = {"class": "SimpleLine", "enabled": "1", "locked": "0", "pass": str(stroke.level)}
        options = SubElement(SubElement(symbol, "layer", line), "Option", type="Map")
        for option, value in {
            "line_color": _rgba(stroke.colour),
            "line_style": stroke.dash,
            "line_width": f"{stroke.width_mm:g}",
            "line_width_unit": "MM",
            "joinstyle": "miter",
        }.items():
            SubElement(options, "Option", name=option, value=value, type="QString")


def _add_labels(root: Element, field: str) -> None:
    """Labels with the value of a field, which a user switches on."""
    settings = SubElement(SubElement(root, "labeling", type="simple"), "settings")
    text = {"fieldName": field, "isExpression": "0", "fontSize": "8", "fontSizeUnit": "Point"}
    style = SubElement(settings, "text-style", text | {"textColor": "255,255,255,255"})
    buffer = {"bufferDraw": "1", "bufferSize": "0.8", "bufferSizeUnits": "MM"}
    SubElement(style, "text-buffer", buffer | {"bufferColor": _rgba(_CASING)})
    SubElement(settings, "placement", placement="0", dist="0.5", distUnits="MM")
    SubElement(settings, "rendering", scaleVisibility="0", obstacle="0")


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5)) + ",255"
