"""Mixes: how often each source is drawn, in which order, and what is wrong with a mix."""

import json
from collections import Counter

import numpy as np
import pytest

from configs import ConfigError, available
from rscovlm.data.holdout import hold_out
from rscovlm.data.mix import ENDLESS, EPOCH_OF_ENDLESS, Mix, draws_per_epoch, read_mix


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


def test_rscovlm_draws_sizes_for_referring_and_detection_alone():
    """VisionXLab/RSCoVLM@c507282: zoom and chat sources are shown at their own size."""
    mix = read_mix("mix/rscovlm")
    drawn = {source.name for source in mix.sources if source.resolution == {"linear": 1.0}}
    assert drawn == {"refgeo_poly", "refgeo_hbb", "dota_poly_trainval512", "dota_hbb_trainval512"}
    assert mix.defaults.resolution == {"native": 1.0}


def test_ratios_are_shares_of_samples_or_of_tokens(tmp_path):
    stated = [{"name": "short", "ratio": 1}, {"name": "long", "ratio": 1}]
    sources = {"short": Sized("short", 500, tokens=10), "long": Sized("long", 500, tokens=90)}
    by_samples = settings(tmp_path, sources=stated, epoch_samples=1000)
    assert draws_per_epoch(by_samples, sources) == {"short": 500, "long": 500}
    by_tokens = settings(tmp_path, sources=stated, epoch_samples=1000, unit="tokens")
    assert draws_per_epoch(by_tokens, sources) == {"short": 900, "long": 100}  # 9000 tokens each


def test_a_temperature_counts_tokens_where_the_mix_does(tmp_path):
    sources = {"short": Sized("short", 500, tokens=10), "long": Sized("long", 500, tokens=90)}
    stated = {"sources": ["short", "long"], "unit": "tokens", "epoch_samples": 1000}
    assert draws_per_epoch(settings(tmp_path, **stated, temperature=1), sources) == {
        "short": 500,
        "long": 500,
    }
    # sqrt(500 * 10) : sqrt(500 * 90) = 1 : 3 of the tokens, of which a long sample has nine times as many.
    assert draws_per_epoch(settings(tmp_path, **stated, temperature=2), sources) == {
        "short": 750,
        "long": 250,
    }


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
    mix = Mix(sources, {"made": 4, "file": 6}, seed=3, splits=hold_out(sources, 2, seed=3))
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


def test_each_pass_and_each_epoch_is_shuffled_anew():
    mix = Mix(sized(a=50), {"a": 50}, seed=3)
    passes = [[key.index for key in mix.order(epoch)] for epoch in range(4)]
    assert all(sorted(indices) == list(range(50)) for indices in passes)
    assert len({tuple(indices) for indices in passes}) == 4
    # Half a pass an epoch: the first halves of two passes are not the same samples.
    half = Mix(sized(a=50), {"a": 25}, seed=3)
    first, second, again = ({key.index for key in half.order(epoch)} for epoch in range(3))
    assert first | second == set(range(50))
    assert again not in (first, second)
    # One pass over two epochs: what differs is the order of sources, too.
    two = Mix(sized(a=40, b=40), {"a": 20, "b": 20}, seed=3)
    assert [key.source for key in two.order(0)] != [key.source for key in two.order(1)]
    assert [key.index for key in Mix(sized(a=50), {"a": 50}, seed=4).order(0)] != passes[0]


def test_held_out_samples_are_never_drawn():
    mix = Mix(sized(a=30, b=4), {"a": 60, "b": 4}, seed=1, splits=hold_out(sized(a=30, b=4), 10, seed=1))
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
        Mix(sized(a=6), {"a": 5}, seed=1, splits=hold_out(sized(a=6), 1, seed=1)).fingerprint,
        Mix(sized(a=5), {"a": 5}, seed=1, facts="other").fingerprint,
    }
    assert len(prints) == 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sources": []}, "sources: list should have at least 1 item"),
        ({"sources": ["a*1.5"]}, "'a\\*1.5' is no name, name\\*repeats or name%percent"),
        ({"sources": ["a%0"]}, "a percentage lies above 0"),
        ({"sources": ["a", "a*2"]}, "sources a are listed twice"),
        ({"sources": [{"name": "a", "ratio": 1}, "b"]}, "either all sources have a ratio or none has"),
        ({"sources": ["a*2"], "temperature": 2}, "exclude each other"),
        ({"sources": ["a"], "epoch_samples": 9}, "goes with ratios or a temperature"),
        ({"sources": ["a"], "root": 3, "unit": "words"}, "root: .*; .*unit: input should be"),
        (
            {"sources": [{"name": "a", "repeats": 2}]},
            "sources.0.repeats: unknown setting",
        ),
    ],
)
def test_a_mix_says_all_that_is_wrong_with_it(tmp_path, data, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, **data)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.yaml", "holdout: 3\nsources: [a]\nholdout: 4\n", "line 3: holdout is set already on line 1"),
        (
            "m.yaml",
            "sources:\n- {name: a, repeat: 2, repeat: 3}\n",
            "sources.0.repeat is set already on line 2",
        ),
        ("m.json", '{"sources": ["a"], "holdout": 1, "holdout": 2}', "holdout set twice"),
        ("m.json", '{"sources": [', "is not valid JSON"),
    ],
)
def test_a_key_that_is_set_twice_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_mix(tmp_path / name)


@pytest.mark.parametrize("name", available("mix"))
def test_shipped_mixes_are_read(name):
    assert read_mix(name).sources
