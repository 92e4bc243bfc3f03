"""Numbers about plots as items: AGBD, the chain, REO-Instruct."""

import json
import pickle

import pytest
from PIL import Image

from rscovlm.bench.suites import SUITES
from rscovlm.data.agbd import write_agbd
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.data.plot_prompts import is_plot, plot_named
from rscovlm.data.splits import OFFICIAL, split_of
from rscovlm.synth.forest import make_plot, make_tile

PLOTS = [make_plot(4, make_tile(4, tile), index) for tile in range(12) for index in range(2)]


def test_agbd_has_an_item_for_each_labelled_plot_of_the_split_of_its_tile(tmp_path):
    write_agbd(tmp_path / "data_subset-2019-v4_0-20.h5", PLOTS)
    items = list(SUITES["agbd"].read(tmp_path, "test"))
    assert len(items) == 2 * sum(split_of(make_tile(4, tile).name) == "test" for tile in range(12))
    item = items[0]
    assert (item.kind, item.extra["unit"], item.extra["target"]) == ("number", "Mg/ha", "agb_mg_per_ha")
    assert is_plot(item.images[0])
    plot = plot_named(item.images[0])
    assert plot.tile == item.extra["tile"]
    assert float(item.truth.answers[0]) == pytest.approx(plot.numbers["agbd"], rel=1e-5)


def test_items_of_agbd_raw_are_those_of_hdf5(tmp_path):
    for name in ("hdf5", "raw/data"):
        (tmp_path / name).mkdir(parents=True)
    write_agbd(tmp_path / "hdf5" / "test-0.h5", PLOTS[:4], lite=True)
    write_agbd_raw(tmp_path / "raw" / "data" / "test-0.parquet", PLOTS[:4])
    for benchmark in ("agbd", "reo-chain"):
        hdf5, raw = (list(SUITES[benchmark].read(tmp_path / name, "test")) for name in ("hdf5", "raw"))
        assert [item.key for item in raw] == [item.key for item in hdf5]
        assert [item.truth for item in raw] == [item.truth for item in hdf5]
        assert [item.groups for item in raw] == [item.groups for item in hdf5]
    assert (plot_named(raw[0].images[0]).reflectance == plot_named(hdf5[0].images[0]).reflectance).all()
    assert not list(SUITES["agbd"].read(tmp_path / "raw", "train"))


def test_agbds_own_split_decides_where_its_file_is_there(tmp_path):
    write_agbd(tmp_path / "data_subset-2019-v4_0-20.h5", PLOTS)
    first, second, third = (make_tile(4, tile).name for tile in range(3))
    stated = {"train": [first], "val": [second], "test": [third]}
    (tmp_path / OFFICIAL).write_bytes(pickle.dumps(stated))
    items = list(SUITES["agbd"].read(tmp_path, "test"))
    assert [item.extra["tile"] for item in items] == [third, third]


def test_a_file_whose_name_says_its_split_is_of_it_as_a_whole(tmp_path):
    write_agbd(tmp_path / "AGBD-Lite_test.h5", PLOTS, lite=True)
    assert len(list(SUITES["agbd-lite"].read(tmp_path, "test"))) == 24
    assert not list(SUITES["agbd-lite"].read(tmp_path, "train"))


def test_the_chain_gives_each_link_nothing_the_right_answers_or_the_models_own(tmp_path):
    write_agbd(tmp_path / "p_test.h5", PLOTS[:1], lite=True)
    items = {item.groups["given"]: item for item in SUITES["reo-chain"].read(tmp_path, "test")}
    assert list(items) == [
        "activity, none",
        *(f"cover, {given}" for given in ("none", "oracle", "predicted")),
        *(f"count, {given}" for given in ("none", "oracle", "predicted")),
        *(f"number, {given}" for given in ("none", "oracle", "predicted")),
    ]
    right = {name: items[f"{name}, none"].truth.answers[0] for name in ("activity", "cover", "count")}
    oracle, predicted = items["number, oracle"], items["number, predicted"]
    assert oracle.subject.startswith(
        f"Human activity: {right['activity']}. Land cover in the middle: {right['cover']}. "
        f"Patches of forest: {right['count']}. What is"
    )
    assert "{count}" in predicted.subject
    keys = predicted.extra["after"]
    assert keys["activity"].endswith("/activity/none")
    assert keys["count"].endswith("/count/predicted")
    assert items["cover, none"].options[0] == "shrubs"


def test_reo_instruct_has_its_four_tasks(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    rows = [
        {"id": 1, "image": "a.png", "question": "What is the AGB?", "answer": "It is 120.5 Mg/ha."},
        {"id": 2, "image": "a.png", "question": "How many ecological patches are there?", "answer": "3"},
        {"id": 3, "image": "a.png", "question": "What is the land cover?", "answer": "closed forest"},
        {"id": 4, "image": "a.png", "question": "Are there roads?", "answer": "yes"},
    ]
    (tmp_path / "reo_test.json").write_text(json.dumps(rows))
    items = list(SUITES["reo-instruct"].read(tmp_path, "test"))
    assert [(item.kind, item.groups["task"]) for item in items] == [
        ("number", "biomass"),
        ("count", "patches"),
        ("open", "land cover"),
        ("open", "activity"),
    ]
    assert items[0].truth.answers == ("120.5",)
    assert items[1].extra["target"] == "patch_count"


BIOMASS = "What is the above-ground biomass in Mg/ha?"


def reo_items(folder, rows, name="reo_test.json", split="test"):
    """The items of records, and what was left out of them."""
    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (25, 25)).save(folder / "images" / "0.png")
    (folder / name).write_text(json.dumps(rows))
    reading = SUITES["reo-instruct"].read(folder, split)
    return list(reading), dict(reading.account.left_out)


def test_every_question_of_a_conversation_is_an_item_about_its_images(tmp_path):
    url = {"type": "image_url", "image_url": {"url": "images/0.png"}}
    turns = [
        {"role": "user", "content": [url, {"type": "text", "text": "Which land cover is it?"}]},
        {"role": "assistant", "content": "cropland"},
        {"role": "user", "content": BIOMASS},
        {"role": "assistant", "content": "0.5 kg/m2"},
    ]
    items, _ = reo_items(tmp_path, [{"id": "a", "messages": turns}])
    assert [(item.key, item.groups["task"], item.truth.answers) for item in items] == [
        ("a/0", "land cover", ("cropland",)),
        ("a/1", "biomass", ("5",)),
    ]
    assert all(len(item.images) == 1 for item in items)


def test_questions_without_their_images_are_left_out_and_counted(tmp_path):
    turns = [{"from": "human", "value": f"<image>\n<image>\n{BIOMASS}"}, {"from": "gpt", "value": "5 Mg/ha"}]
    rows = [{"image": None, "question": BIOMASS, "answer": 5}, {"image": "0.png", "conversations": turns}]
    items, left = reo_items(tmp_path, rows)
    assert (items, left) == ([], {"no image": 1, "it shows more images than it names": 1})


def test_records_may_state_their_split_themselves(tmp_path):
    rows = [
        {"image": "0.png", "question": BIOMASS, "answer": place, **({"split": split} if split else {})}
        for place, split in enumerate(("train", "validation", "test", ""))
    ]
    for split, answer in (("train", "0"), ("val", "1"), ("test", "2")):
        items, left = reo_items(tmp_path, rows, "REO.json", split)
        assert [item.truth.answers for item in items] == [(answer,)]
        assert left == {"neither its file's name nor a field split says its split": 1}
