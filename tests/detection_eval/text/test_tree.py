"""Objects and lists in a text."""

from detection_eval.text.lexing import Pixels
from detection_eval.text.tree import trees


def test_outermost_nodes_come_in_order_with_their_places():
    text = 'x {"a": [1, "b"]} y []'
    node, empty = trees(text)
    assert text[node.start : node.stop] == '{"a": [1, "b"]}'
    ((key, values),) = node.items
    assert (key, values.items) == ("a", [1.0, "b"])
    assert (empty.is_object, empty.items) == (False, [])
    assert not node.cut
    assert node.repairs == ()


def test_a_text_that_ends_inside_a_node_is_cut():
    (node,) = trees('[{"a": 1')
    assert node.cut


def test_a_number_keeps_the_unit_of_pixels():
    (node,) = trees("[80px, 100 px, 400 pixels, 200]")
    assert [type(item) is Pixels for item in node.items] == [True, True, True, False]
    assert node.items == [80, 100, 400, 200]
    assert "units" in node.repairs
