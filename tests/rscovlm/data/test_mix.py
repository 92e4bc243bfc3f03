"""Mixes: how often each source is drawn, in which order, and what is wrong with a mix."""

import json
import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from transformers import AutoConfig, AutoTokenizer

from configs import ConfigError, available
from rscovlm.data.encoding import Encoder
from rscovlm.data.holdout import hold_out
from rscovlm.data.mix import ENDLESS, EPOCH_OF_ENDLESS, Mix, draws_per_epoch, read_mix
from rscovlm.data.report import report_mix
from rscovlm.data.sample import Box, ImageRef, Sample, Turn
from rscovlm.data.sources import load_mix
from rscovlm.data.templates import load_templates
from rscovlm.errors import DataError
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
            "sources.0.repeats: there is no such setting",
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
    Image.new("RGB", (400, 400)).save(tmp_path / "x.png")
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
        Sample(f"v{i}", "vqa", (ImageRef("small.png", size=(64, 96)),), turns) for i in range(4)
    ]  # 2 x 3 visual tokens of 32 px
    Image.new("RGB", (96, 64)).save(tmp_path / "small.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "x.png")
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


def test_the_report_counts_broken_samples_by_kind_and_names_sources_without_any_other(tmp_path, model):
    turns = (Turn("user", "<image>How many ships?"), Turn("assistant", "red"))
    Image.new("RGB", (96, 64)).save(tmp_path / "x.png")
    right = Sample("r", "vqa", (ImageRef("x.png", size=(64, 96)),), turns)
    swapped = [Sample(f"s{i}", "vqa", (ImageRef("x.png", size=(96, 64)),), turns) for i in range(3)]
    write(tmp_path / "half.jsonl", [right, right, *swapped])
    lines = [json.dumps(right.to_json() | {"phrase": None, "id": f"n{i}"}) for i in range(2)]
    (tmp_path / "null.jsonl").write_text("\n".join(lines))
    (tmp_path / "mix.yaml").write_text("sources: [half, null]\n".replace("null", "'null'"))
    report = report_mix(load_mix(tmp_path / "mix.yaml", *model, seed=1), merge=2)
    half, null = report.sources
    assert (half.measured, list(half.broken.values())) == (2, [3])
    assert "has # x # px, its sample states # x # px" in next(iter(half.broken))
    assert (null.measured, list(null.broken.values())) == (0, [2])
    (line,) = report.unusable()
    assert line.startswith("source null: none of its samples can be trained on; 2 broken: ")
    assert "phrase: input should be a valid string, not None" in line


def test_a_sample_that_cannot_be_rendered_is_named_by_file_line_and_id(tmp_path, model):
    sample = Sample("far", "detection", (ImageRef("x.png", (900, 0, 9, 9), (400, 400)),), classes=("ship",))
    write(tmp_path / "ships.jsonl", [ships(1), sample])
    (tmp_path / "mix.yaml").write_text("sources: [ships]\n")
    source = load_mix(tmp_path / "mix.yaml", *model, seed=1).sources["ships"]
    with pytest.raises(DataError, match=r"ships\.jsonl:2: sample 'far': window .* lies outside"):
        source.encode(1, 0)
    assert source.place(1) == f"{tmp_path / 'ships.jsonl'}:2"


def test_all_errors_of_a_mix_are_told_in_one_round(tmp_path, model):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "mix.yaml").write_text(
        "unit: words\nholdout: -1\nepoch_samples: 9\n"
        "sources: [gone, gone, 'a*1.5', {name: b, ratio: 0}, {name: c, formats: quadd}, empty]\n"
    )
    with pytest.raises(ConfigError) as error:
        load_mix(tmp_path / "mix.yaml", *model, seed=1)
    told = str(error.value)
    for problem in (
        "unit: input should be 'samples' or 'tokens'",
        "holdout: input should be greater than or equal to 0",
        "'a*1.5' is no name, name*repeats or name%percent",
        "sources.3.ratio: input should be greater than 0",
        "sources gone are listed twice",
        "epoch_samples goes with ratios or a temperature",
        "source gone: no ",
        "source c: box format 'quadd' is unknown",
        "source empty: ",
    ):
        assert problem in told, told
    assert "\n" not in told


def test_edited_data_makes_another_fingerprint_and_data_that_moved_the_same(tmp_path, model):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "ships.jsonl", [ships(1), ships(2)])
        (tmp_path / folder / "mix.yaml").write_text("sources: [ships]\n")

    def fingerprint(folder):
        return load_mix(tmp_path / folder / "mix.yaml", *model, seed=1).fingerprint

    before = fingerprint("a")
    assert fingerprint("b") == before
    path = tmp_path / "a" / "ships.jsonl"
    facts, text = path.stat(), path.read_text()
    path.write_text(text.replace("20", "21", 1))  # of the same size, and by its time stamp unchanged
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_size == facts.st_size
    assert fingerprint("a") != before
    path.write_text(text)
    assert fingerprint("a") == before  # touched, but of the same content


def test_held_out_samples_of_a_mix_share_no_image_across_its_sources(tmp_path, model):
    turns = (Turn("user", "<image>How many ships?"), Turn("assistant", "red"))
    images = [ImageRef(f"{i}.png", size=(64, 96)) for i in range(20)]
    write(tmp_path / "vqa.jsonl", [Sample(f"v{i}", "vqa", (images[i % 20],), turns) for i in range(60)])
    write(tmp_path / "more.jsonl", [Sample(f"m{i}", "vqa", (images[i],), turns) for i in range(20)])
    (tmp_path / "mix.yaml").write_text("sources: [vqa, more]\nholdout: 6\n")
    mix = load_mix(tmp_path / "mix.yaml", *model, seed=1)

    def shown(keys):
        return {mix.sources[key.source].sample(key.index).images[0].path for key in keys}

    held_out = shown([key for keys in mix.held_out.values() for key in keys])
    assert len(mix.held_out["vqa"]) == 6
    assert not held_out & shown(mix.order(0))
    assert len(mix.order(0)) == mix.trained_on("vqa") + mix.trained_on("more")


def test_all_missing_files_are_named_at_once_with_the_way_to_make_them(tmp_path, model):
    write(tmp_path / "here.jsonl", [ships(1)])
    (tmp_path / "mix.yaml").write_text(
        "sources: [here, gone, {name: lost, path: a/b.jsonl}]\ndefaults: {formats: quadd}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_mix(tmp_path / "mix.yaml", *model, seed=1)
    for problem in ("source gone: no ", "source lost: no ", "rscovlm data convert", "'quadd' is unknown"):
        assert problem in str(error.value)
