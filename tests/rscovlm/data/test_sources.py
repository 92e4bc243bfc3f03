"""A mix from files: what is opened, what is wrong, and what makes it another mix."""

import json
import os

import pytest

from configs import ConfigError
from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.sources import load_mix
from rscovlm.errors import DataError
from rscovlm.training.run import GENERATORS
from tests.rscovlm.data.written import ships, ships_and_talk, write


def test_long_lists_lose_their_last_boxes_and_what_cannot_be_shortened_stays_too_long(tmp_path, model):
    file = ships_and_talk(tmp_path)
    mix = load_mix(file, *model, seed=1, max_tokens=400)
    source = mix.sources["ships"]
    whole = load_mix(file, *model, seed=1).sources["ships"]
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
