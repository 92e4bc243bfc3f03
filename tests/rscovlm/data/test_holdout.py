"""What is held out shares no image, and no scene, with what is trained on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import ConfigError
from rscovlm.data.holdout import hold_out
from rscovlm.data.sample import ImageRef, Sample, Turn
from rscovlm.data.store import SampleFile, write_samples


class Linked:
    """A source of samples that share things."""

    in_order = False

    def __init__(self, name, shared):
        self.name, self.shared = name, shared

    def __len__(self):
        return len(self.shared)

    def links(self, group=None):
        return (tuple(f"{group or 'image'} {each}" for each in shared) for shared in self.shared)


def linked(**shared):
    return {name: Linked(name, each) for name, each in shared.items()}


def images_of(sources, splits, side):
    return {
        image
        for name, source in sources.items()
        for index in getattr(splits[name], side)
        for image in source.shared[index]
    }


shares = st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=40)


@settings(max_examples=200, deadline=None)
@given(shares, shares, st.integers(1, 20), st.integers(0, 3))
def test_no_sample_held_out_shares_an_image_with_a_trained_one(a, b, most, seed):
    sources = linked(a=a, b=b)
    splits = hold_out(sources, most, seed)
    assert not images_of(sources, splits, "trained") & images_of(sources, splits, "held_out")
    for name, source in sources.items():
        trained, held_out = splits[name].trained.tolist(), splits[name].held_out.tolist()
        assert not set(trained) & set(held_out)
        assert trained == sorted(trained)
        assert len(held_out) <= min(most, len(source) // 2)
        assert len(trained) >= len(source) - len(source) // 2  # at least half is left


def test_groups_that_fit_give_exactly_the_number_asked_for():
    sources = linked(a=[[i // 2] for i in range(40)])  # two samples of each image
    split = hold_out(sources, 6, 1)["a"]
    assert (len(split.held_out), len(split.trained)) == (6, 34)
    assert {index // 2 for index in split.held_out} == {index // 2 for index in split.held_out[::2]}
    assert hold_out(sources, 6, 1)["a"].held_out.tolist() == split.held_out.tolist()
    assert hold_out(sources, 6, 2)["a"].held_out.tolist() != split.held_out.tolist()


def test_a_group_larger_than_asked_for_is_taken_whole_and_its_rest_set_aside():
    split = hold_out(linked(a=[[i // 10] for i in range(40)]), 3, 1)["a"]
    assert (len(split.held_out), len(split.trained)) == (3, 30)


def test_a_source_of_one_image_holds_nothing_out_rather_than_a_trained_image():
    split = hold_out(linked(a=[["x"]] * 9), 3, 1)["a"]
    assert (len(split.held_out), len(split.trained)) == (0, 9)


def test_a_chain_of_pairs_is_one_group():
    shared = [["a", "b"], ["b", "c"], ["c", "d"]] + [[f"x{i}"] for i in range(9)]
    for seed in range(20):
        trained = set(hold_out(linked(a=shared), 4, seed)["a"].trained.tolist())
        assert len(trained & {0, 1, 2}) in (0, 3)


def test_an_image_of_two_sources_is_on_one_side_only():
    sources = linked(ask=[[i] for i in range(20)], detect=[[i] for i in range(20)])
    splits = hold_out(sources, 5, 3)
    assert not images_of(sources, splits, "trained") & images_of(sources, splits, "held_out")
    assert len(splits["ask"].held_out) == len(splits["detect"].held_out) == 5


# --- by files -------------------------------------------------------------------------------------


def asked(name, image, **attributes):
    turns = (Turn("user", "<image>?"), Turn("assistant", "yes"))
    return Sample(name, "vqa", (ImageRef(image, size=(9, 9)),), turns, attributes=attributes)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_files_link_samples_by_the_file_of_an_image_however_it_is_named(tmp_path, suffix):
    (tmp_path / "sub").mkdir()
    absolute = str(tmp_path / "images" / "a.png")
    write_samples(tmp_path / f"x{suffix}", [asked("1", "images/a.png", tile=7), asked("2", absolute)])
    write_samples(tmp_path / "sub" / f"y{suffix}", [asked("3", "../images/a.png")])
    found = [
        *SampleFile(tmp_path / f"x{suffix}").links(),
        *SampleFile(tmp_path / "sub" / f"y{suffix}").links(),
    ]
    assert found == [(f"image {absolute}",)] * 3
    by_tile = list(SampleFile(tmp_path / f"x{suffix}").links("tile"))
    assert by_tile == [(f"image {absolute}", "tile 7"), (f"image {absolute}",)]


def test_a_record_that_cannot_be_read_links_to_nothing(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": 3}\n{broken\n[1]\n{"images": "x"}\n{"images": [3]}\n')
    assert list(SampleFile(tmp_path / "x.jsonl").links("tile")) == [()] * 5


class Filed:
    """A source of a file."""

    in_order = False

    def __init__(self, path):
        self.file = SampleFile(path)
        self.links = self.file.links

    def __len__(self):
        return len(self.file)


def test_a_named_field_keeps_tiles_of_a_scene_together(tmp_path):
    scenes = np.arange(60) // 6
    samples = [asked(f"{i}", f"{i}.png", scene=f"s{scene}") for i, scene in enumerate(scenes)]
    write_samples(tmp_path / "x.jsonl", samples)
    split = hold_out({"x": Filed(tmp_path / "x.jsonl")}, 12, 5, "scene")["x"]
    assert len(split.held_out) == 12
    assert not set(scenes[split.held_out]) & set(scenes[split.trained])
    by_image = hold_out({"x": Filed(tmp_path / "x.jsonl")}, 12, 5)["x"]
    assert set(scenes[by_image.held_out]) & set(scenes[by_image.trained])


def test_a_field_that_no_sample_has_is_refused(tmp_path):
    write_samples(tmp_path / "x.jsonl", [asked("1", "a.png"), asked("2", "b.png")])
    with pytest.raises(ConfigError, match="holdout_by: no sample has a field or attribute 'scen'"):
        hold_out({"x": Filed(tmp_path / "x.jsonl")}, 1, 1, "scen")


def test_top_level_fields_group_too(tmp_path):
    lines = [json.dumps(asked(f"{i}", f"{i}.png").to_json() | {"source": f"s{i % 2}"}) for i in range(8)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    split = hold_out({"x": Filed(tmp_path / "x.jsonl")}, 4, 1, "source")["x"]
    assert {index % 2 for index in split.held_out.tolist()} in ({0}, {1})
