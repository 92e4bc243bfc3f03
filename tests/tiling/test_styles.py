"""Styles as QGIS reads them: well-formed, a category for each value, each with a symbol that exists."""

from __future__ import annotations

from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiling.colours import class_colours
from tiling.layers import TileStatus
from tiling.styles import class_style, is_untouched, style_path, tile_style


def categories(style: str) -> dict[str, ElementTree.Element]:
    """The symbol of each value of a style."""
    renderer = ElementTree.fromstring(style).find("renderer-v2")
    assert renderer is not None
    assert renderer.get("type") == "categorizedSymbol"
    symbols = {symbol.get("name"): symbol for symbol in renderer.iterfind("symbols/symbol")}
    listed = list(renderer.iterfind("categories/category"))
    assert all(category.get("render") == "true" for category in listed)
    assert len({category.get("value") for category in listed}) == len(listed)
    return {str(category.get("value")): symbols[category.get("symbol")] for category in listed}


def options(layer: ElementTree.Element) -> dict[str, str]:
    return {str(option.get("name")): str(option.get("value")) for option in layer.iterfind("Option/Option")}


def colour(symbol: ElementTree.Element) -> str:
    """Of the line on top, as ``#rrggbb``."""
    red, green, blue, alpha = map(int, options(symbol.findall("layer")[-1])["line_color"].split(","))
    assert alpha == 255
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_each_class_has_the_colour_of_the_overlay_and_the_rest_a_symbol_too() -> None:
    names = ("ship", "small-vehicle", 'a "b" & <c>', "Müll")
    style = class_style(names)
    assert style.startswith("<!DOCTYPE qgis ")
    found = categories(style)
    assert list(found) == [*names, ""]
    assert {name: colour(found[name]) for name in names} == class_colours(names)
    assert ElementTree.fromstring(style).find("renderer-v2").get("attr") == "class"


def test_symbols_are_outlines_of_a_width_on_the_screen_above_their_casings() -> None:
    for symbol in categories(class_style(["ship"])).values():
        layers = symbol.findall("layer")
        assert symbol.get("type") == "fill"
        assert [layer.get("class") for layer in layers] == ["SimpleLine", "SimpleLine"]
        assert {options(layer)["line_width_unit"] for layer in layers} == {"MM"}
        casing, line = (float(options(layer)["line_width"]) for layer in layers)
        assert casing > line > 0
        assert [layer.get("pass") for layer in layers] == ["0", "1"]
    # Without symbol levels QGIS would draw each casing over its neighbours.
    assert ElementTree.fromstring(class_style([])).find("renderer-v2").get("symbollevels") == "1"


def test_labels_are_there_and_switched_off() -> None:
    root = ElementTree.fromstring(class_style(["ship"]))
    assert root.get("labelsEnabled") == "0"
    assert root.find("labeling/settings/text-style").get("fieldName") == "class"


def test_tiles_have_a_symbol_for_each_status_and_failed_ones_stand_out() -> None:
    found = categories(tile_style())
    assert set(found) == {*get_args(TileStatus), ""}
    widths = {
        status: max(float(options(layer)["line_width"]) for layer in symbol.findall("layer"))
        for status, symbol in found.items()
    }
    assert max(widths, key=widths.__getitem__) == "failed"


@given(st.lists(st.text(min_size=1), unique=True, max_size=5))
def test_a_style_is_xml_whatever_a_model_calls_things(names: list[str]) -> None:
    root = ElementTree.fromstring(class_style(names))
    assert len(root.findall("renderer-v2/categories/category")) == len(names) + 1


@pytest.mark.parametrize(
    ("layer", "style"), [("a/out.geojson", "a/out.qml"), ("all.v2.gpkg", "all.v2.qml"), ("x.KML", "x.qml")]
)
def test_a_style_lies_where_qgis_looks_for_it(layer: str, style: str) -> None:
    assert style_path(Path(layer)) == Path(style)


def test_a_style_that_was_saved_by_others_is_told_from_our_own(tmp_path: Path) -> None:
    style = tmp_path / "out.qml"
    assert not is_untouched(style)
    style.write_text(class_style(["ship"]), encoding="utf-8")
    assert is_untouched(style)
    # As QGIS saves it: parsed and written anew, without comments.
    ElementTree.ElementTree(ElementTree.fromstring(class_style(["ship"]))).write(style)
    assert not is_untouched(style)
