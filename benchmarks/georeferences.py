"""One scene, stored with six georeferences: the same objects in the same places on the map.

    python benchmarks/georeferences.py [--output build/georeferences] [--picture docs/georeferences.png]

A synthetic scene at 60 degrees north is stored in UTM as it is drawn, in degrees (EPSG:4326) and in Web
Mercator (EPSG:3857), south-up, turned by 25 degrees, and turned by 90 degrees with ground control points
alone. Each file holds a square of the ground in its middle, which alone is looked at (``--area``), and around
it as much more as fills its frame. Objects are looked for by nano, and by a stand-in that answers with the
true boxes of each view that it is shown, so that what is left is due to geometry and notation alone. Found
boxes go to the map by the georeference of their file, and from there to UTM by PROJ; the pictures behind them
are warped to UTM by GDAL, which knows nothing of this project.

Distances are those of the centres of boxes of one class, less than half a length apart: of the stand-in's to
the true boxes, and of nano's to these and to its own in the UTM file. Nano sees other cuts of the ground in
each file, and answers other boxes; a pixel of its views is 1.2 m.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from PIL import Image, ImageColor, ImageDraw, ImageFont
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject, transform, transform_bounds

from detection_eval.detections import Detections
from detection_eval.files import atomic_path
from detection_eval.geometry.clipping import visible_quads
from detection_eval.text.contracts import CONTRACTS
from detection_eval.text.writing import render_response
from rscovlm.engines import Engine, load_model
from rscovlm.models.families import FAMILIES, ModelFamily
from rscovlm.synth.dataset import scene_truth
from rscovlm.synth.render import render
from rscovlm.synth.world import World, plan_world
from rscovlm.tasks.detect import detect_scene
from rscovlm.tasks.detection_run import plan_detection
from rscovlm.tasks.tiles import plan_tiles
from tiling.areas import Area
from tiling.colours import class_colours
from tiling.scene import Scene
from tiling.view import Size, View, Window
from zoom_chain.chat import Conversation, Generation, Reply
from zoom_chain.scores import Scores

UTM = CRS.from_epsg(32633)
GSD_M = 0.3
PLACE = Affine(GSD_M, 0, 600_000, 0, -GSD_M, 6_650_000)  # 60 degrees north, 1.8 degrees east of the middle
DEGREE_M = 111_400  # of latitude there
TURN = 25  # degrees
FILLED = 1.77  # sides of the scene per side of the square, for frames turned by TURN: (sin + cos)^2
OVERLAP = "100m"  # of the stand-in's tiles: longer than any object, so that each is seen whole
COVER = "urban"
PANEL, GAP, HEAD = 400, 8, 72  # px
GRID_M = 100
DARK, SHEET, LIGHT, MUTED = "#0c1018", "#1a2130", "#f0f2f5", "#9aa4b2"


class Version(NamedTuple):
    """The scene as one file stores it: bands first, with what rasterio writes beside the pixels."""

    name: str
    pixels: np.ndarray
    profile: dict[str, Any]


class Found(NamedTuple):
    """Centres (n, 2) and corners (n, 4, 2) in metres of UTM, and the class of each box."""

    corners: np.ndarray
    names: list[str]

    @property
    def centres(self) -> np.ndarray:
        """(n, 2)."""
        centres: np.ndarray = self.corners.mean(axis=1)
        return centres


class Agreement(NamedTuple):
    """How many boxes are those of a reference, and how far from them they lie, in metres."""

    found: int
    matched: int
    expected: int
    distances_m: np.ndarray


def town(seed: int, side: int) -> World:
    """A town of courts, pools, pitches and places around the square in its middle."""
    return plan_world(seed, side, side, GSD_M, COVER)


def versions(pixels: np.ndarray, area: float) -> list[Version]:
    """The six files of a scene (bands, height, width), of which a square of ``area`` pixels counts."""
    side = pixels.shape[1]
    middle = PLACE @ (side / 2, side / 2)
    reach = area * GSD_M / 2
    square = (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach)

    def warped(name: str, crs: CRS, grid: Affine, width: int, height: int) -> Version:
        out = np.zeros((3, height, width), np.uint8)
        grids = {"src_transform": PLACE, "src_crs": UTM, "dst_transform": grid, "dst_crs": crs}
        reproject(pixels, out, resampling=Resampling.cubic, **grids)
        return Version(name, out, {"crs": crs, "transform": grid})

    def projected(name: str, epsg: int, pixel: float) -> Version:
        crs = CRS.from_epsg(epsg)
        west, south, east, north = transform_bounds(UTM, crs, *square)
        grid = Affine(pixel, 0, west, 0, -pixel, north)
        return warped(name, crs, grid, round((east - west) / pixel), round((north - south) / pixel))

    angle = np.radians(TURN)
    half = float(area * (np.cos(angle) + np.sin(angle)) / 2)
    turned = Affine.translation(*middle) @ Affine.rotation(TURN) @ Affine.scale(GSD_M, -GSD_M)
    # A quarter turn: the first row is the eastern edge from north to south.
    points = [
        GroundControlPoint(float(row), float(column), *(PLACE @ (side - row, column)))
        for row in np.linspace(0, side, 5)
        for column in np.linspace(0, side, 5)
    ]
    down = Affine(GSD_M, 0, PLACE.c, 0, GSD_M, PLACE.f - GSD_M * side)
    turned = turned @ Affine.translation(-half, -half)
    return [
        Version("UTM", pixels, {"crs": UTM, "transform": PLACE}),
        projected("EPSG:4326 at 60 N", 4326, GSD_M / DEGREE_M),
        projected("EPSG:3857", 3857, GSD_M / float(np.cos(np.radians(60)))),
        Version("south-up", pixels[:, ::-1], {"crs": UTM, "transform": down}),
        warped(f"rotated by {TURN} degrees", UTM, turned, round(2 * half), round(2 * half)),
        Version("control points only", np.rot90(pixels, axes=(1, 2)), {"crs": UTM, "gcps": points}),
    ]


def write(version: Version, path: Path) -> None:
    """Write a version as a GeoTIFF."""
    count, height, width = version.pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", photometric="RGB", **shape, **version.profile) as file:
        file.write(version.pixels)


# --- who looks ------------------------------------------------------------------------------------


class TrueBoxes:
    """Stands in for a model: answers each request about a tile with the true boxes of the view shown.

    Args:
        family: whose notation it writes.
        views: that it will be shown, in order.
        truth: in scene pixels.
    """

    name = "true boxes"

    def __init__(self, family: ModelFamily, views: Sequence[View], truth: Detections) -> None:
        self.family, self.views, self.truth = family, iter(views), truth

    def chat(self, conversations: Sequence[Conversation], options: Generation) -> list[Reply]:
        """A reply to each, for the views in their order."""
        return [Reply(self._answer(view)) for _, view in zip(conversations, self.views)]

    @property
    def scores(self) -> Scores:
        """It states no probabilities."""
        return "none"

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> TrueBoxes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, view: View) -> str:
        size = view.size
        quads, rows = visible_quads(view.from_scene(self.truth.polygons), size.width, size.height)
        seen = Detections(quads, self.truth.labels[rows], self.truth.classes)
        return render_response(seen, CONTRACTS[self.family.detection], size.width, size.height)


def look(
    path: Path, area: Area, engine: Callable[[Scene, Sequence[View]], Engine], overlap: str | None = None
) -> Found:
    """What an engine finds in an area of a file, in metres of UTM."""
    family = replace(FAMILIES["nano"], class_gsd_m=None)  # one pass for all classes
    with Scene(path) as scene:
        plan = plan_tiles(scene, family, overlap=overlap, area=area.in_scene(scene))
        run = plan_detection(scene, family, plans=[plan])
        boxes = detect_scene(scene, engine(scene, plan.views), run).detections
        places = scene.to_map(boxes.polygons).reshape(-1, 2)
        x, y = transform(scene.crs, UTM, *places.T.tolist())
    return Found(np.column_stack([x, y]).reshape(-1, 4, 2), list(boxes.names))


def agreement(found: Found, reference: Found) -> Agreement:
    """Boxes of one class whose centres are less than half the reference's length apart, the nearest first."""
    apart = np.linalg.norm(found.centres[:, None] - reference.centres, axis=2)
    reach = np.linalg.norm(np.diff(reference.corners, axis=1), axis=2).max(axis=1) / 2
    same = np.array(found.names)[:, None] == np.array(reference.names)
    apart[~same | (apart > reach)] = np.inf
    distances = []
    for place in np.argsort(apart, axis=None):
        row, column = np.unravel_index(place, apart.shape)
        if np.isfinite(apart[row, column]):
            distances.append(apart[row, column])
            apart[row], apart[:, column] = np.inf, np.inf
    return Agreement(len(found.names), len(distances), len(reference.names), np.array(distances))


def line(name: str, found: Agreement) -> str:
    """A row of the table."""
    middle, most = (f(found.distances_m) if found.matched else np.nan for f in (np.median, np.max))
    return (
        f"  {name:22} {found.found:7} {found.matched:4} of {found.expected:<4} "
        f"{middle:7.3f} m {middle / GSD_M:6.2f} px {most:7.3f} m {most / GSD_M:6.2f} px"
    )


# --- the picture ----------------------------------------------------------------------------------


def panel(
    version: Version,
    frame: Affine,
    found: Found,
    exact: Found,
    notes: Sequence[str],
    classes: Sequence[str],
) -> Image.Image:
    """A version as GDAL warps it to a frame of UTM, with boxes and a grid of the map, and its own pixels."""
    grey = np.round(version.pixels.mean(axis=0)).astype(np.uint8)
    shown = np.zeros((PANEL, PANEL), np.uint8)
    source = {"src_crs": version.profile["crs"]} | (
        {"gcps": version.profile["gcps"]}
        if "gcps" in version.profile
        else {"src_transform": version.profile["transform"]}
    )
    reproject(grey, shown, dst_transform=frame, dst_crs=UTM, resampling=Resampling.average, **source)
    twice = Image.fromarray(shown).resize((2 * PANEL, 2 * PANEL), Image.Resampling.BICUBIC).convert("RGB")
    pen = ImageDraw.Draw(twice, "RGBA")
    for metres in range(GRID_M, round(frame.a * PANEL), GRID_M):
        at = 2 * metres / frame.a
        pen.line((at, 0, at, 2 * PANEL), fill=(255, 255, 255, 70))
        pen.line((0, at, 2 * PANEL, at), fill=(255, 255, 255, 70))
    for corners, name in zip(found.corners, found.names):
        for width, colour in ((8, DARK), (5, class_colours(classes)[name])):
            pen.line(ring(corners, frame), fill=colour, width=width, joint="curve")
    for corners in exact.corners:
        pen.line(ring(corners, frame), fill="white", width=2)
    whole = Image.new("RGB", (PANEL, PANEL + HEAD), DARK)
    whole.paste(twice.resize((PANEL, PANEL), Image.Resampling.LANCZOS), (0, HEAD))
    stored = Image.fromarray(grey)
    stored.thumbnail((96, HEAD - 8))
    whole.paste(stored, (PANEL - stored.width - 4, (HEAD - stored.height) // 2))
    text = ImageDraw.Draw(whole)
    text.text((6, 5), version.name, font=ImageFont.load_default(15), fill=LIGHT)
    for row, words in enumerate(notes):
        text.text((6, 28 + 18 * row), words, font=ImageFont.load_default(12), fill=MUTED)
    return whole


def ring(corners: np.ndarray, frame: Affine) -> list[tuple[float, ...]]:
    """The outline of a box in pixels of the picture at twice its size, its first side twice."""
    return [tuple(2 * np.array(~frame @ tuple(corner))) for corner in (*corners, *corners[:2])]


def reduced(picture: Image.Image, classes: Sequence[str]) -> Image.Image:
    """The picture in 256 colours: greys, and those of the classes on dark and on light."""
    named = [ImageColor.getrgb(colour) for colour in class_colours(classes).values()]
    plain = [ImageColor.getrgb(colour) for colour in (DARK, SHEET, LIGHT, MUTED)]
    mixed = [
        tuple(round(share * own + (1 - share) * end) for own in colour)
        for colour in (*named, *plain)
        for share in (1.0, 0.75, 0.5)
        for end in (16, 140)
    ]
    greys = [(level, level, level) for level in np.linspace(0, 255, 64).round().astype(int).tolist()]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in (*greys, *mixed)[:256] for value in colour])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def draw(panels: Sequence[Image.Image], classes: Sequence[str]) -> Image.Image:
    """Panels three in a row, and the colours of the classes below."""
    width, height = panels[0].size
    rows = -(-len(panels) // 3)
    sheet = Image.new("RGB", (3 * width + 4 * GAP, rows * (height + GAP) + GAP + 46), SHEET)
    for place, each in enumerate(panels):
        sheet.paste(each, (GAP + place % 3 * (width + GAP), GAP + place // 3 * (height + GAP)))
    pen, x, y = ImageDraw.Draw(sheet), GAP + 2, sheet.height - 44
    font = ImageFont.load_default(13)
    for name in classes:
        pen.rectangle((x, y + 3, x + 12, y + 15), fill=class_colours(classes)[name])
        pen.text((x + 18, y + 1), name, font=font, fill=LIGHT)
        x += 36 + round(font.getlength(name))
    words = f"white: true boxes; coloured: nano's; grid of {GRID_M} m; above, the pixels as stored"
    pen.text((sheet.width - GAP - font.getlength(words), y + 21), words, font=font, fill=MUTED)
    return sheet


def compare(folder: Path, picture: Path | None, area_px: int, seed: int) -> bool:
    """Write the files, print the table and draw the picture; True where the true boxes keep their places."""
    folder.mkdir(parents=True, exist_ok=True)
    side = round(FILLED * area_px) + 20
    world = town(seed, side)
    truth, family = scene_truth(world), FAMILIES["nano"]
    assert family.classes is not None
    pixels = np.moveaxis(render(world, Window(0, 0, side, side), Size(side, side)), -1, 0)
    reach, (x, y) = area_px * GSD_M / 2, PLACE @ (side / 2, side / 2)
    area = Area.from_bbox(f"{x - reach},{y - reach},{x + reach},{y + reach},EPSG:32633")
    scale = area_px * GSD_M / PANEL
    frame = Affine(scale, 0, x - reach, 0, -scale, y + reach)
    corners = np.array([PLACE @ tuple(point) for point in truth.polygons.reshape(-1, 2)]).reshape(-1, 4, 2)
    # Whole in the square: the files in degrees and in Web Mercator end there and show no more of an object.
    inside = np.abs(corners - (x, y)).max(axis=(1, 2)) <= reach
    true = Found(corners[inside], list(truth.select(inside).names))
    print(f"{len(true.names)} objects in {area_px} x {area_px} px of {GSD_M} m, in six georeferences")
    print(f"  {'':22} objects    matched   median, on the ground   largest")

    def stand_in(scene: Scene, views: Sequence[View]) -> Engine:
        east, north = transform(UTM, scene.crs, *corners.reshape(-1, 2).T.tolist())
        own = scene.from_map(np.column_stack([east, north])).reshape(-1, 4, 2)
        return TrueBoxes(family, views, truth.with_polygons(own))

    exact: list[Agreement] = []
    right: list[Agreement] = []
    rows: list[tuple[Version, Agreement]] = []
    panels: list[Image.Image] = []
    reference: Found | None = None
    with load_model("nano") as nano:
        for number, version in enumerate(versions(pixels, area_px)):
            path = folder / f"{number}.tif"
            write(version, path)
            placed = look(path, area, stand_in, OVERLAP)
            exact.append(agreement(placed, true))
            found = look(path, area, lambda scene, views: nano)
            reference = reference or found
            measured = agreement(found, reference)
            rows.append((version, measured))
            right.append(agreement(found, true))
            away = f", median {np.median(measured.distances_m):.1f} m" if number else ""
            notes = (
                f"true boxes: at most {exact[-1].distances_m.max():.2f} m off",
                f"nano: {measured.found} objects, {measured.matched} as in UTM{away}",
            )
            panels.append(panel(version, frame, found, placed, notes, family.classes))
    print(" true boxes of each view, to the truth")
    for (version, _), measured in zip(rows, exact):
        print(line(version.name, measured))
    print(" nano, to the truth")
    for (version, _), measured in zip(rows, right):
        print(line(version.name, measured))
    print(" nano, to its boxes in the UTM file")
    for version, measured in rows:
        print(line(version.name, measured))
    if picture is not None:
        with atomic_path(picture) as temporary:
            reduced(draw(panels, family.classes), family.classes).save(temporary, format="PNG", optimize=True)
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
    return all(each.matched == each.expected and each.distances_m.max() < GSD_M for each in exact)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="folder of the six files; temporary without")
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    parser.add_argument("--size", type=int, default=2400, help="side of the square in pixels")
    parser.add_argument("--seed", type=int, default=3, help="of the scene")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        sys.exit(0 if compare(folder, options.picture, options.size, options.seed) else 1)


if __name__ == "__main__":
    main()
