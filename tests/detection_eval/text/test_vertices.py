"""Numbers of a contract to quadrilaterals and back."""

import numpy as np
import pytest

from detection_eval.geometry.quads import box_quads, canonical
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.vertices import decode, encode


def test_corners_in_the_wrong_order_are_mended_and_said():
    quads, inverted = decode(np.array([[30.0, 40, 10, 20]]), CONTRACTS["qwen2.5-vl"], 100, 100)
    assert quads[0].tolist() == box_quads([[10, 20, 30, 40]])[0].tolist()
    assert inverted.tolist() == [True]


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_upright_box_comes_back_within_a_step_of_its_space(name):
    contract = CONTRACTS[name]
    box = box_quads([[100, 200, 300, 260]])
    width, height = 1000, 800
    back = canonical(decode(encode(box, contract, width, height), contract, width, height)[0])
    extent = contract.space.extent
    step = 10.0**-contract.decimals * (1.0 if extent is None else width / extent)
    np.testing.assert_allclose(back, box, atol=1.5 * step + 1e-9)
