"""The zoom policies."""

from zoom_chain.policies import POLICIES


def test_policies_are_found_by_name():
    assert {name: policy.max_zooms for name, policy in POLICIES.items()} == {
        "off": 0,
        "single": 1,
        "chain": None,
        "focus": 1,
        "tree": None,
        "retrieve": None,
        "sweep": None,
        "auto": None,
    }
