"""Mixes: how often each source is drawn, in which order, and what is wrong with a mix."""

import json
from collections import Counter

import numpy as np
import pytest
from transformers import AutoConfig, AutoTokenizer

from configs import ConfigError, available
from rscovlm.data.encoding import Encoder
from rscovlm.data.mix import ENDLESS, EPOCH_OF_ENDLESS, Mix, draws_per_epoch, read_mix
from rscovlm.data.report import report_mix
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.sources import load_mix
from rscovlm.data.templates import load_templates
from rscovlm.models.families import family_of
from rscovlm.models.patches import PatchSpec
from rscovlm.training.run import GENERATORS
from tests.rscovlm.checkpoints import tiny_qwen3_vl


class Sized:
    """A source of samples of one length."""

    def __init__(self, name, size, tokens=10, in_order=False):
        self.name, self.size, self.tokens, self.in_order = name, size, tokens, in_order

    def __len__(self):
        return self.size

    def encode(self, index, visit):
        return type("Coded", (), {"ids": np.zeros(self.tokens)})


def sized(**sizes):
    return {name: Sized(name, size) for name, size in sizes.items()}


def settings(tmp_path, **data):
    path = tmp_path / "mix.yaml"
    path.write_text(json.dumps(data))
    return read_mix(path)


def test_the_strings_of_rscovlm_are_read_as_it_wrote_them(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('["vhm_dataset*8", "llava_onevision_vl%10", "teochatlas_video", "x%2.5"]')
    read = read_mix(path)
    repeats = {source.name: source.repeat for source in read.sources}
    assert repeats == {"vhm_dataset": 8, "llava_onevision_vl": 0.1, "teochatlas_video": None, "x": 0.025}
    sources = sized(vhm_dataset=3, llava_onevision_vl=100, teochatlas_video=5, x=1000)
    assert draws_per_epoch(read, sources) == {
        "vhm_dataset": 24,
        "llava_onevision_vl": 10,
        "teochatlas_video": 5,
        "x": 25,
    }


def test_ratios_are_shares_of_samples_or_of_tokens(tmp_path):
    stated = [{"name": "short", "ratio": 1}, {"name": "long", "ratio": 1}]
    sources = {"short": Sized("short", 500, tokens=10), "long": Sized("long", 500, tokens=90)}
    by_samples = settings(tmp_path, sources=stated, epoch_samples=1000)
    assert draws_per_epoch(by_samples, sources) == {"short": 500, "long": 500}
    by_tokens = settings(tmp_path, sources=stated, epoch_samples=1000, unit="tokens")
    assert draws_per_epoch(by_tokens, sources) == {"short": 900, "long": 100}  # 9000 tokens each


def test_a_temperature_evens_out_sizes(tmp_path):
    sources = sized(small=100, large=10_000)
    proportional = draws_per_epoch(settings(tmp_path, sources=["small", "large"], temperature=1), sources)
    assert proportional == {"small": 100, "large": 10_000}
    evened = draws_per_epoch(settings(tmp_path, sources=["small", "large"], temperature=2), sources)
    assert evened["large"] / evened["small"] == pytest.approx(10, rel=0.01)  # sqrt(100)
    assert sum(evened.values()) == pytest.approx(10_100, abs=1)


def test_each_sample_is_seen_before_any_is_seen_again_across_epochs():
    mix = Mix(sized(a=7, b=5), {"a": 3, "b": 11}, seed=1)
    seen = Counter()
    for epoch in range(7):
        for key in mix.order(epoch):
            seen[key] += 1
    assert max(seen.values()) == 1  # no visit is drawn twice
    a = Counter(key.index for key in seen if key.source == "a")
    assert set(a.values()) == {3}  # 7 epochs x 3 draws = 3 passes over 7
    b = Counter(key.index for key in seen if key.source == "b")
    assert max(b.values()) - min(b.values()) <= 1
    assert {key.visit for key in seen if key.source == "a"} == {0, 1, 2}


def test_an_order_is_a_function_of_seed_and_epoch_alone():
    mix = Mix(sized(a=50, b=20), {"a": 50, "b": 20}, seed=3)
    assert list(mix.order(2)) == list(Mix(sized(a=50, b=20), {"a": 50, "b": 20}, seed=3).order(2))
    assert list(mix.order(2)) != list(mix.order(1))
    assert list(mix.order(0)[10:20]) == list(mix.order(0))[10:20]
    sources = [key.source for key in mix.order(0)]
    assert sources != sorted(sources)


def test_a_generator_is_walked_through_in_order_among_shuffled_sources_and_never_repeats():
    sources = {"made": Sized("made", ENDLESS, in_order=True), "file": Sized("file", 6)}
    mix = Mix(sources, {"made": 4, "file": 6}, seed=3, holdout=2)
    orders = [list(mix.order(epoch)) for epoch in range(3)]
    made = [key for order in orders for key in order if key.source == "made"]
    assert [(key.index, key.visit) for key in made] == [(index, 0) for index in range(12)]
    places = [[at for at, key in enumerate(order) if key.source == "made"] for order in orders]
    assert places[0] != places[1], "where it is drawn is random"
    assert [key.index for key in mix.held_out["made"]] == [ENDLESS, ENDLESS + 1]


def test_a_generator_of_stated_length_begins_anew_with_the_same_samples():
    mix = Mix({"made": Sized("made", 10, in_order=True)}, {"made": 4}, seed=3)
    keys = [key for epoch in range(3) for key in mix.order(epoch)]
    assert [(key.index, key.visit) for key in keys] == [*((i, 0) for i in range(10)), (0, 1), (1, 1)]


def test_an_endless_generator_has_an_epoch_all_the_same(tmp_path):
    alone = settings(tmp_path, sources=[{"name": "made", "generator": "nano"}])
    assert draws_per_epoch(alone, {"made": Sized("made", ENDLESS, in_order=True)}) == {
        "made": EPOCH_OF_ENDLESS
    }
    shares = [{"name": "made", "generator": "nano", "ratio": 1}, {"name": "file", "ratio": 3}]
    both = settings(tmp_path, sources=shares, epoch_samples=100)
    sources = {"made": Sized("made", ENDLESS, in_order=True), "file": Sized("file", 6)}
    assert draws_per_epoch(both, sources) == {"made": 25, "file": 75}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"generator": "dice"}, "generator 'dice' is unknown; choose from nano"),
        ({"generator": "nano", "options": {"eazy": 3}}, "does not take the options eazy; it has easy"),
        ({"generator": "nano", "path": "x.jsonl"}, "takes no path, formats, resolution or templates"),
        ({"samples": 4}, "samples and options are those of a generator"),
    ],
)
def test_what_is_wrong_with_a_generator_is_one_line(tmp_path, model, source, message):
    (tmp_path / "mix.yaml").write_text(json.dumps({"sources": [{"name": "made", **source}]}))
    with pytest.raises(ConfigError, match=message):
        load_mix(tmp_path / "mix.yaml", *model, seed=1, generators=GENERATORS)


def test_held_out_samples_are_never_drawn():
    mix = Mix(sized(a=30, b=4), {"a": 60, "b": 4}, seed=1, holdout=10)
    assert {name: len(keys) for name, keys in mix.held_out.items()} == {"a": 10, "b": 2}
    drawn = {(key.source, key.index) for epoch in range(3) for key in mix.order(epoch)}
    assert not drawn & {(key.source, key.index) for keys in mix.held_out.values() for key in keys}
    assert len([1 for source, _ in drawn if source == "a"]) == 20


def test_the_fingerprint_changes_with_what_is_drawn():
    prints = {
        Mix(sized(a=5), {"a": 5}, seed=1).fingerprint,
        Mix(sized(a=5), {"a": 5}, seed=2).fingerprint,
        Mix(sized(a=5), {"a": 4}, seed=1).fingerprint,
        Mix(sized(a=6), {"a": 5}, seed=1).fingerprint,
        Mix(sized(a=6), {"a": 5}, seed=1, holdout=1).fingerprint,
        Mix(sized(a=5), {"a": 5}, seed=1, facts="other").fingerprint,
    }
    assert len(prints) == 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sources": []}, "sources: list should have at least 1 item"),
        ({"sources": ["a*1.5"]}, "'a\\*1.5' is no name, name\\*repeats or name%percent"),
        ({"sources": ["a%0"]}, "a percentage lies above 0"),
        ({"sources": ["a", "a*2"]}, "sources a stand twice"),
        ({"sources": [{"name": "a", "ratio": 1}, "b"]}, "either all sources have a ratio or none has"),
        ({"sources": ["a*2"], "temperature": 2}, "exclude each other"),
        ({"sources": ["a"], "epoch_samples": 9}, "goes with ratios or a temperature"),
        ({"sources": ["a"], "root": 3, "unit": "words"}, "root: .*; .*unit: input should be"),
        (
            {"sources": [{"name": "a", "repeats": 2}]},
            "sources.0.repeats: there is no such setting",
        ),
    ],
)
def test_a_mix_says_all_that_is_wrong_with_it(tmp_path, data, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, **data)


@pytest.mark.parametrize("name", available("mix"))
def test_shipped_mixes_are_read(name):
    assert read_mix(name).sources


@pytest.mark.parametrize("name", available("templates"))
def test_shipped_templates_are_read(name):
    assert load_templates(name.removeprefix("templates/"))


def test_templates_say_all_that_is_wrong_with_them(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text('grounding-lines: ["where?"]\ngrounding: [a]\nclassification: []\n')
    with pytest.raises(ConfigError) as error:
        load_templates(str(path))
    for problem in (
        "words.yaml: grounding-json: is missing",
        "words.yaml: grounding-lines: 'where?' lacks {phrase}",
        "words.yaml: grounding: there is no such setting; did you mean grounding-",
        "words.yaml: classification: tuple should have at least 1 item",
    ):
        assert problem in str(error.value)


# --- from files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tiny_qwen3_vl(tmp_path_factory.mktemp("tiny"))
    spec = PatchSpec.of_checkpoint(folder, AutoConfig.from_pretrained(folder).vision_config)
    return family_of(folder), Encoder(AutoTokenizer.from_pretrained(folder), spec)


def write(path, samples):
    path.write_text("".join(sample.to_line() + "\n" for sample in samples))


def ships(count):
    outline = np.array([[0, 0], [20, 0], [20, 9], [0, 9]])
    boxes = tuple(Box(outline + np.array([0, 15 * i]), "ship") for i in range(count))
    return Sample(
        f"n{count}", "detection", (ImageRef("x.png", size=(400, 400)),), boxes=boxes, classes=("ship",)
    )


def test_long_lists_lose_their_last_boxes_and_what_cannot_be_shortened_stays_too_long(tmp_path, model):
    write(tmp_path / "ships.jsonl", [ships(count) for count in range(20)])
    long = Turn("user", "word " * 900), Turn("assistant", "yes")
    write(tmp_path / "talk.jsonl", [Sample("t", "chat", turns=long), Sample("u", "chat", turns=long)])
    (tmp_path / "mix.yaml").write_text("sources: [ships, talk]\ndefaults: {templates: plain}\n")
    mix = load_mix(tmp_path / "mix.yaml", *model, seed=1, max_tokens=400)
    source = mix.sources["ships"]
    whole = load_mix(tmp_path / "mix.yaml", *model, seed=1).sources["ships"]
    for index in range(20):
        coded, full = source.encode(index, 0), whole.encode(index, 0)
        assert len(coded.ids) <= 400
        assert (coded.cut > 0) == (len(full.ids) > 400)
        if coded.cut:  # one more box would be too many
            a_box = (full.learnt.sum() - coded.learnt.sum()) / coded.cut
            assert len(coded.ids) + a_box > 400 - 3
    assert len(mix.sources["talk"].encode(0, 0).ids) > 400, (
        "a sentence is never cut; the loader leaves it out"
    )
    report = report_mix(mix, merge=2)
    fleet, talk = report.sources
    assert fleet.cut_visits == sum(source.encode(i, 0).cut > 0 for i in range(20))
    assert fleet.draws == fleet.measured == 20
    assert talk.too_long == 2
    assert talk.measured == 0
    assert report.loss_share("token") == {"ships": 1.0, "talk": 0.0}


def test_the_report_counts_tokens_by_hand(tmp_path, model):
    turns = (Turn("user", "<image>How many ships?"), Turn("assistant", "red"))
    pictures = [
        Sample(f"v{i}", "vqa", (ImageRef("x.png", size=(64, 96)),), turns) for i in range(4)
    ]  # 2 x 3 visual tokens of 32 px
    write(tmp_path / "vqa.jsonl", pictures)
    write(tmp_path / "ships.jsonl", [ships(9)] * 2)
    (tmp_path / "mix.yaml").write_text("sources: [vqa*2, ships]\ndefaults: {templates: plain}\n")
    mix = load_mix(tmp_path / "mix.yaml", *model, seed=1)
    report = report_mix(mix, merge=2)
    vqa, fleet = report.sources
    assert (vqa.samples, vqa.draws, vqa.visual_tokens, vqa.patches) == (4, 8, 6, 24)
    answer = len(model[1].tokenizer.encode("red", add_special_tokens=False)) + 1
    assert vqa.label_tokens == answer
    assert report.loss_share("sample") == {"vqa": 0.8, "ships": 0.2}
    assert report.loss_share("source") == {"vqa": 0.5, "ships": 0.5}
    tokens = 8 * answer, 2 * fleet.label_tokens
    assert report.loss_share("token")["vqa"] == pytest.approx(tokens[0] / sum(tokens))
    roots = 8 * answer**0.5, 2 * fleet.label_tokens**0.5
    assert report.loss_share("sqrt")["vqa"] == pytest.approx(roots[0] / sum(roots))
    assert report.to_json()["epoch"]["samples"] == 10


def test_all_missing_files_are_named_at_once_with_the_way_to_make_them(tmp_path, model):
    write(tmp_path / "here.jsonl", [ships(1)])
    (tmp_path / "mix.yaml").write_text(
        "sources: [here, gone, {name: lost, path: a/b.jsonl}]\ndefaults: {formats: quadd}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_mix(tmp_path / "mix.yaml", *model, seed=1)
    for problem in ("source gone: no ", "source lost: no ", "rscovlm data convert", "'quadd' is unknown"):
        assert problem in str(error.value)
