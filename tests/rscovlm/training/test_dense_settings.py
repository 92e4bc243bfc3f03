"""Settings of dense heads: names stand for their defaults, and what contradicts itself is told."""

import pytest
from pydantic import ValidationError

from rscovlm.models.heads.dense.head import DECODERS, DenseHead
from rscovlm.training.dense_settings import Decoder, Dense


def test_every_decoder_has_a_section_whose_settings_it_takes():
    assert set(Decoder.model_fields) == set(DECODERS)
    for name in DECODERS:
        settings = Dense.model_validate({"target": "height_m", "decoder": name}).settings
        DenseHead(8, **settings)


def test_settings_of_a_decoder_reach_it():
    stated = {"target": "height_m", "decoder": {"masked": {"rounds": 7}}, "detail": 2}
    assert DenseHead(8, **Dense.model_validate(stated).settings).decoder.rounds == 7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"decoder": {"diffusion": {}, "masked": {}}}, "give exactly one of diffusion, codebook, masked"),
        ({"low": 3, "high": 1}, "low 3.0 is not below high 1.0"),
        ({"inner": 10}, "multiple of 4"),
        ({"decoder": {"codebook": {"codes": 1}}}, "greater than or equal to 2"),
    ],
)
def test_what_contradicts_itself_is_told(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Dense.model_validate({"target": "height_m", **wrong})
