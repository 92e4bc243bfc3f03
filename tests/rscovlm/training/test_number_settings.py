"""Settings of number heads: a name or a name with its settings, and what contradicts each other."""

import pytest
from pydantic import ValidationError

from configs import ConfigError
from configs.checking import checked, problems, told
from rscovlm.models.heads.constraints import ConstraintHead
from rscovlm.models.heads.numbers.head import NumberHead
from rscovlm.models.heads.numbers.outputs import OUTPUTS
from rscovlm.models.heads.numbers.trunks import TRUNKS
from rscovlm.training.number_settings import Constraint, Ensemble, Number, Output, Trunk


def number(**settings):
    try:
        return Number.model_validate({"target": "agb_mg_per_ha", **settings})
    except ValidationError as error:
        raise ConfigError(told(problems(error, Number), "run.yaml")) from None


def test_every_trunk_and_output_of_the_tables_has_a_section_and_the_other_way_round():
    assert list(Trunk.model_fields) == list(TRUNKS)
    assert list(Output.model_fields) == list(OUTPUTS)


def test_a_name_alone_is_the_kind_with_its_own_defaults():
    assert number(trunk="gated").settings == number(trunk={"gated": {}}).settings
    assert number(output={"mixture": {"components": 3}}).settings["output"] == {
        "name": "mixture",
        "components": 3,
        "least_deviation": 0.02,
    }


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_trunk_goes_with_every_output(trunk, output):
    taps = {"taps": [0]} if trunk == "mixer" else {}
    shape = {"intervals": {"edges": [-2, 0, 2]}} if output == "intervals" else output
    settings = number(trunk=trunk, output=shape, **taps).settings
    made = NumberHead(8, **{**settings, "vision_width": 6})
    assert type(made.trunk) is TRUNKS[trunk]
    assert type(made.output) is OUTPUTS[output]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trunk": "tree"}, "trunk.tree: unknown setting"),
        ({"trunk": {"gated": {"dept": 2}}}, "trunk.gated.dept: unknown setting; did you mean depth?"),
        ({"trunk": {"gated": {}, "mixer": {}}}, "give exactly one of embed, .* not gated and mixer"),
        ({"output": {}}, "give exactly one of point, .* not none"),
        ({"output": "intervals"}, "output.intervals.edges: is missing"),
        ({"trunk": "mixer"}, "trunk mixer needs taps: write taps: half"),
        ({"trunk": "gated", "taps": "half"}, "trunk gated does not read taps; leave them out"),
        ({"low": 5, "high": 5}, "low 5.0 is not below high 5.0"),
        ({"hard": True}, "hard and penalty are about low and high, and neither is given"),
        ({"loss": "mse", "noise": "agbd_se"}, "noise is part of loss nll alone, not of mse"),
        ({"monotone": {}}, "monotone.along: is missing"),
        ({"monotone": {"along": "height", "over": [4, 3]}}, "has to be a lower and a higher number"),
        ({"dropout": 0.1}, "dropout changes the variance between training and inference"),
    ],
)
def test_what_is_wrong_is_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        number(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        (
            Ensemble,
            {"members": ["a", "b"], "fuse": "sum"},
            "target names the whole of fuse sum, which needs it",
        ),
        (Ensemble, {"members": ["a", "b"], "target": "c"}, "leave it out of others"),
        (
            Constraint,
            {"whole": "a", "parts": ["b"]},
            "give either whole and two parts or more, all different",
        ),
        (Constraint, {"number": "a", "along": "a"}, "or number and along"),
        (Constraint, {"number": "a"}, "or number and along"),
    ],
)
def test_numbers_of_several_heads_that_mean_nothing_are_one_line(section, settings, message):
    with pytest.raises(ConfigError, match=message):
        checked(section, settings, "heads")


def test_constraints_make_their_heads():
    for own in ({"whole": "a", "parts": ["b", "c"]}, {"number": "a", "along": "agbd_se", "falls": True}):
        made = ConstraintHead(8, **checked(Constraint, own, "heads").settings)
        assert made.settings.items() >= own.items()
