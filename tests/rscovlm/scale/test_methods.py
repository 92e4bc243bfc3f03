"""Methods: one budget, the same rank, and configurations that are whole."""

import pytest

from rscovlm.scale.methods import METHODS, RANK, Budget, configuration


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_each_method_is_a_configuration_with_the_budget(method, tmp_path):
    config = configuration(method, Budget(steps=7, side=48), tmp_path)
    (adapted,) = config.adapters.chosen.values()
    assert (adapted.rank, adapted.towers, config.steps) == (RANK, ("language",), 7)
    assert config.resolution.min_pixels == config.resolution.max_pixels == 48 * 48
    mix = (tmp_path / config.mix.rsplit("/", 1)[-1]).read_text()
    assert ("train_stated.jsonl" in mix) == (method.name == "text")


def test_only_cs_hlora_is_ours_and_one_method_has_gates_that_learn_nothing_of_scale():
    by_name = {method.name: method for method in METHODS}
    assert by_name["no_gsd"].adapters["cs_hlora"]["withheld"] == 1.0
    assert [name for name, method in by_name.items() if method.told] == [
        "cs_hlora",
        "normalised",
        "text",
        "buckets",
    ]
