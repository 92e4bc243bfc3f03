"""The criteria of a benchmark, as checks."""

from dataclasses import replace

import numpy as np
import pytest

from rscovlm.reo.audit import _semantic, dates, effective, knowledge, leakage, necessary, splits_of, spread
from rscovlm.reo.facts import AGB, Facts, read_facts
from tests.rscovlm.reo.material import plots_file


def facts(count=200, seed=0, **changes):
    """Samples all over the globe, a tile for each four of them."""
    rng = np.random.default_rng(seed)
    number = np.arange(count)
    found = Facts(
        "AGBD",
        (),
        number.astype(str),
        np.full(count, ""),
        np.array([f"30UWB{at // 4:03d}" for at in number]),
        np.full(count, "cropland"),
        rng.uniform(-50, 50, count),
        rng.uniform(-180, 180, count),
        rng.uniform(0, 700, count),
        rng.uniform(0, 700, count),
        {AGB: rng.uniform(0, 500, count)},
    )
    return replace(found, **changes)


def verdicts(checks):
    return {check.name: check.verdict for check in checks}


def test_effective_numbers_are_the_entropy_of_shares():
    assert effective([1, 1, 1, 1]) == pytest.approx(4)
    assert effective([1, 0, 0]) == 1
    assert effective([]) == 0


def test_a_set_of_the_whole_globe_is_spread_and_one_of_a_county_is_not():
    assert verdicts(spread(facts())) == {"places": "met", "climates": "met", "labels": "met"}
    near = facts(
        lat=np.linspace(48, 48.5, 200), lon=np.linspace(11, 11.5, 200), numbers={AGB: np.full(200, 20.0)}
    )
    assert verdicts(spread(near)) == {"places": "failed", "climates": "doubtful", "labels": "failed"}
    unknown = facts(lat=np.full(200, np.nan))
    assert verdicts(spread(unknown))["places"] == "untested"


def test_radar_is_necessary_where_the_optical_saturates(tmp_path):
    found = read_facts([plots_file(tmp_path, tiles=30, plots=6)])
    checks = {check.name: check for check in necessary(found)}
    assert checks["SAR (HH, HV)"].verdict == "met"
    assert checks["SAR (HH, HV)"].numbers["lost"] > 5
    # Bands of one sensor are never independent: that the others tell as much is no fault of the data.
    assert checks["aerosol and water vapour (B01, B09)"].verdict == "note"
    assert checks["sufficient"].numbers["rmse"] < checks["sufficient"].numbers["deviation"]


def test_texts_have_to_name_indicators_and_not_the_answer():
    texts = tuple((f"What is the AGB of plot {at}?", f"{at + 0.5} Mg/ha") for at in range(20))
    found = {check.name: check for check in knowledge(facts(20, texts=texts))}
    assert found["indicators"].verdict == "met"
    assert found["wordings"].numbers["wordings"] == 1  # numbers alone make no other wording
    assert found["answers told"].verdict == "met"
    told = tuple((f"It is {at} here. How many?", f"{at}") for at in range(20))
    found = {check.name: check for check in knowledge(facts(20, texts=told))}
    assert found["answers told"].verdict == "failed"
    assert found["indicators"].verdict == "failed"
    assert verdicts(knowledge(facts())) == {"indicators": "untested"}


def test_dates():
    twice = facts(
        4,
        lat=np.array([1.0, 1, 2, 2]),
        lon=np.array([1.0, 1, 2, 2]),
        image_day=np.array([0.0, 200, 0, 0]),
        label_day=np.array([0.0, 0, 300, 300]),
    )
    found = {check.name: check for check in dates(twice)}
    assert found["one place over time"].numbers["share"] == 0.5
    assert found["image and label"].verdict == "doubtful"
    assert found["months"].numbers["months"] == 2
    assert verdicts(dates(facts(4, image_day=np.full(4, np.nan)))) == {"months": "untested"}


def test_tiles_of_two_splits_and_patches_that_overlap_are_leaks():
    split = np.array(["train"] * 150 + ["test"] * 50)
    apart = leakage(facts(split=split, tile=np.where(split == "train", "a", "b")), 10)
    assert verdicts(apart)["tiles"] == "met"
    shared = {check.name: check for check in leakage(facts(split=split, tile=np.full(200, "a")), 10)}
    assert shared["tiles"].verdict == "failed"
    base = facts(split=split)
    lat, lon = base.lat.copy(), base.lon.copy()
    lat[150], lon[150] = lat[0] + 0.001, lon[0]  # 111 m apart
    near = {check.name: check for check in leakage(replace(base, lat=lat, lon=lon), 10)}
    assert near["distance to test"].verdict == "failed"
    assert near["distance to test"].numbers["nearest_km"] == pytest.approx(0.1112, abs=1e-3)


def test_labels_that_places_tell_are_doubtful():
    base = facts(400, split=np.array(["train", "test"] * 200))
    by_place = replace(base, numbers={AGB: 5 * np.abs(base.lat)})
    assert verdicts(leakage(by_place))["places tell test"] == "doubtful"
    assert verdicts(leakage(base))["places tell test"] == "met"


def test_splits_are_by_tile_where_none_is_stated():
    found = splits_of(facts())
    assert {"train", "val", "test"} == set(found.tolist())
    assert len(set(found[:4].tolist())) == 1


def test_a_sensitivity_that_was_measured_is_a_check():
    assert _semantic(None).verdict == "untested"
    assert _semantic({"verdict": "failed", "told": "moves", "asked": "none"}).verdict == "failed"
