"""What closes itself at the end of a block."""

import pytest

from detection_eval.closing import Closing


class Held(Closing):
    open = True

    def close(self) -> None:
        self.open = False


def test_a_block_closes_what_it_holds_and_lets_errors_through():
    with Held() as held:
        assert isinstance(held, Held)
        assert held.open
    assert not held.open
    again = Held()
    with pytest.raises(KeyError), again:
        raise KeyError
    assert not again.open


def test_what_cannot_be_closed_cannot_be_made():
    with pytest.raises(TypeError):
        Closing()
