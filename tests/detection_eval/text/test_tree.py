"""Objects and lists in a text."""

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
