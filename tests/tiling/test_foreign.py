"""Rasters as other programs write them: georeference, masks, number types, palettes, names of bands."""

from __future__ import annotations

import logging
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, Resampling

from tiling import masks, reading
from tiling.errors import BandError, NotGeoreferenced, SceneError, SceneUnreadable
from tiling.overrides import Overrides
from tiling.scene import Scene
from tiling.view import Size, View, Window

pytestmark = [
    pytest.mark.filterwarnings("error::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

ODD = Path(__file__).parents[3] / "shared" / "data" / "rasters" / "odd"
UTM = {"crs": "EPSG:32631", "transform": Affine(0.3, 0, 480000, 0, -0.3, 4600000)}
NOISE = np.random.default_rng(0).integers(1, 255, (3, 240, 320), dtype=np.uint8)


def odd(name: str) -> Path:
    if not (ODD / name).exists():
        pytest.skip("the shared rasters are not here")
    return ODD / name


def whole(scene: Scene, reduction: float = 1) -> View:
    return View(scene.window, Size(round(scene.height / reduction), round(scene.width / reduction)))


def vrt(path: Path, source: Path, extra: str = "", bands: str = "") -> Path:
    """A VRT of the first band of a source, with more elements."""
    with rasterio.open(source) as dataset:
        height, width = dataset.shape
        kind = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}[dataset.dtypes[0]]
    simple = (
        f"<SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    )
    band = f'<VRTRasterBand dataType="{kind}" band="1">{simple}</VRTRasterBand>'
    path.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{extra}{bands or band}</VRTDataset>'
    )
    return path


def gcps(*places: tuple[float, float]) -> str:
    """Ground control points in a VRT: (pixel, line), which lie at ten times that."""
    points = "".join(
        f'<GCP Id="{i}" Pixel="{x}" Line="{y}" X="{10 * x}" Y="{10 * y}"/>' for i, (x, y) in enumerate(places)
    )
    return f'<GCPList Projection="EPSG:32631">{points}</GCPList>'


RPC = '<Metadata domain="RPC"><MDI key="LINE_OFF">north</MDI><MDI key="LAT_OFF">1</MDI></Metadata>'


class TestBadGeoreference:
    @pytest.mark.parametrize(
        ("extra", "said"),
        [
            ("<GeoTransform>5, 0, 0, 6, 0, 0</GeoTransform>", "transform"),
            ("<GeoTransform>5, 1, 2, 6, 2, 4</GeoTransform>", "transform"),
            ("<GeoTransform>1e-310, 2e-310, 0, 1e-310, 0, 5e-324</GeoTransform>", "transform"),
            (gcps((9, 5)), "ground control points"),
            (gcps((0, 0), (5, 5), (9, 9), (12, 12)), "ground control points"),
            (RPC, "rational polynomial coefficients"),
        ],
        ids=["zeros", "parallel axes", "denormal", "one point", "points in a line", "rpc of words"],
    )
    def test_costs_the_georeference_and_a_warning_but_not_the_picture(
        self, make_raster, tmp_path, extra, said
    ):
        with Scene(vrt(tmp_path / "bad.vrt", make_raster(NOISE[:1]), extra)) as scene:
            np.testing.assert_array_equal(scene.read(whole(scene)).pixels[..., 0], NOISE[0])
            assert not scene.georeferenced
            assert scene.gsd_m is None
            assert [said in line for line in scene.warnings] == [True]
            with pytest.raises(NotGeoreferenced):
                scene.to_map((0, 0))

    def test_of_one_kind_leaves_the_next_kind(self, make_raster, tmp_path):
        points = gcps((0, 0), (100, 0), (0, 100), (100, 100))
        path = vrt(tmp_path / "bad.vrt", make_raster(NOISE[:1]), f"{RPC}{points}")
        with Scene(path) as scene:
            np.testing.assert_allclose(scene.to_map((50, 20)), (500, 200), atol=1e-6)

    def test_an_srs_that_nobody_understands_leaves_the_coordinates(self, make_raster, tmp_path):
        extra = "<SRS>NOT A CRS</SRS><GeoTransform>10, 2, 0, 20, 0, -2</GeoTransform>"
        with Scene(vrt(tmp_path / "bad.vrt", make_raster(NOISE[:1]), extra)) as scene:
            np.testing.assert_allclose(scene.to_map((1, 1)), (12, 18))
            assert scene.crs is None
            assert "coordinate reference system" in scene.warnings[0]

    def test_a_crs_without_a_place_in_it_is_told(self, make_raster):
        with Scene(make_raster(NOISE, crs="EPSG:32631")) as scene:
            assert scene.crs_name == "EPSG:32631"
            assert not scene.georeferenced
            assert scene.gsd_m is None
            assert "EPSG:32631" in scene.warnings[0]

    def test_good_files_have_no_warnings(self, make_raster):
        with Scene(make_raster(NOISE, "a.tif", **UTM)) as scene:
            assert scene.warnings == []
        with Scene(make_raster(NOISE, "b.png", driver="PNG")) as scene:
            assert scene.warnings == []

    @pytest.mark.parametrize(
        "name", ["p.pgm", "zerogt.tif", "byte_gcp.tif", "sar_sicd.ntf", "identity_crs.tif"]
    )
    def test_odd_files_are_shown_with_one_warning(self, name):
        with Scene(odd(name)) as scene:
            assert scene.read(whole(scene)).mask.all()
            assert len(scene.warnings) == 1


def test_more_rows_than_an_int_holds_are_one_clear_error(make_raster, tmp_path):
    path = vrt(tmp_path / "tall.vrt", make_raster(NOISE[:1]))
    path.write_text(path.read_text().replace('rasterYSize="240"', 'rasterYSize="3000000000"'))
    with pytest.raises(SceneUnreadable, match=r"tall\.vrt cannot be read.*dimensions"):
        Scene(path)


def test_what_rasterio_raises_is_explained_and_a_defect_of_this_package_is_not(make_raster, monkeypatch):
    path = make_raster(NOISE)
    with Scene(path) as scene:
        with pytest.raises(SceneUnreadable, match="cannot be read"), scene._pool.borrow() as dataset:
            dataset.read(99)
        monkeypatch.setattr(reading, "reduce_by_mean", None)
        with pytest.raises(TypeError, match="not callable"):
            scene.read(whole(scene, 4))


class TestNumberTypes:
    def test_complex_pixels_are_shown_as_their_magnitude(self, make_raster):
        pixels = (np.indices((1, 30, 40)).sum(0) * (3 + 4j)).astype("complex64")
        with Scene(make_raster(pixels)) as scene:
            found = scene.read_bands(whole(scene)).pixels[..., 0]
            np.testing.assert_allclose(found, np.abs(pixels[0]), rtol=1e-6)
        path = odd("slc.tif")
        with Scene(path) as scene, rasterio.open(path) as dataset:
            part = View(Window(100, 100, 50, 40), Size(40, 50))
            stored = dataset.read(1, out_dtype="complex64", window=((100, 140), (100, 150)))
            np.testing.assert_allclose(scene.read_bands(part).pixels[..., 0], np.abs(stored), rtol=1e-6)

    def test_bands_of_different_types_are_promoted(self, make_raster, tmp_path):
        small, large = NOISE[:1], NOISE[1:2].astype(np.uint16) * 200
        bands = "".join(
            f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource>'
            f"<SourceFilename>{make_raster(pixels, f'{kind}.tif')}</SourceFilename></SimpleSource>"
            "</VRTRasterBand>"
            for number, (kind, pixels) in enumerate([("Byte", small), ("UInt16", large)], start=1)
        )
        path = vrt(tmp_path / "mixed.vrt", make_raster(small), bands=bands)
        with Scene(path, bands=(1, 2, 1)) as scene:
            found = scene.read_bands(whole(scene), (1, 2)).pixels
            assert found.dtype == np.uint16
            np.testing.assert_array_equal(found, np.moveaxis(np.concatenate([small, large]), 0, -1))
            assert scene.read(whole(scene, 4)).mask.all()


@pytest.mark.filterwarnings("error")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
def test_values_at_the_end_of_the_number_range_cost_no_warning(make_raster, dtype):
    pixels = np.full((1, 40, 40), np.finfo(np.float32).max if dtype == "float32" else 1e300, dtype)
    pixels[:, 20:] = 1
    with Scene(make_raster(pixels, crs="EPSG:32631", transform=UTM["transform"])) as scene:
        assert scene.read(whole(scene)).pixels.shape == (40, 40, 3)


class TestMasks:
    """Blocks of the source decide at any size, whatever the overviews know of them."""

    HOLE = np.full((240, 320), 255, np.uint8)
    HOLE[:, :120] = 0  # 0.375

    def masked(self, make_raster, internal: bool, when: str) -> Path:
        """A raster with a mask that was written before its overviews, after them, or changed after them."""
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
            path = make_raster(NOISE, **UTM, mask={"before": self.HOLE, "changed": 255 - self.HOLE}.get(when))
            with rasterio.open(path, "r+") as dataset:
                dataset.build_overviews([2, 4, 8], Resampling.average)
            if when != "before":
                with rasterio.open(path, "r+") as dataset:
                    dataset.write_mask(self.HOLE)
        return path

    @pytest.mark.parametrize("when", ["before", "after", "changed"])
    @pytest.mark.parametrize("internal", [True, False])
    @pytest.mark.parametrize("reduction", [1, 2, 2.5, 4, 8, 16])
    def test_of_the_source_holds_at_any_size(self, make_raster, internal, when, reduction):
        with Scene(self.masked(make_raster, internal, when)) as scene:
            raster = scene.read(whole(scene, reduction))
            assert raster.mask.mean() == pytest.approx(0.625, abs=1.1 / raster.mask.shape[1])
            right = raster.mask.shape[1] * 3 // 8 + 2
            assert raster.mask[:, right:].all()
            assert not raster.mask[:, : right - 4].any()

    @pytest.mark.parametrize("internal", [True, False])
    def test_a_wholly_masked_window_has_no_valid_part(self, make_raster, internal):
        with Scene(self.masked(make_raster, internal, "after")) as scene:
            assert scene.valid_fraction(Window(0, 0, 110, 240)) == 0
            assert scene.valid_fraction(Window(0, 0, 240, 240)) == pytest.approx(0.5, abs=0.02)
            assert scene.valid_fraction(scene.window) == pytest.approx(0.625, abs=0.01)

    def test_of_a_large_source_is_reduced_once_and_still_exact(self, make_raster, monkeypatch):
        monkeypatch.setattr(masks, "HELD_PIXELS", 80 * 60)
        monkeypatch.setattr(masks, "CHUNK_BYTES", 2000)
        with Scene(self.masked(make_raster, True, "after")) as scene:
            for reduction in (2, 4, 8, 16):
                share = scene.read(whole(scene, reduction)).coverage.mean() / 255
                assert share == pytest.approx(0.625, abs=0.02)

    def test_an_overview_that_has_the_mask_is_trusted(self, make_raster, monkeypatch):
        with Scene(self.masked(make_raster, True, "before")) as scene:
            scene.read(whole(scene, 4))
            monkeypatch.setattr(masks.SourceMask, "coverage", None)
            assert scene.read(whole(scene, 4)).mask.mean() == pytest.approx(0.625)

    @pytest.mark.parametrize(
        ("name", "share"),
        [
            ("masked.jpg", 0.754),
            ("imask_noovr.tif", 0.625),
            ("msk_noovr.tif", 0.625),
            ("test3_with_mask_8bit.tif", 0.25),
            ("perband.vrt", 0.75),
        ],
    )
    @pytest.mark.parametrize("reduction", [1, 2, 4])
    def test_odd_files(self, name, share, reduction):
        with Scene(odd(name)) as scene:
            raster = scene.read(whole(scene, reduction))
            assert raster.coverage.mean() / 255 == pytest.approx(share, abs=0.012)


class TestNodata:
    def test_is_compared_to_the_digits_of_the_pixels(self, make_raster):
        pixels = np.full((3, 64, 64), 0.5, np.float32)
        pixels[:, :, :16] = 1.2676506e30
        path = make_raster(pixels, nodata=1.267650600228229e30, overviews=(2, 4))
        with rasterio.open(path, "r+") as dataset:
            dataset.nodata = 1.2676506e30  # the decimal digits that a header holds
        with Scene(path) as scene:
            for reduction in (1, 2, 4):
                assert scene.read(whole(scene, reduction)).mask.mean() == pytest.approx(0.75, abs=0.02)

    def test_of_a_size_that_float32_lacks_hides_nothing_else(self, make_raster):
        pixels = np.full((3, 64, 64), 0.5)
        pixels[:, :, :16] = 1e300
        with Scene(make_raster(pixels), overrides=Overrides(nodata=1e300)) as scene:
            assert scene.valid_fraction(scene.window) == 0.75

    def test_of_each_band_is_its_own_and_any_valid_band_makes_a_pixel_valid(self, make_raster, tmp_path):
        values = np.full((3, 40, 40), 200, np.uint8)
        for band in range(3):
            values[band, :10] = 10 * (band + 1)
        values[0, 10:20] = 10  # nodata in one band only: a colour
        with rasterio.open(make_raster(values)) as dataset:
            source = dataset.name
        bands = "".join(
            f'<VRTRasterBand dataType="Byte" band="{b}"><NoDataValue>{10 * b}</NoDataValue><SimpleSource>'
            f"<SourceFilename>{source}</SourceFilename><SourceBand>{b}</SourceBand></SimpleSource>"
            "</VRTRasterBand>"
            for b in (1, 2, 3)
        )
        with Scene(vrt(tmp_path / "n.vrt", Path(source), bands=bands)) as scene:
            raster = scene.read(whole(scene))
            assert raster.mask.mean() == 0.75
            np.testing.assert_array_equal(raster.pixels[15, 15], (10, 200, 200))

    def test_in_one_band_of_signed_values_is_no_value(self, make_raster):
        pixels = np.full((3, 40, 40), 100, np.int16)
        pixels[0, ::2] = -9999
        with Scene(make_raster(pixels, nodata=-9999)) as scene:
            means = scene.read_bands(whole(scene, 4)).pixels
            assert means.min() >= 0

    def test_means_count_valid_pixels_only(self, make_raster):
        pixels = np.full((1, 64, 64), 7.0, np.float32)
        pixels[:, ::2, ::2] = -9999
        with Scene(make_raster(pixels, nodata=-9999)) as scene:
            raster = scene.read_bands(whole(scene, 8))
            np.testing.assert_allclose(raster.pixels, 7.0, rtol=1e-6)
            assert raster.coverage.mean() / 255 == pytest.approx(0.75, abs=0.01)


TABLE = {0: (0, 0, 0, 255), 1: (250, 10, 20, 255), 300: (1, 200, 30, 255), 301: (9, 9, 9, 0)}


class TestPalettes:
    def test_of_16_bits_show_their_colours_and_nothing_beyond_the_table(self, make_raster, tmp_path):
        pixels = np.array([[1, 300, 301, 302]], np.uint16).repeat(4, axis=0)[None]
        entries = "".join(
            '<Entry c1="{}" c2="{}" c3="{}" c4="{}"/>'.format(*TABLE.get(i, (0, 0, 0, 255)))
            for i in range(302)
        )
        source = make_raster(pixels)
        band = (
            '<VRTRasterBand dataType="UInt16" band="1"><ColorInterp>Palette</ColorInterp>'
            f"<ColorTable>{entries}</ColorTable><SimpleSource><SourceFilename>{source}</SourceFilename>"
            "</SimpleSource></VRTRasterBand>"
        )
        with Scene(vrt(tmp_path / "p.vrt", source, bands=band)) as scene:
            raster = scene.read(whole(scene))
        np.testing.assert_array_equal(raster.pixels[0, :2], [(250, 10, 20), (1, 200, 30)])
        np.testing.assert_array_equal(raster.mask[0], [True, True, False, False])

    def test_without_a_table_are_grey(self, make_raster, tmp_path):
        source = make_raster(NOISE[:1])
        band = (
            '<VRTRasterBand dataType="Byte" band="1"><ColorInterp>Palette</ColorInterp><SimpleSource>'
            f"<SourceFilename>{source}</SourceFilename></SimpleSource></VRTRasterBand>"
        )
        with Scene(vrt(tmp_path / "p.vrt", source, bands=band)) as scene:
            np.testing.assert_array_equal(scene.read(whole(scene)).pixels[..., 2], NOISE[0])

    def test_odd_file(self):
        path = odd("pal16.tif")
        with Scene(path) as scene, rasterio.open(path) as dataset:
            table, values = dataset.colormap(1), dataset.read(1)
            expected = np.array([table[value][:3] for value in values[::37, ::41].ravel()])
            found = scene.read(whole(scene)).pixels[::37, ::41].reshape(-1, 3)
        np.testing.assert_array_equal(found, expected)


class TestBands:
    def described(self, make_raster, *names: str, **profile: object) -> Path:
        pixels = np.arange(1, len(names) + 1, dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
        path = make_raster(pixels, photometric="minisblack", **profile)
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = names
        return path

    @pytest.mark.parametrize(
        ("names", "shown"),
        [
            (("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
            (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 4, 2)),
            (("B02", "B03", "B04", "B08"), (3, 2, 1)),
            (("B1 (Blue)", "B2 (Green)", "B3 (Red)", "B4 (Near Infrared)", "B5 (Red Edge)"), (3, 2, 1)),
            (("nir", "r", "g", "b"), (2, 3, 4)),
        ],
    )
    def test_named_by_colours_are_shown_as_such_and_it_is_said(self, make_raster, names, shown):
        with Scene(self.described(make_raster, *names)) as scene:
            assert scene.bands == shown
            assert len(scene.warnings) == 1
            assert ", ".join(map(str, shown)) in scene.warnings[0]
            assert tuple(scene.read(whole(scene)).pixels[0, 0]) == shown

    def test_without_names_are_the_first_three_and_it_is_said_where_there_are_more(self, make_raster):
        with Scene(make_raster(np.ones((3, 8, 8), np.uint16))) as scene:
            assert (scene.bands, scene.warnings) == ((1, 2, 3), [])
        with Scene(make_raster(np.ones((5, 8, 8), np.uint16), "five.tif")) as scene:
            assert scene.bands == (1, 2, 3)
            assert "1, 2, 3" in scene.warnings[0]

    def test_marked_colours_go_before_names_and_the_contradiction_is_said(self, make_raster):
        path = make_raster(np.ones((3, 8, 8), np.uint8), photometric="rgb")
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = ("blue", "green", "red")
        with Scene(path) as scene:
            assert scene.bands == (1, 2, 3)
            assert "3, 2, 1 are named so" in scene.warnings[0]

    def test_can_be_asked_for_by_colour_or_by_the_beginning_of_a_name(self, make_raster):
        path = self.described(make_raster, "B2, 490 nm", "B3 (Green)", "B4 (Red)", "B1 (Blue)")
        with Scene(path, bands=("red", "GREEN", "b2")) as scene:
            assert scene.bands == (3, 2, 1)
        with pytest.raises(BandError, match="no band nir"):
            Scene(path, bands=("nir", "red", "green"))

    def test_odd_file(self):
        with Scene(odd("planet_noci.tif")) as scene:
            assert scene.bands == (3, 2, 1)


class TestOverrides:
    @pytest.fixture
    def nir(self, make_raster) -> Path:
        """Four bands, of which the fourth, near infrared, is marked as alpha; half of it is 0."""
        pixels = np.concatenate([NOISE, NOISE[:1]])
        pixels[3, :120] = 0
        kinds = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        return make_raster(pixels, colorinterp=kinds)

    @pytest.mark.parametrize(
        ("bands", "overrides", "share"),
        [
            (None, Overrides(), 0.5),
            (None, Overrides(alpha="none"), 1),
            ((1, 2, 3), Overrides(), 1),
            ((1, 2, 3), Overrides(alpha=4), 0.5),
            (("red", "green", "blue"), Overrides(), 1),
            ((4, 1, 2), Overrides(), 1),
        ],
    )
    def test_alpha(self, nir, bands, overrides, share):
        with Scene(nir, bands, overrides=overrides) as scene:
            assert scene.read(whole(scene)).mask.mean() == share
            assert scene.valid_fraction(scene.window) == pytest.approx(share, abs=0.01)

    def test_an_alpha_band_that_is_not_there(self, nir):
        with pytest.raises(BandError, match="no band 7 for alpha"):
            Scene(nir, overrides=Overrides(alpha=7))

    @pytest.mark.parametrize(
        ("declared", "stated", "share"), [(None, 0, 0.75), (0, "none", 1), (9, 0, 0.75), (0, "file", 0.75)]
    )
    def test_nodata(self, make_raster, declared, stated, share):
        pixels = NOISE.copy()
        pixels[:, :60] = 0
        path = make_raster(pixels, nodata=declared)
        with Scene(path, overrides=Overrides(nodata=stated)) as scene:
            assert scene.read(whole(scene)).mask.mean() == share

    def test_mask(self, make_raster):
        half = np.zeros((1, 240, 320), np.uint8)
        half[:, :, :160] = 1
        mask = make_raster(half, "mask.tif")
        path = make_raster(NOISE, "scene.tif", mask=np.eye(240, 320, dtype=np.uint8) * 255, overviews=(2, 4))
        for reduction in (1, 2, 4):
            with Scene(path, overrides=Overrides(mask="none")) as scene:
                assert scene.read(whole(scene, reduction)).mask.all()
            with Scene(path, overrides=Overrides(mask=mask)) as scene:
                assert scene.read(whole(scene, reduction)).mask.mean() == pytest.approx(0.5, abs=0.01)
        other = make_raster(half[:, 1:], "small.tif")
        with pytest.raises(SceneError, match="320 x 239 px and the scene 320 x 240 px"):
            Scene(path, overrides=Overrides(mask=other))

    def test_crs_and_gsd(self, make_raster):
        plain, placed = make_raster(NOISE, "plain.tif"), make_raster(NOISE, "placed.tif", **UTM)
        with Scene(plain, overrides=Overrides(gsd_m=0.5)) as scene:
            assert scene.gsd_m == 0.5
            assert scene.gsd_of(whole(scene, 4)) == 2
            assert not scene.georeferenced
        with Scene(placed, overrides=Overrides(gsd_m=0.5)) as scene:
            assert scene.gsd_m == 0.5
            assert "0.3 m is taken as 0.5 m" in scene.warnings[0]
        unstated = make_raster(NOISE, "unstated.tif", transform=UTM["transform"])
        with Scene(unstated, overrides=Overrides(crs="EPSG:32631")) as scene:
            assert scene.crs_name == "EPSG:32631"
            assert scene.gsd_m == pytest.approx(0.3, rel=1e-3)
            assert scene.warnings == []
        with pytest.raises(SceneError, match="EPSG:0"):
            Overrides(crs="EPSG:0")

    def test_are_part_of_what_a_journal_knows_a_scene_by(self, make_raster):
        path = make_raster(NOISE, **UTM)
        with Scene(path) as one, Scene(path, overrides=Overrides(nodata=0)) as other:
            assert one.identity != other.identity


def test_a_crs_keeps_its_authority(make_raster):
    with Scene(make_raster(NOISE, crs="ESRI:54009", transform=Affine(10, 0, 0, 0, -10, 0))) as scene:
        assert scene.crs_name == "ESRI:54009"


def test_gdal_says_nothing_on_the_terminal(make_raster, tmp_path, capfd):
    extra = f"<SRS>NOT A CRS</SRS>{gcps((0, 0), (5, 5), (9, 9))}{RPC}"
    with Scene(vrt(tmp_path / "bad.vrt", make_raster(NOISE[:1]), extra)) as scene:
        scene.read(whole(scene))
    assert logging.getLogger("rasterio").handlers
    assert capfd.readouterr() == ("", "")


class TestGroundOfPixels:
    """A pixel's size is the square root of its area on the ground."""

    @pytest.mark.parametrize("shear", [0, 0.3, -0.6])
    def test_of_a_sheared_transform(self, make_raster, shear):
        transform = Affine(0.3, shear, 500000, 0, -0.3, 4600000)  # |0.3 * -0.3 - shear * 0| = 0.09 m2
        with Scene(make_raster(NOISE, crs="EPSG:32631", transform=transform)) as scene:
            assert scene.gsd_m == pytest.approx(0.3, rel=1e-3)
            assert scene.gsd_of(whole(scene, 4)) == pytest.approx(1.2, rel=1e-3)

    @pytest.mark.parametrize("longitude", [0, 60, 150])
    def test_of_the_sinusoidal_projection_wherever_it_is_cut(self, make_raster, longitude):
        # Equal areas: a MODIS pixel of 463 m has that size everywhere, however much its corners lean.
        crs = "+proj=sinu +lon_0=0 +R=6371007.181 +units=m"
        northing = 6371007.181 * np.radians(50)
        easting = 6371007.181 * np.radians(longitude) * np.cos(np.radians(50))
        transform = Affine(463.3127, 0, easting, 0, -463.3127, northing)
        with Scene(make_raster(NOISE, crs=crs, transform=transform)) as scene:
            assert scene.gsd_m == pytest.approx(463.3, rel=2e-3)

    def test_odd_file(self):
        with Scene(odd("shear.tif")) as scene:
            assert scene.gsd_m == pytest.approx(0.3, rel=1e-3)


class TestUndeclaredNodata:
    def collared(self, make_raster, value: float, dtype: str, **profile: object) -> Path:
        pixels = NOISE.astype(dtype) * 10 + 500
        pixels[:, :60], pixels[:, :, :70] = value, value
        return make_raster(pixels, **profile)

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            (0, "uint16"),
            (65535, "uint16"),
            (-9999, "float32"),
            (float(np.finfo(np.float32).min), "float32"),
            (float(np.finfo(np.float32).max), "float32"),
            (float(np.finfo(np.float64).min), "float64"),
        ],
    )
    def test_on_the_border_is_said_and_left_out_of_the_stretch(self, make_raster, value, dtype):
        path = self.collared(make_raster, value, dtype)
        with Scene(path) as scene, Scene(path, overrides=Overrides(nodata=value)) as told:
            assert scene.stretch == told.stretch
            assert [f"value {value:.9g} " in line for line in scene.warnings] == [True]
            assert told.warnings == []
            scene.read(whole(scene))
            assert len(scene.warnings) == 1
        with Scene(path, overrides=Overrides(nodata="none")) as scene:
            assert value in (scene.stretch.low[0], scene.stretch.high[0])
            assert scene.warnings == []

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            (-9999, "float32"),
            (float(np.finfo(np.float32).min), "float32"),
            (float(np.finfo(np.float64).max), "float64"),
        ],
    )
    def test_inside_a_pixel_of_the_statistics_is_left_out_as_well(
        self, make_raster, monkeypatch, value, dtype
    ):
        monkeypatch.setattr("tiling.contrast.STATISTICS_SIDE", 37)
        with Scene(self.collared(make_raster, value, dtype)) as scene:
            assert min(scene.stretch.low) > 400
            assert max(scene.stretch.high) < 4000

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda pixels: pixels, id="no collar"),
            pytest.param(lambda pixels: np.where(pixels < 520, 520, pixels), id="dark pixels inside"),
            pytest.param(lambda pixels: np.full_like(pixels, 700), id="one value"),
        ],
    )
    def test_values_of_a_scene_are_not_taken_for_it(self, make_raster, change):
        with Scene(make_raster(change(NOISE.astype(np.uint16) * 10 + 500))) as scene:
            assert scene.stretch
            assert scene.warnings == []

    @pytest.mark.parametrize("name", ["u16_collar_nonodata.tif", "float_undeclared.tif"])
    def test_odd_files(self, name):
        with Scene(odd(name)) as scene:
            assert scene.stretch.low[0] > 0
            assert len(scene.warnings) == 1


class TestContainers:
    def test_a_zip_is_refused_with_a_path_that_works(self, make_raster, tmp_path):
        inside = make_raster(NOISE, **UTM)
        with zipfile.ZipFile(tmp_path / "scene.zip", "w") as archive:
            archive.writestr("__MACOSX/._scene.tif", b"")
            archive.writestr("readme.txt", "a scene")
            archive.write(inside, "deep/scene.tif")
        with pytest.raises(SceneUnreadable, match="is an archive; give a raster file in it") as error:
            Scene(tmp_path / "scene.zip")
        with Scene(str(error.value).rsplit("such as ", 1)[1]) as scene:
            assert (scene.width, scene.height) == (320, 240)

    def test_a_tar_is_refused_with_a_path_that_works(self, make_raster, tmp_path):
        inside = make_raster(NOISE, **UTM)
        with tarfile.open(tmp_path / "scene.tar.gz", "w:gz") as archive:
            archive.add(inside, "scene.tif")
        with pytest.raises(SceneUnreadable, match="archive") as error:
            Scene(tmp_path / "scene.tar.gz")
        with Scene(str(error.value).rsplit("such as ", 1)[1]) as scene:
            assert scene.gsd_m == pytest.approx(0.3, rel=1e-3)

    def test_a_product_folder_names_the_picture_in_it(self, tmp_path):
        granule = tmp_path / "S2A.SAFE" / "GRANULE" / "L2A" / "IMG_DATA"
        granule.mkdir(parents=True)
        for name in ("T31_B02_10m.jp2", "T31_TCI_10m.jp2", "T31_B03_10m.jp2"):
            (granule / name).touch()
        with pytest.raises(SceneUnreadable, match=r"is a folder.*IMG_DATA/T31_TCI_10m\.jp2"):
            Scene(tmp_path / "S2A.SAFE")

    def test_an_archive_or_folder_without_rasters_says_so(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
            archive.writestr("readme.txt", "nothing")
        for path in (tmp_path / "text.zip", tmp_path):
            with pytest.raises(SceneUnreadable, match="none in it"):
                Scene(path)
