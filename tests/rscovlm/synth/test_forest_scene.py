"""Scenes of forests: the same strip by strip, physics of the plots, truth on the same grid."""

import numpy as np
import rasterio

from rscovlm.synth.forest import BANDS
from rscovlm.synth.forest_scene import biomass_of, write_forest


def test_the_truth_does_not_depend_on_where_a_strip_begins():
    whole, covers = biomass_of(slice(0, 40), 30)
    parts = [biomass_of(rows, 30) for rows in (slice(0, 7), slice(7, 40))]
    np.testing.assert_array_equal(whole, np.concatenate([part for part, _ in parts]))
    np.testing.assert_array_equal(covers, np.concatenate([part for _, part in parts]))


def test_a_seed_makes_the_same_scene_again_and_another_makes_another():
    one, again, other = (biomass_of(slice(0, 200), 200, seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_scene_has_its_bands_a_corner_without_data_and_the_truth_beside_it(tmp_path):
    told = []
    write_forest(
        tmp_path / "s.tif", 300, tmp_path / "t.tif", seed=5, progress=lambda *done: told.append(done)
    )
    assert told == [(256, 300), (300, 300)]
    with rasterio.open(tmp_path / "s.tif") as scene, rasterio.open(tmp_path / "t.tif") as truth:
        assert scene.descriptions == BANDS
        assert scene.tags()["PROCESSING_BASELINE"] == "05.09"
        assert (scene.transform, scene.crs) == (truth.transform, truth.crs)
        assert truth.units == ("Mg ha-1",)
        pixels, known = scene.read(), truth.read(1)
    np.testing.assert_allclose(known, biomass_of(slice(0, 300), 300, 5)[0], rtol=1e-6)
    corner = np.add.outer(np.arange(300), np.arange(300)) < 60
    assert ((pixels == 0).all(axis=0) == corner).all()
    # Canopies are darker in red than fields and grass, as those of plots are.
    red = pixels[BANDS.index("B04")].astype(float)
    covers = biomass_of(slice(0, 300), 300, 5)[1]
    forest, open_land = ((covers == 112) & (known > 60) & ~corner, (covers != 112) & ~corner)
    assert red[forest].mean() < red[open_land].mean() - 100
