"""Elements of drawings."""

from xml.etree import ElementTree

from detection_eval.report.svg import Shape, drawing, line, text


def test_a_drawing_holds_its_shapes_in_order_and_escapes_words():
    svg = drawing(
        [
            line(0, 1, 2, 3.25, "axis"),
            text(1, 2, "<b> & c", "label"),
            Shape("circle", {"r": "2"}, title="<t>"),
        ],
        (0, 0, 10.5, 20),
        class_="chart",
        aria_label='a "b"',
    )
    root = ElementTree.fromstring(svg)
    tags = [child.tag.rpartition("}")[2] for child in root]
    assert tags == ["line", "text", "circle"]
    assert (root.get("viewBox"), root.get("class"), root.get("aria-label")) == (
        "0 0 10.5 20",
        "chart",
        'a "b"',
    )
    assert root[0].get("y2") == "3.2"
    assert root[1].text == "<b> & c"
    assert "".join(root[2].itertext()) == "<t>"
