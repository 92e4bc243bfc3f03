"""The chain of questions, as training learns it and benchmarks ask it."""

import pytest

from rscovlm.bench.suites import SUITES
from rscovlm.data.plot_chain import LINKS, OPTIONS, before, chain_question
from rscovlm.errors import DataError
from tests.rscovlm.checkpoints import tiny_qwen3_vl
from tests.rscovlm.reo.material import plots_file, source_of


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    return plots_file(folder, tiles=12, plots=2), tiny_qwen3_vl(folder / "checkpoint")


def test_what_is_known_stands_before_the_question_and_its_list():
    words = chain_question("cover", {"activity": "cropping"})
    assert words.startswith(
        "Human activity: cropping. What is the land cover in the middle? Answer with one of: "
    )
    assert words.endswith(f"{OPTIONS['cover'][-1]}.")
    assert chain_question("number", {}) == "What is the above-ground biomass in the middle, in Mg/ha?"
    assert before("activity") == ()
    assert before("number") == LINKS[:3]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("given", ["none", "oracle"])
def test_training_asks_the_very_words_of_the_benchmark(material, link, given):
    """With right answers at every other visit, where there are links before."""
    file, checkpoint = material
    source = source_of(file, checkpoint, split="test", answers=[link], chain=True)
    items = {item.key: item for item in SUITES["reo-chain"].read(file.parent, "test")}
    key = f"{source.key(1)}/{link}/{given if before(link) else 'none'}"
    coded = source.encode(1, 0 if given == "oracle" else 1)
    text = source.encoder.tokenizer.decode(coded.ids)
    assert items[key].subject in text
    said = source.encoder.tokenizer.decode(coded.ids[coded.learnt])
    right = items[key].truth.answers[0]
    assert said.startswith(str(round(float(right))) if link == "number" else right)


def test_hints_and_the_chain_do_not_go_together(material):
    with pytest.raises(DataError, match="leave hints and knowledge out"):
        source_of(*material, answers=["cover"], chain=True, hints=["sensor"])
