"""Regions of plots: the same for a source of many and for a plot that is read."""

import pytest

from rscovlm.data.plot_regions import names_of_codes, region_of
from rscovlm.errors import DataError
from rscovlm.models.checkpoints import NANO_FOLDER
from rscovlm.models.inputs import PatchInput, Target
from tests.rscovlm.reo.material import plots_file, source_of


@pytest.fixture
def file(tmp_path):
    return plots_file(tmp_path, tiles=4, plots=3)


@pytest.fixture
def everything(monkeypatch):
    """Take every tile for training, and let three plots make a region."""
    monkeypatch.setattr("rscovlm.data.splits.splitter", lambda folder: lambda tile: "train")
    monkeypatch.setattr("rscovlm.data.plot_regions.LEAST", 3)


def opened(file, **options):
    return source_of(file, NANO_FOLDER, **{"split": "train", **options})


@pytest.mark.parametrize("by", ["tile", "cover", "activity"])
def test_a_source_and_a_plot_say_the_same(file, everything, by):
    source = opened(file, regions=by)
    said = [region_of(by, source.footprint(index)) for index in range(len(source))]
    assert said == source.region.tolist()
    assert len(set(said)) > 1


def test_statistics_are_those_of_training_and_stand_in_the_inputs(file, everything):
    source = opened(file, regions="tile")
    agb, tile = source.places.numbers["agb_mg_per_ha"], source.places.tile
    for index in range(len(source)):
        found = source.numbers(index)
        assert found["region_mean/agb_mg_per_ha"] == pytest.approx(agb[tile == tile[index]].mean())
        assert found["region_deviation/agb_mg_per_ha"] == pytest.approx(agb[tile == tile[index]].std())
    stated = source.inputs["regions"]
    assert stated["by"] == "tile"
    assert "agbd_se" not in stated["overall"]
    other = opened(file, split="all", regions="tile", region_statistics=stated)
    assert other.regions == source.regions
    assert source.digest != opened(file).digest


def test_a_column_of_a_table_names_regions_and_is_no_number(file, everything, tmp_path):
    keys = [opened(file).key(index) for index in range(12)]
    lines = [f"{key},{'north' if place < 6 else 'south'},{place}" for place, key in enumerate(keys[:11])]
    (tmp_path / "t.csv").write_text("\n".join(["key,biome,rank", *lines]) + "\n")
    source = opened(file, regions="biome", tables=["t.csv"])
    assert source.region.tolist() == ["north"] * 6 + ["south"] * 5 + [""]
    assert source.numbers(3)["rank"] == 3
    known = source.places.numbers["agb_mg_per_ha"]
    assert source.numbers(11)["region_mean/agb_mg_per_ha"] == pytest.approx(known.mean()), "of all plots"


def test_a_column_may_be_a_target_with_a_unit_of_its_own(file, everything, tmp_path):
    keys = [opened(file).key(index) for index in range(12)]
    (tmp_path / "t.csv").write_text(
        "\n".join(["key,lst", *(f"{key},{290 + i}" for i, key in enumerate(keys))])
    )
    about = {"unit": "K", "long_name": "land surface temperature"}
    source = opened(file, tables=["t.csv"], targets={"lst": about})
    stated = PatchInput.model_validate(source.inputs)
    assert stated.targets["lst"] == Target(**about)
    assert stated.targets["agb_mg_per_ha"].unit == "Mg ha-1"
    with pytest.raises(DataError, match="targets: no table has a column heat; they have lst"):
        opened(file, tables=["t.csv"], targets={"heat": about})
    with pytest.raises(DataError, match="targets: give each a unit and a long_name"):
        opened(file, tables=["t.csv"], targets={"lst": {"unit": "K"}})


def test_other_splits_and_regions_that_nothing_tells_apart_are_refused(file, everything):
    with pytest.raises(DataError, match="statistics are of split train alone, not of all"):
        opened(file, split="all", regions="cover")
    with pytest.raises(DataError, match="regions 'biome': no plot has one; choose tile, cover"):
        opened(file, regions="biome")


def test_regions_of_too_few_plots_are_refused(file, monkeypatch):
    monkeypatch.setattr("rscovlm.data.splits.splitter", lambda folder: lambda tile: "train")
    with pytest.raises(DataError, match="regions 'tile': none has 20 plots or more"):
        opened(file, regions="tile")


def test_codes_of_land_cover_are_known_and_other_codes_stand_for_themselves():
    assert names_of_codes("cover")["112"] == "closed evergreen broadleaf forest"
    assert "255" not in names_of_codes("cover"), "it is no data"
    assert names_of_codes("region_cla") == {}
