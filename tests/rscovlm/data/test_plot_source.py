"""Plots as a source of a mix: tokens, numbers, splits, and what an export keeps of them."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs import ConfigError
from rscovlm.data.agbd import write_agbd
from rscovlm.data.agbd_raw_writing import write_agbd_raw
from rscovlm.data.example import FIELD
from rscovlm.data.plot_files import open_plots
from rscovlm.data.plot_prompts import asked, asked_as
from rscovlm.data.plot_questions import QUESTIONS, season_at
from rscovlm.data.plot_source import PlotSource
from rscovlm.data.plot_views import RASTER, raster, read_scaling, scaling_of, shown_as
from rscovlm.data.seasons import SEASONS
from rscovlm.data.splits import split_of
from rscovlm.errors import DataError, ModelError
from rscovlm.models.inputs import PatchInput, read_inputs
from rscovlm.synth.forest import BANDS, LAND_COVERS, POLARISATIONS, make_plot, make_tile
from rscovlm.training.building import open_base, write_fresh
from rscovlm.training.config import load_train_config
from rscovlm.training.run import open_mix
from rscovlm.training.settings import Stem


@pytest.fixture(scope="module", params=[False, True], ids=["agbd", "agbd-lite"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("plots")
    plots = [make_plot(3, make_tile(3, tile), index) for tile in range(12) for index in range(2)]
    write_agbd(path / "plots.h5", plots, lite=request.param)
    return path


@pytest.fixture(scope="module")
def base():
    return open_base(load_train_config("synth"), Path())


def opened(folder, base, **options):
    return PlotSource("plots", base.encoder, 1, 1 << 40, folder, ["plots.h5"], **options)


def test_splits_are_by_tile_and_make_up_the_whole(folder, base):
    parts = {split: opened(folder, base, split=split) for split in ("train", "val", "test", "all")}
    for split in ("train", "val", "test"):
        assert {split_of(tile) for tile in parts[split].places.tile} == {split}
    keys = [part.key(row) for name, part in parts.items() if name != "all" for row in range(len(part))]
    whole = parts["all"]
    assert sorted(keys) == sorted(whole.key(row) for row in range(len(whole)))
    assert len(set(keys)) == 24


def test_an_example_shows_the_views_and_brings_the_numbers(folder, base):
    source = opened(folder, base, views=["natural", "sar"], answers=["number"])
    example = source.encode(0, 0)
    assert [picture.view for picture in example.pictures] == ["natural", "sar"]
    assert example.grids[:, 1:].tolist() == [[5, 5], [5, 5]], "one visual token is in the middle"
    agb = source.places.numbers["agb_mg_per_ha"][0]
    assert example.numbers["agb_mg_per_ha"] == pytest.approx(agb)
    assert {"agbd_se", "canopy_height_m", "patch_count"} < example.numbers.keys()
    said = base.tokenizer.decode(example.ids[example.learnt])
    assert said == f"{round(agb)} Mg/ha<|im_end|>"
    marked = example.ids[example.tokens["coordinate"]]
    assert base.tokenizer.decode(marked) == str(round(agb)), "near misses are nearly right"


def test_every_kind_of_answer_is_that_of_the_plot(folder, base):
    by_tile = {}
    for tile in range(12):
        for index in range(2):
            plot = make_plot(3, make_tile(3, tile), index)
            by_tile[plot.tile.name, round(plot.agbd, 3)] = plot
    for kind in ("cover", "activity", "count"):
        source = opened(folder, base, answers=[kind], split="all")
        for row in (0, 7, 23):
            example = source.encode(row, 0)
            agb = round(float(source.places.numbers["agb_mg_per_ha"][row]), 3)
            plot = by_tile[str(source.places.tile[row]), agb]
            expected = {
                "cover": LAND_COVERS[int(plot.land_cover[12, 12])],
                "activity": plot.activity,
                "count": str(plot.patches),
            }[kind]
            words = base.tokenizer.decode(example.ids)
            assert QUESTIONS[kind] in words
            assert base.tokenizer.decode(example.ids[example.learnt]) == f"{expected}<|im_end|>"


def test_samples_of_parquet_are_those_of_hdf5(tmp_path, base):
    plots = [make_plot(3, make_tile(3, tile), index) for tile in range(6) for index in range(3)]
    write_agbd(tmp_path / "plots.h5", plots, lite=True)
    write_agbd_raw(tmp_path / "plots.parquet", plots, row_group=4)
    options = {
        "views": ["natural", "swir", "sar"],
        "answers": ["cover", "number"],
        "hints": ["place", "elevation"],
        "maps": ["canopy_height_m"],
        "split": "all",
    }
    hdf5, table = (
        PlotSource("plots", base.encoder, 1, 15, tmp_path, [name], **options)
        for name in ("plots.h5", "*.parquet")
    )
    assert table.inputs == hdf5.inputs
    assert table.digest == hdf5.digest
    worker = pickle.loads(pickle.dumps(table))
    for index in (14, 3, 8, 0):  # in no order, as training draws them
        for visit in (0, 1):
            one, other = worker.encode(index, visit), hdf5.encode(index, visit)
            assert one.key == other.key
            assert one.ids.tolist() == other.ids.tolist()
            assert one.learnt.tolist() == other.learnt.tolist()
            assert one.numbers == pytest.approx(other.numbers)
            for mine, its in zip(one.pictures, other.pictures, strict=True):
                np.testing.assert_array_equal(mine.read(), its.read())
            np.testing.assert_array_equal(*(each.images[FIELD + "canopy_height_m"] for each in (one, other)))


def test_an_answer_is_drawn_anew_at_each_visit_and_the_same_for_the_same_one(folder, base):
    source = opened(folder, base, answers=["cover", "number"])
    tasks = [source.encode(0, visit).task for visit in range(8)]
    assert set(tasks) == {"vqa", "regression"}
    assert tasks == [source.encode(0, visit).task for visit in range(8)]


def test_what_a_checkpoint_keeps_makes_the_same_pictures_of_other_plots(folder, base):
    trained = opened(folder, base, views=["swir"])
    kept = json.loads(json.dumps(trained.inputs))
    assert set(kept["tiles"]) == set(trained.places.tile.tolist())
    again = opened(folder, base, split="all", **{k: kept[k] for k in ("views", "side", "fit", "scaling")})
    assert again.scaling == trained.scaling == read_scaling(kept["scaling"])
    row = [again.key(row) for row in range(len(again))].index(trained.key(0))
    assert (again.pictures(row)[0].read() == trained.pictures(0)[0].read()).all()


def test_what_a_checkpoint_keeps_shows_a_scene_as_it_was_trained(folder, base, tmp_path):
    trained = opened(folder, base, views=["swir", "sar"])
    (tmp_path / "rscovlm.json").write_text(json.dumps({"inputs": trained.inputs}))
    inputs = read_inputs(tmp_path)
    plot = open_plots(trained.files[0]).read(str(trained.places.group[0]), int(trained.places.row[0]))
    pixels = np.concatenate([plot.reflectance, plot.gamma0_db], axis=-1)
    shown = inputs.images(pixels, (*BANDS, *POLARISATIONS))
    for mine, learnt in zip(shown, trained.pictures(0), strict=True):
        np.testing.assert_array_equal(mine.read(), learnt.read())


def test_a_mix_reads_it_beside_its_file_and_holds_out_whole_tiles(folder):
    options = "{files: [plots.h5], views: [natural], split: all}"
    (folder / "mix.yaml").write_text(
        f"holdout: 4\nholdout_by: tile\nsources:\n  - {{name: p, generator: agbd, options: {options}}}\n"
    )
    config = load_train_config("synth", [f"mix={folder / 'mix.yaml'}"])
    mix = open_mix(config, open_base(config, folder))
    held = {str(mix.sources["p"].places.tile[key.index]) for key in mix.held_out["p"]}
    drawn = {str(mix.sources["p"].places.tile[key.index]) for key in mix.order(0)}
    assert len(mix.held_out["p"]) == 4
    assert not held & drawn


def mixed(folder, text):
    (folder / "mix.yaml").write_text(text)
    config = load_train_config("synth", [f"mix={folder / 'mix.yaml'}"])
    return open_mix(config, open_base(config, folder))


def test_what_is_held_out_counts_neither_in_ranges_nor_in_statistics_of_regions(folder, base, monkeypatch):
    """The same mix of files from which the tiles held out are gone says the same of each plot left."""
    monkeypatch.setattr("rscovlm.data.plot_regions.LEAST", 2)
    monkeypatch.setattr("rscovlm.data.splits.splitter", lambda folder: lambda tile: "train")
    options = "{files: [plots.h5], views: [natural, sar], regions: cover}"
    mix = mixed(
        folder,
        f"holdout: 10\nholdout_by: tile\nsources:\n  - {{name: p, generator: agbd, options: {options}}}\n",
    )
    source = mix.sources["p"]
    held = {key.index for key in mix.held_out["p"]}
    left = np.array([row for row in range(len(source)) if row not in held])
    assert len(held) == 10
    whole = PlotSource(
        "p", base.encoder, 1, 1 << 40, folder, ["plots.h5"], ["natural", "sar"], regions="cover"
    )
    agb = source.places.numbers["agb_mg_per_ha"]
    assert source.regions.overall["agb_mg_per_ha"].plots == len(left)
    assert source.regions.overall["agb_mg_per_ha"].mean == pytest.approx(agb[left].mean())
    assert source.scaling == scaling_of(source.footprint(int(row)) for row in left)
    assert source.scaling != whole.scaling
    assert source.inputs["scaling"] == source.scaling.model_dump(mode="json")
    stated = whole.scaling.model_dump()
    own = PlotSource("p", base.encoder, 1, 1 << 40, folder, ["plots.h5"], scaling=stated)
    own.measure(left)
    assert own.scaling == whole.scaling, "ranges that are stated stay"


def test_sources_that_show_plots_otherwise_are_refused_at_the_start(folder):
    shown = "  - {{name: {0}, generator: agbd, options: {{files: [plots.h5], views: [{1}], split: all}}}}\n"
    one, other = (shown.format(name, view) for name, view in (("a", "natural"), ("b", "swir")))
    with pytest.raises(ConfigError, match=r"mix\.yaml: b shows plots otherwise than a: views differs; list"):
        mixed(folder, f"sources:\n{one}{other}")
    assert len(mixed(folder, f"sources:\n{one}{one.replace('name: a', 'name: b')}").sources) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{views: [natural]}", "generator agbd needs the options files"),
        (
            "{files: [plots.h5], view: natural}",
            "does not take the options view; it has files, views, answers",
        ),
        ("{files: [none.h5]}", "none.h5 cannot be read as HDF5"),
        ("{files: [plots.h5], views: [rgb]}", "view 'rgb' is unknown"),
        ("{files: [plots.h5], answers: [weather]}", "have to be of activity, cover, count, number"),
        ("{files: [plots.h5], side: 50}", "side 50 px is not a multiple of the visual tokens' 16 px"),
        ("{files: [plots.h5], fit: crop}", "fit 'crop' is unknown; choose from upsample, pad"),
        ("{files: [plots.h5], split: dev}", "split 'dev' is unknown"),
        ("{files: [plots.h5], hints: [weather]}", "hints ['weather'] have to be of sensor, range"),
        ("{files: [plots.h5], knowledge: number}", "knowledge 'number' has to be of activity, cover, count"),
        ("{files: [plots.h5], tables: [none.csv]}", "none.csv is no table of numbers by key"),
        ("{files: [plots.h5], maps: [agbd]}", "maps ['agbd'] have to be of canopy_height_m"),
    ],
)
def test_what_is_wrong_with_the_options_is_one_line(folder, options, words):
    (folder / "wrong.yaml").write_text(f"sources:\n  - {{name: p, generator: agbd, options: {options}}}\n")
    config = load_train_config("synth", [f"mix={folder / 'wrong.yaml'}"])
    with pytest.raises(ConfigError) as caught:
        open_mix(config, open_base(config, folder))
    assert words in str(caught.value)


def test_a_split_without_tiles_is_refused(tmp_path, base):
    tile = next(made for made in (make_tile(5, i) for i in range(50)) if split_of(made.name) == "train")
    write_agbd(tmp_path / "plots.h5", [make_plot(5, tile, 0)])
    with pytest.raises(DataError, match="no tile belongs to split test"):
        opened(tmp_path, base, split="test")


def test_missing_numbers_are_left_out(folder, base):
    source = opened(folder, base)
    source.places.numbers["canopy_height_m"][0] = np.nan
    assert "canopy_height_m" not in source.numbers(0)
    assert "canopy_height_m" in source.numbers(1)


def test_files_go_by_pattern_and_by_the_split_in_their_name(folder, base, tmp_path):
    for name in ("a_train.h5", "a_test.h5"):
        (tmp_path / name).write_bytes((folder / "plots.h5").read_bytes())
    options = {"files": ["*.h5"], "views": ["natural"]}
    train, test = (
        PlotSource("p", base.encoder, 0, 1 << 40, tmp_path, split=split, **options)
        for split in ("train", "test")
    )
    assert len(train) == len(test) == len(opened(folder, base, split="all"))
    assert {train.files[index].name for index in train.places.file} == {"a_train.h5"}
    with pytest.raises(DataError, match="holds no file"):
        PlotSource("p", base.encoder, 0, 1, tmp_path, files=["*.hdf"])


def test_a_map_comes_with_every_picture_where_the_picture_shows_it(folder, base):
    source = opened(folder, base, views=["natural", "sar"], maps=["canopy_height_m"])
    maps = source.encode(3, 0).images[FIELD + "canopy_height_m"]
    height = source.footprint(3).canopy_height_m
    assert maps.shape == (2, 2, 25, 25)
    assert (maps[:, 0] == height).all()
    assert (maps[:, 1] == 1).all()


def test_what_is_mirrored_about_a_padded_plot_is_unknown(folder, base):
    source = opened(folder, base, fit="pad", maps=["canopy_height_m"])
    maps = source.encode(3, 0).images[FIELD + "canopy_height_m"][0]
    before = (source.side - 25) // 2
    assert maps.shape == (2, source.side, source.side)
    assert maps[1].sum() == 25 * 25
    assert (maps[0, before : before + 25, before : before + 25] == source.footprint(3).canopy_height_m).all()


def test_a_file_without_the_map_says_so(folder, base, tmp_path):
    import h5py

    (tmp_path / "plots.h5").write_bytes((folder / "plots.h5").read_bytes())
    with h5py.File(tmp_path / "plots.h5", "r+") as file:
        for group in [file] if "CH" in file else list(file.values()):
            del group["CH"]
    with pytest.raises(DataError, match="has no canopy_height_m; leave it out of maps"):
        opened(tmp_path, base, maps=["canopy_height_m"]).encode(0, 0)


def test_hints_stand_before_the_number_alone_and_those_of_a_plot_at_every_other_visit(folder, base):
    source = opened(folder, base, hints=["range", "elevation"], answers=["number"])
    height = source.footprint(2).elevation_m[12, 12]
    told, untold = (base.tokenizer.decode(source.encode(2, visit).ids) for visit in (0, 1))
    assert f"Values lie between 0 and 500 Mg/ha. Elevation {height:.0f} m. {QUESTIONS['number']}" in told
    assert f"Values lie between 0 and 500 Mg/ha. {QUESTIONS['number']}" in untold
    assert source.inputs["prompt"] == f"Values lie between 0 and 500 Mg/ha. {QUESTIONS['number']}"
    assert source.question("cover", 2) == QUESTIONS["cover"]


def test_the_season_is_told_wherever_a_model_is_asked_and_places_in_training_alone(folder, base):
    source = opened(folder, base, hints=["range", "season", "place"], answers=["number"], views=["swir"])
    plot = source.footprint(2)
    season = season_at(plot, 1)
    assert season in SEASONS
    where = f"Latitude {plot.numbers['lat']:.0f}, longitude {plot.numbers['lon']:.0f} degrees."
    few, number = "Values lie between 0 and 500 Mg/ha.", QUESTIONS["number"]
    told, untold = (base.tokenizer.decode(source.encode(2, visit).ids) for visit in (0, 1))
    assert f"{few} Seen in {season}. {where} {number}" in told
    assert f"{few} {number}" in untold
    assert source.prompt(2, "number").messages[-1].text == f"{few} Seen in {season}. {number}"
    inputs = PatchInput.model_validate(source.inputs)
    assert (inputs.prompt, inputs.seasonal) == (f"{few} {number}", f"{few} Seen in {{season}}. {number}")
    assert asked(inputs, plot).messages[-1].text == f"{few} Seen in {season}. {number}"
    unknown = replace(plot, days=(float("nan"),))
    assert asked(inputs, unknown).messages[-1].text == inputs.in_season("").prompt == f"{few} {number}"
    again = opened(folder, base, **shown_as(inputs), **asked_as(inputs))
    assert again.prompt(2, "number").messages[-1].text == f"{few} Seen in {season}. {number}"
    assert opened(folder, base, hints=["range"]).inputs["seasonal"] is None


def test_knowledge_is_asked_and_answered_before_the_number_and_not_learnt(folder, base):
    source = opened(folder, base, knowledge="cover", answers=["number"])
    coded = source.encode(2, 0)
    text = base.tokenizer.decode(coded.ids)
    assert text.index(QUESTIONS["cover"]) < text.index(source.cover(2)) < text.index(QUESTIONS["number"])
    assert source.cover(2) not in base.tokenizer.decode(coded.ids[coded.learnt])
    assert source.prompt(2, "number", known="a lake").messages[1].text == "a lake"
    assert len(source.prompt(2, "cover").messages) == 1
    assert source.inputs["knowledge"] == QUESTIONS["cover"]


def test_a_native_stem_sees_all_bands_in_one_image(folder, tmp_path):
    """The same run that widens nano trains on it, and a scene is shown in the same way."""
    stem = f"stem={{bands: [{', '.join(RASTER)}]}}"
    config = load_train_config("agbd-nano", [f"mix_root={folder}", stem])
    write_fresh(config, tmp_path)
    wide = open_base(config, tmp_path)
    source = opened(folder, wide, views=["native"])
    (picture,) = source.encode(3, 0).pictures
    pixels = picture.read()
    assert (pixels.dtype, pixels.shape) == (np.float32, (source.side, source.side, 14))
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    (tmp_path / "rscovlm.json").write_text(json.dumps({"inputs": source.inputs}))
    shown = read_inputs(tmp_path)
    assert shown.bands == RASTER
    (image,) = shown.images(raster(source.footprint(3)), RASTER)
    np.testing.assert_array_equal(image.read(), pixels)
    with pytest.raises(DataError, match="make images of 3 bands, and the checkpoint sees 14"):
        opened(folder, wide, views=["natural"])
    with pytest.raises(ModelError, match="has a stem for B01, B02"):
        open_base(
            config.model_copy(update={"model": str(tmp_path / "base"), "stem": Stem(bands=("B02",))}),
            tmp_path,
        )


def test_a_native_stem_sees_each_date_in_an_image_of_its_own(folder, tmp_path):
    """Radar is the same in both; a scene of each date and radar make the same images."""
    config = load_train_config("agbd-nano", [f"mix_root={folder}", f"stem={{bands: [{', '.join(RASTER)}]}}"])
    write_fresh(config, tmp_path)
    wide = open_base(config, tmp_path)
    write_agbd(tmp_path / "plots.h5", [make_plot(3, make_tile(3, t), 0, dates=2) for t in range(3)])
    source = opened(tmp_path, wide, split="all", views=["native", "native@2"])
    first, later = (picture.read() for picture in source.encode(1, 0).pictures)
    np.testing.assert_array_equal(first[..., 12:], later[..., 12:])
    assert np.abs(first[..., :12] - later[..., :12]).mean() > 0.005
    stated = PatchInput.model_validate(source.inputs)
    assert (stated.dates, len(stated.bands)) == (2, 12 + 2 + 12)
    shown = asked(stated, source.footprint(1)).images
    for picture, image in zip(source.pictures(1), shown, strict=True):
        np.testing.assert_allclose(picture.read(), image.read(), atol=1e-6, rtol=0)
    with pytest.raises(DataError, match="native@2, native cannot be shown together; native stands alone"):
        opened(tmp_path, wide, split="all", views=["native@2", "native"])
    with pytest.raises(DataError, match="native, natural cannot be shown together"):
        opened(tmp_path, wide, split="all", views=["native", "natural"])


def test_views_of_two_dates_are_shown_where_files_have_them(tmp_path, folder, base):
    write_agbd(tmp_path / "plots.h5", [make_plot(3, make_tile(3, t), 0, dates=2) for t in range(3)])
    source = opened(tmp_path, base, split="all", views=["natural", "natural@2", "sar"])
    assert [picture.view for picture in source.encode(0, 0).pictures] == ["natural", "natural@2", "sar"]
    first, later, _ = (picture.read() for picture in source.pictures(0))
    assert np.abs(first.astype(int) - later).mean() > 1
    stated = PatchInput.model_validate(source.inputs)
    assert stated.dates == 2
    shown = asked(stated, source.footprint(0)).images
    for picture, image in zip(source.pictures(0), shown, strict=True):
        np.testing.assert_allclose(picture.read(), image.read(), atol=1, rtol=0)  # one of both is float32
    with pytest.raises(DataError, match=r"plots\.h5 has 1 date of each plot, and views of date 2 are asked"):
        opened(folder, base, views=["natural", "natural@2"])
