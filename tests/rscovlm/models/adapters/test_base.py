"""The table of adapters: what a configuration can name, and what a kind has to do."""

import pytest

from rscovlm.errors import ModelError
from rscovlm.models.adapters import ADAPTERS, make_adapter
from rscovlm.models.adapters.base import Adapter
from rscovlm.training.adapter_settings import Adapters


def test_a_configuration_can_name_each_kind_and_no_other():
    assert list(Adapters.model_fields) == list(ADAPTERS)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_kind_takes_the_settings_of_its_section(name):
    section = Adapters.model_validate({name: {"rank": 4, "alpha": 8, "dropout": 0.5}}).chosen[name]
    adapter = make_adapter(name, section.own)
    assert (adapter.rank, adapter.alpha, adapter.dropout) == (4, 8, 0.5)


def test_an_unknown_kind_or_setting_is_one_line():
    with pytest.raises(ModelError, match="adapter 'ia3' is unknown; choose from lora, dora, qlora"):
        make_adapter("ia3", {})
    with pytest.raises(ModelError, match=r"adapter 'lora': .*unexpected keyword argument 'depth'"):
        make_adapter("lora", {"depth": 3})


def test_a_kind_that_cannot_be_merged_or_saved_is_no_kind():
    class Half(Adapter):
        def learns(self, parameter: str) -> bool:
            return True

    with pytest.raises(TypeError, match="abstract methods apply, load, merge, save"):
        Half()
