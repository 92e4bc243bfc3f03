"""Views are square on the ground, north-up and unmirrored, and what is found in them keeps its place."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, calculate_default_transform, reproject

from tiling.georeference import Georeference
from tiling.ground import ground_rectangles
from tiling.mappings import affine_mapping
from tiling.orientation import nearest_to_north_up
from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import UPRIGHT, View, Window

UTM = CRS.from_epsg(32633)
ORIGIN = (600_000, 6_650_000)  # 60 degrees north
SIDE = 240
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
MARKS = {"red": (60, 60), "green": (180, 60), "blue": (60, 180)}
"""Centres of squares of 24 px: red to the north-west, green east of it, blue south of it."""


def marked() -> np.ndarray:
    pixels = np.full((3, SIDE, SIDE), 90, np.uint8)
    for name, (x, y) in MARKS.items():
        pixels[:, y - 12 : y + 12, x - 12 : x + 12] = np.reshape(COLOURS[name], (3, 1, 1))
    return pixels


NORTH_UP = Affine(0.5, 0, ORIGIN[0], 0, -0.5, ORIGIN[1])


def turned_by(degrees: float) -> tuple[np.ndarray, Affine]:
    """The scene resampled to a grid that is turned against the map."""
    middle = NORTH_UP @ (SIDE / 2, SIDE / 2)
    away = Affine.translation(-SIDE * 0.71, -SIDE * 0.71)
    grid = Affine.translation(*middle) @ Affine.rotation(degrees) @ Affine.scale(0.5, -0.5) @ away
    return warped(grid, UTM, round(SIDE * 1.42), round(SIDE * 1.42)), grid


def warped(transform: Affine, crs: CRS, width: int, height: int) -> np.ndarray:
    pixels = np.zeros((3, height, width), np.uint8)
    grids = {"src_transform": NORTH_UP, "src_crs": UTM, "dst_transform": transform, "dst_crs": crs}
    reproject(marked(), pixels, **grids, resampling=Resampling.bilinear)
    return pixels


def projected(epsg: int) -> tuple[np.ndarray, Affine, CRS]:
    crs = CRS.from_epsg(epsg)
    bounds = rasterio.transform.array_bounds(SIDE, SIDE, NORTH_UP)
    if epsg == 4326:  # pixels of the same angle along both axes
        size = {"resolution": (4.5e-6, 4.5e-6)}
    else:
        size = {}
    transform, width, height = calculate_default_transform(UTM, crs, SIDE, SIDE, *bounds, **size)
    return warped(transform, crs, width, height), transform, crs


def versions() -> dict:
    """Pixels and profile of one scene, stored in different ways."""
    pixels = marked()
    down = Affine(0.5, 0, ORIGIN[0], 0, 0.5, ORIGIN[1] - 0.5 * SIDE)
    quarter = Affine(0, 0.5, ORIGIN[0], -0.5, 0, ORIGIN[1])
    found = {
        "north-up": (pixels, {"transform": NORTH_UP, "crs": UTM}),
        "south-up": (pixels[:, ::-1], {"transform": down, "crs": UTM}),
        "transposed": (pixels.swapaxes(1, 2), {"transform": quarter, "crs": UTM}),
        "gcp": (
            pixels[:, ::-1, ::-1],
            {
                "gcps": [
                    GroundControlPoint(row, column, *(NORTH_UP @ (SIDE - column, SIDE - row)))
                    for row in (0, SIDE)
                    for column in (0, SIDE)
                ],
                "crs": UTM,
            },
        ),
    }
    for degrees in (30, 100, 200, 300):
        pixels, transform = turned_by(degrees)
        found[f"rotated {degrees}"] = pixels, {"transform": transform, "crs": UTM}
    for epsg in (4326, 3857):
        pixels, transform, crs = projected(epsg)
        found[f"EPSG:{epsg}"] = pixels, {"transform": transform, "crs": crs}
    return found


VERSIONS = versions()


@pytest.fixture(params=VERSIONS)
def stored(request, tmp_path):
    pixels, profile = VERSIONS[request.param]
    path = tmp_path / "scene.tif"
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", photometric="RGB", **shape, **profile) as dataset:
        dataset.write(pixels)
    with Scene(path) as scene:
        yield scene


def centre_of(pixels: np.ndarray, name: str) -> np.ndarray:
    """The centre of a mark in view pixels."""
    rows, columns = np.nonzero((np.abs(pixels.astype(int) - COLOURS[name]) < 100).all(axis=-1))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


RESOLUTION = Resolution(4, 16, 1_000_000)


def test_an_object_has_the_same_place_on_the_map_however_the_scene_is_stored(stored: Scene) -> None:
    view = stored.overview(RESOLUTION)
    pixels = stored.read(view).pixels
    shape = {"count": 1, "height": 1, "width": 1, "dtype": "uint8"}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", crs=UTM, transform=NORTH_UP, **shape):
            pass
        with Scene(memory.name) as reference:
            for name, place in MARKS.items():
                expected = reference.to_lonlat(place)
                found = stored.to_lonlat(view.to_scene(centre_of(pixels, name)))
                metres = (found - expected) * (111_320 * np.cos(np.radians(60)), 111_320)
                assert np.linalg.norm(metres) < 0.5, f"{name} is {metres} m away"


def test_every_version_is_shown_north_up_unmirrored_and_square(stored: Scene) -> None:
    view = stored.overview(RESOLUTION)
    pixels = stored.read(view).pixels
    red, green, blue = (centre_of(pixels, name) for name in MARKS)
    east, south = green - red, blue - red
    # Turned by at most an eighth of a circle, and the two ways are equally long and at right angles.
    assert east[0] > abs(east[1]) * 0.99
    assert south[1] > abs(south[0]) * 0.99
    assert np.linalg.norm(east) / np.linalg.norm(south) == pytest.approx(1, abs=0.02)
    assert abs(east @ south) < 0.02 * (east @ east)


def test_the_orientation_of_the_file_is_kept_on_demand(stored: Scene) -> None:
    with Scene(stored.source, north_up=False) as kept:
        assert kept.overview(RESOLUTION).orientation == UPRIGHT
        assert (kept.identity == stored.identity) is False


def test_a_crop_lies_as_the_overview_does(stored: Scene) -> None:
    overview = stored.overview(RESOLUTION)
    red = centre_of(stored.read(overview).pixels, "red")
    window = overview.window_of((*(red - 20), *(red + 20)))
    crop = stored.view(window, RESOLUTION)
    assert crop.orientation == overview.orientation
    middle = np.divide(crop.size[::-1], 2)
    np.testing.assert_allclose(centre_of(stored.read(crop).pixels, "red"), middle, atol=1.5)


angles = st.floats(-180, 180)
sides = st.floats(0.2, 5)


@given(angle=angles, x=sides, y=sides, shear=st.floats(-20, 20), mirrored=st.booleans())
def test_any_transform_is_shown_unmirrored_and_at_most_an_eighth_of_a_circle_from_north_up(
    angle, x, y, shear, mirrored
):
    transform = (
        Affine.translation(*ORIGIN)
        @ Affine.rotation(angle)
        @ Affine.shear(shear)
        @ Affine.scale(x, y if mirrored else -y)
    )
    place = Georeference(UTM, transform, *affine_mapping(transform))
    orientation = nearest_to_north_up(place.axes_at((0, 0)))
    view = View(Window(0, 0, 100, 100), (100, 100), orientation)
    right, down = np.diff(place.to_map(view.to_scene([[[0, 0], [1, 0]], [[0, 0], [0, 1]]])), axis=1)[:, 0]
    assert right[0] * down[1] - right[1] * down[0] < 0  # x east, y south
    right, down = right / np.linalg.norm(right), down / np.linalg.norm(down)
    east, north = right[0] - down[1], right[1] + down[0]
    assert abs(np.degrees(np.arctan2(north, east))) <= 45 + 2  # UTM's own convergence of meridians


@given(latitude=st.floats(-80, 80))
def test_degrees_are_square_on_the_ground_at_any_latitude(latitude):
    transform = Affine(1e-5, 0, 15, 0, -1e-5, latitude)
    place = Georeference(CRS.from_epsg(4326), transform, *affine_mapping(transform))
    (east, _), (_, north) = place.axes_at((0, 0))
    assert east > 0 > north
    # A degree of longitude shrinks with the cosine, but for the flattening of the ellipsoid.
    assert east / -north == pytest.approx(np.cos(np.radians(latitude)), rel=0.01)
    np.testing.assert_allclose(place.gsd_at(0, 0), (east, -north), rtol=1e-6)


corners = st.tuples(*[st.floats(-20, 20)] * 8)


@given(noise=corners, angle=angles, latitude=st.floats(-70, 70))
def test_boxes_become_rectangles_on_the_ground_that_hold_them(noise, angle, latitude):
    transform = Affine.translation(15, latitude) @ Affine.rotation(angle) @ Affine.scale(1e-5, -1e-5)
    place = Georeference(CRS.from_epsg(4326), transform, *affine_mapping(transform))
    box = np.array([[100, 100], [300, 100], [300, 200], [100, 200]]) + np.reshape(noise, (4, 2))
    [rectangle] = ground_rectangles(place, box[None])
    axes = place.axes_at(box.mean(axis=0))
    sides = np.diff(np.concatenate([rectangle, rectangle[:1]]) @ axes, axis=0)
    lengths = np.linalg.norm(sides, axis=1)
    cosines = (sides * np.roll(sides, -1, axis=0)).sum(axis=1) / (lengths * np.roll(lengths, -1))
    assert np.abs(cosines).max() < 0.03  # a box within a thousandth of a rectangle's area is one
    shape = shapely.Polygon(rectangle).buffer(0.5)
    assert all(shape.contains(shapely.Point(point)) for point in box)


def test_what_is_a_rectangle_already_is_left_to_the_last_bit():
    place = Georeference(UTM, NORTH_UP, *affine_mapping(NORTH_UP))
    turned = np.array([[[10.0, 0], [50, 30], [44, 38], [4, 8]]])
    assert (ground_rectangles(place, turned) == turned).all()


def test_boxes_on_unknown_ground_are_as_if_pixels_were_square_metres():
    nowhere = Georeference(None, NORTH_UP, *affine_mapping(NORTH_UP))
    skewed = np.array([[[0.0, 0], [40, 4], [40, 10], [0, 10]]])
    with np.errstate(all="raise"):
        [rectangle] = ground_rectangles(nowhere, skewed)
    assert shapely.Polygon(rectangle).equals(shapely.box(0, 0, 40, 10))
