"""Traces: a round trip through JSON, and where on the Earth a view lies."""

import io
import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from tiling.resolution import Resolution
from tiling.scene import Scene
from tiling.view import View
from zoom_chain.chat import Reply
from zoom_chain.controller import ZoomChain
from zoom_chain.dialect import NANO
from zoom_chain.errors import TraceError
from zoom_chain.trace import SCHEMA, Trace, thumbnail_png


@pytest.fixture
def trace(scripted, small, scene):
    script = [
        Reply(
            NANO.render_call((1000, 0, 500, 500), 1000, 1000),
            prompt_tokens=30,
            prefilled_tokens=20,
            completion_tokens=9,
        ),
        "<tool_call>nonsense",
        NANO.render_call((0, 0, 500, 500), 1000, 1000),
        "Bläu </script> ✓",
    ]
    return (
        ZoomChain(scripted(question=script), NANO, small, model_name="scripted").ask(scene, "question?").trace
    )


def test_json_holds_all_that_the_trace_does(trace):
    assert Trace.from_json(trace.to_json()) == trace


def test_json_is_plain_and_names_its_schema(trace):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(trace.to_json(), parse_constant=refuse)
    assert data["schema"] == SCHEMA
    assert data["settings"]["model"] == "scripted"
    assert data["scene"]["crs"] == "EPSG:32633"
    assert data["turns"][0]["request"]["notes"] == ["the corners of the box were exchanged"]
    assert data["turns"][1]["refusal"].startswith("the call is not valid JSON")
    assert data["views"][0]["view"] == {
        "window": {"x": 0, "y": 0, "width": 2048, "height": 1024},
        "size": {"width": 256, "height": 128},
    }


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"schema": "rscovlm.zoom-trace/99"}', json.dumps({"schema": SCHEMA, "views": []})]
)
def test_other_json_is_refused(text):
    with pytest.raises(TraceError, match=r"schema|fields"):
        Trace.from_json(text)


def test_map_bounds_are_those_of_the_window(trace):
    # The upper right quarter of 1024 x 512 m, its margin of 5 % of 512 and of 256 m moved inside.
    assert trace.views[1].map_bounds == pytest.approx((500_460.8, 4_999_718.4, 501_024, 5_000_000))
    lon0, lat0, lon1, lat1 = trace.views[0].lonlat_bounds
    assert (lon0, lat1) == pytest.approx((15.0, 45.1536), abs=1e-3)
    assert lon0 < trace.views[1].lonlat_bounds[0] < lon1
    assert lat0 < lat1


def test_bounds_follow_edges_that_bulge_between_the_corners(scripted, small, tmp_path):
    """A line of constant northing is farthest north where it meets the central meridian."""
    transform = Affine(500, 0, 300_000, 0, -500, 6_700_000)  # 400 x 200 km about the central meridian
    shape = {"height": 400, "width": 800, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        tmp_path / "wide.tif", "w", driver="GTiff", crs="EPSG:32633", transform=transform, **shape
    ) as file:
        file.write(np.full((3, 400, 800), 90, np.uint8))
    with Scene(tmp_path / "wide.tif") as wide:
        trace = ZoomChain(scripted(question=["Blue."]), NANO, small).ask(wide, "question?").trace
        corner, middle, lower = wide.to_lonlat([(0, 0), (400, 0), (0, 400)])
    west, south, east, north = trace.views[0].lonlat_bounds
    assert middle[1] - corner[1] > 0.02  # more than 2 km
    assert north == pytest.approx(middle[1], abs=1e-6)
    assert south == pytest.approx(lower[1], abs=1e-6)
    assert (west + east) / 2 == pytest.approx(15)


def test_a_thumbnail_keeps_small_views_and_shrinks_large_ones():
    def size(height, width):
        return Image.open(io.BytesIO(thumbnail_png(np.zeros((height, width, 3), np.uint8), side=100))).size

    assert size(60, 90) == (90, 60)
    assert size(200, 400) == (100, 50)
    assert size(400, 200) == (50, 100)


@pytest.mark.parametrize(
    ("name", "crosses"), [("rio-tiler/cog_dateline.tif", True), ("rasterio/RGB.byte.gcp.vrt", False)]
)
def test_real_scenes_are_placed_on_the_earth(scripted, rasters, name, crosses):
    resolution = Resolution(28, 4 * 784, 64 * 784)
    with Scene(rasters / name) as scene:
        trace = ZoomChain(scripted(question=["Ice."]), NANO, resolution).ask(scene, "question?").trace
    west, south, east, north = trace.views[0].lonlat_bounds
    assert (west > east) is crosses
    assert -90 <= south < north <= 90
    assert Trace.from_json(trace.to_json()) == trace


def test_a_scene_outside_the_plane_of_its_projection_has_no_lonlat_bounds(scripted, rasters):
    """The corners of a geostationary full disk look past the Earth."""
    with Scene(rasters / "rasterio" / "goes.tif") as scene:
        trace = (
            ZoomChain(scripted(question=["Clouds."]), NANO, Resolution(28, 3136, 50176))
            .ask(scene, "question?")
            .trace
        )
    assert trace.answer == "Clouds."
    assert Trace.from_json(trace.to_json()) == trace


def test_a_scene_stored_south_up_or_on_its_side_is_zoomed_into_at_the_right_place(
    scripted, small, scene, tmp_path
):
    window = scene.window
    whole = scene.read(View(window, (window.height, window.width))).pixels
    stored = whole[::-1].swapaxes(0, 1)  # x runs north, y east
    transform = Affine(0, 0.5, 500_000, 0.5, 0, 5_000_000 - 512)
    shape = {"height": 2048, "width": 1024, "count": 3, "dtype": "uint8"}
    path = tmp_path / "side.tif"
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=transform, **shape) as file:
        file.write(np.moveaxis(stored, -1, 0))
    script = [NANO.render_call((500, 0, 1000, 500), 1000, 1000), "there"]
    with Scene(path) as side:
        chains = (ZoomChain(scripted(question=list(script)), NANO, small) for _ in range(2))
        answers = [chain.ask(shown, "question?") for chain, shown in zip(chains, (scene, side))]
    upright, turned = (answer.trace for answer in answers)
    assert [view.thumbnail for view in turned.views] == [view.thumbnail for view in upright.views]
    assert turned.views[1].map_bounds == pytest.approx(upright.views[1].map_bounds)
    assert turned.views[1].gain == upright.views[1].gain
    assert json.loads(turned.to_json())["views"][1]["view"]["orientation"]["transpose"] is True
    assert Trace.from_json(turned.to_json()) == turned
