"""The ground of a scene at any reduction: land use with its textures, streets, woods and water."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth import noise
from rscovlm.synth.light import Light
from rscovlm.synth.terrain import Cover, Terrain, wooded_uses
from rscovlm.synth.textures import crowns, grain

Array = NDArray[np.float32]

HOUSES_BELOW_M = 4.0
"""Pixels above which houses, trees and cars of towns are no longer drawn one by one."""

_GRAIN = np.array([0.02, 0.0, 0.05, 0.06, 0.06, 0.035, 0.035, 0.05], dtype=np.float32)
_ASPHALT, _DIRT, _PAVEMENT, _LINE = (
    np.array(colour, dtype=np.float32)
    for colour in ((104, 104, 106), (176, 158, 124), (158, 156, 150), (226, 226, 220))
)
_CROP_TABLE = 64
_BANK_M = 20.0
"""How far from the water banks may show."""

_SANDY = ("coast", "water", "desert")


def render_ground(
    terrain: Terrain, light: Light, x: NDArray[np.float64], y: NDArray[np.float64], pixel_m: float
) -> Array:
    """(h, w, 3) float32 RGB.

    Args:
        terrain: of the scene.
        light: of the scene.
        x: (w,) metres of the columns' centres.
        y: (h,) metres of the rows' centres.
        pixel_m: side of a pixel.
    """
    u, v = terrain.grid.raster(x, y)
    shore = terrain.shore_raster(x, y, u, v, pixel_m)
    if shore is not None and shore.max() < -2 * pixel_m - 1:
        colour = np.zeros((*shore.shape, 3), dtype=np.float32)
    else:
        colour = _Land(terrain, light, x, y, u, v, pixel_m).render(shore)
    if shore is not None:
        _flood(colour, shore, terrain, light, x, y, pixel_m)
    return colour


def grass_of(terrain: Terrain, light: Light) -> tuple[int, int, int]:
    """Colour of unpaved ground at places: grass, or the desert's sand."""
    return light.ground(Cover.DESERT if terrain.cover == "desert" else Cover.MEADOW)


class _Land:
    """The dry ground of one view: block, offset and use of each pixel, and what is painted by them."""

    def __init__(
        self,
        terrain: Terrain,
        light: Light,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        u: Array,
        v: Array,
        pixel_m: float,
    ) -> None:
        self.terrain, self.light, self.x, self.y, self.u, self.v = terrain, light, x, y, u, v
        self.pixel_m = pixel_m
        self.column, self.du, self.i0 = terrain.grid.u.located(u)
        self.row, self.dv, self.j0 = terrain.grid.v.located(v)
        self.columns, self.rows = int(self.column.max()) + 1, int(self.row.max()) + 1
        self.i, self.j = np.meshgrid(self.i0 + np.arange(self.columns), self.j0 + np.arange(self.rows))
        self.uses = terrain.use_of(self.i, self.j)
        self.block = self.row * self.columns + self.column

    def render(self, shore: Array | None) -> Array:
        present = {Cover(int(code)) for code in np.unique(self.uses)}
        index, palette = self._palette()
        shade = self._shade(index, present)
        if Cover.FARMLAND in present:
            self._fields(index, shade, len(self.uses.ravel()))
        colour = palette.take(index, axis=0)
        colour *= shade[..., None]
        if self.pixel_m > HOUSES_BELOW_M * 0.6 and present & {Cover.URBAN, Cover.INDUSTRIAL}:
            self._fabric(colour)
        if present & {Cover.FARMLAND, Cover.MEADOW, Cover.DESERT}:
            self._woods(colour)
        self._streets(colour, shore)
        return colour

    def _palette(self) -> tuple[NDArray[np.intp], Array]:
        """For each pixel a row of a palette: one of its block, or, behind those, one of a crop."""
        base = np.array(
            [*(self.light.ground(cover) for cover in list(Cover)[:-1]), grass_of(self.terrain, self.light)],
            dtype=np.float32,
        )
        if self.terrain.cover == "desert":
            base[Cover.URBAN] = base[Cover.URBAN] * 0.35 + base[Cover.DESERT] * 0.6
        colours = base[self.uses.ravel()]
        tone = noise.hashed(self.i, self.j, self.terrain.seed + 51).ravel()[:, None] - np.float32(0.5)
        hue = noise.hashed(self.i, self.j, self.terrain.seed + 52).ravel()[:, None] - np.float32(0.5)
        own = ((self.uses == Cover.URBAN) | (self.uses == Cover.INDUSTRIAL)).ravel()[:, None]
        colours = colours * (1 + 0.12 * tone * own) + own * hue * np.array([10, 0, -6], dtype=np.float32)
        if self.pixel_m > HOUSES_BELOW_M:
            far = np.array([142, 126, 114], dtype=np.float32)
            built = self.uses.ravel()[:, None] == Cover.URBAN
            colours = np.where(built, colours * 0.45 + far * 0.55, colours)
            built = self.uses.ravel()[:, None] == Cover.INDUSTRIAL
            colours = np.where(
                built, colours * 0.55 + np.array([160, 158, 156], dtype=np.float32) * 0.45, colours
            )
        crops = self.light.crops
        pick = noise.hashed(np.arange(_CROP_TABLE), 0, self.terrain.seed + 53)
        vary = 1 + 0.12 * (noise.hashed(np.arange(_CROP_TABLE), 1, self.terrain.seed + 53) - np.float32(0.5))
        table = crops[(pick * len(crops)).astype(np.intp)] * vary[:, None]
        return self.block.copy(), np.concatenate([colours, table]).astype(np.float32)

    def _shade(self, index: NDArray[np.intp], present: set[Cover]) -> Array:
        broad = noise.smooth(self.x, self.y, 330.0, self.terrain.seed + 61) - np.float32(0.5)
        middle = noise.smooth(self.x, self.y, 47.0, self.terrain.seed + 62) - np.float32(0.5)
        shade = 1 + np.float32(0.16) * broad
        shade += np.float32(0.12 * noise.visible(47.0, self.pixel_m)) * middle
        strength = _GRAIN[self.uses.ravel()][index] if len(present) > 1 else _GRAIN[int(next(iter(present)))]
        shade += strength * grain().sample(self.x, self.y, self.pixel_m)
        if Cover.DESERT in present:
            self._dunes(shade)
        return shade

    def _dunes(self, shade: Array) -> None:
        fade = noise.visible(46.0, self.pixel_m)
        if not fade:
            return
        bend = noise.smooth(self.x, self.y, 210.0, self.terrain.seed + 63)
        phase = self.u * np.float32(2 * np.pi / 46) + bend * np.float32(9)
        wave = np.sin(phase) + np.float32(0.35) * np.sin(2 * phase + 0.6)
        where = (self.uses == Cover.DESERT).ravel()[self.block]
        shade += where * wave * np.clip(bend * 2 - 0.6, 0, 1) * np.float32(0.085 * fade)

    def _fields(self, index: NDArray[np.intp], shade: Array, first: int) -> None:
        """Strips of crops in parcels of two by two blocks, with rows along them."""
        seed = self.terrain.seed + 71
        parcel_i, parcel_j = self.i // 2, self.j // 2
        width = 22 + 90 * noise.hashed(parcel_i, parcel_j, seed).ravel() ** 2
        along_u = noise.hashed(parcel_i, parcel_j, seed + 1).ravel() < 0.65
        start = (noise.hashed(parcel_i, parcel_j, seed + 2).ravel() * _CROP_TABLE).astype(np.float32)
        farm = (self.uses == Cover.FARMLAND).ravel()[self.block]
        across = np.where(along_u[self.block], self.v, self.u)
        strip_m = width.astype(np.float32)[self.block]
        place = across / strip_m
        strip = np.floor(place)
        crop = ((start[self.block] + 7 * strip).astype(np.int64) % _CROP_TABLE).astype(np.intp)
        edge = (np.float32(0.5) - np.abs(place - strip - np.float32(0.5))) * strip_m
        furrow = _coverage(edge, 1.6, self.pixel_m) * np.float32(0.2)
        np.copyto(index, first + crop, where=farm)
        rows = np.zeros_like(shade)
        for spacing, share in ((2.1, 0.05), (24.0, 0.035)):
            fade = noise.visible(spacing, self.pixel_m) * share
            if fade:
                rows += np.float32(fade) * np.cos(across * np.float32(2 * np.pi / spacing))
        shade += farm * (rows - furrow)

    def _fabric(self, colour: Array) -> None:
        """Towns from afar: roofs and gardens as a speckle, as far as a pixel can show it."""
        urban = (self.uses == Cover.URBAN).ravel()[self.block]
        works = (self.uses == Cover.INDUSTRIAL).ravel()[self.block]
        share = np.float32(min(1.0, self.pixel_m / HOUSES_BELOW_M))
        houses = noise.smooth(self.x, self.y, 13.0, self.terrain.seed + 81) - np.float32(0.5)
        halls = noise.smooth(self.x, self.y, 47.0, self.terrain.seed + 82) - np.float32(0.5)
        fine = np.float32(min(1.0, 0.25 + noise.visible(26.0, self.pixel_m)))
        town = (urban * houses * fine * share)[..., None]
        colour += town * np.array([120, 74, 66], dtype=np.float32)
        yard = (works * (houses * fine + halls * np.float32(0.7)) * share)[..., None]
        colour += yard * np.array([70, 76, 82], dtype=np.float32)

    def _woods(self, colour: Array) -> None:
        inside = self.terrain.woods_raster(self.x, self.y, self.pixel_m)
        if inside is None or inside.max() <= -2 * self.pixel_m:
            return
        allowed = wooded_uses(self.uses).ravel()[self.block]
        canopy = crowns()
        sun = -self.light.cast / max(self.light.shadow, 1e-6)
        light = np.float32(1.15) * (
            np.float32(-sun[0]) * canopy.slope_x.sample(self.x, self.y, self.pixel_m)
            + np.float32(-sun[1]) * canopy.slope_y.sample(self.x, self.y, self.pixel_m)
        )
        tone = canopy.tone.sample(self.x, self.y, self.pixel_m)
        light += 1 + np.float32(0.6) * tone
        stand = noise.smooth(self.x, self.y, 140.0, self.terrain.seed + 64) - np.float32(0.5)
        light += np.float32(0.3) * stand
        # Ragged, not cut: the edge runs along crowns.
        share = np.clip((inside + 9 * tone) / np.float32(max(1.2, self.pixel_m)) + np.float32(0.5), 0, 1)
        share *= allowed
        base = np.array(self.light.ground(Cover.FOREST), dtype=np.float32)
        leaf = np.maximum(light, np.float32(0.25))[..., None] * base
        leaf[..., 0] += stand * np.float32(26 if self.light.season == "autumn" else 10)
        colour += (leaf - colour) * share[..., None]

    def _streets(self, colour: Array, shore: Array | None) -> None:
        """Streets, tracks and roads, worked out only where they are near."""
        across, along = self.terrain.edge_widths(
            self.i0, self.j0, self.i0 + self.columns, self.j0 + self.rows
        )
        widest = max(float(np.abs(across).max()), float(np.abs(along).max()))
        if not widest:
            return
        reach = widest / 2 + 1.8 + self.pixel_m
        near = np.flatnonzero((np.abs(self.du) < reach) | (np.abs(self.dv) < reach))
        if not len(near):
            return
        streets = _Streets(self, across, along, near)
        dry = np.ones(len(near), dtype=np.float32)
        if shore is not None:
            dry = np.clip((shore.ravel()[near] - 1) / np.float32(max(self.pixel_m, 0.3)), 0, 1)
        flat = colour.reshape(-1, 3)
        flat[near] = streets.painted(
            flat[near], dry, (self.uses == Cover.URBAN).ravel()[self.block.ravel()[near]]
        )


class _Streets:
    """Pixels near grid lines: how far the nearest lines are, and what runs there."""

    def __init__(self, land: _Land, across: Array, along: Array, near: NDArray[np.intp]) -> None:
        self.pixel_m, self.across, self.along = land.pixel_m, across, along
        du, dv = land.du.ravel()[near], land.dv.ravel()[near]
        column, row = land.column.ravel()[near], land.row.ravel()[near]
        self.u, self.v = land.u.ravel()[near], land.v.ravel()[near]
        line_u, line_v = column + (du < 0), row + (dv < 0)
        self.far_u, self.far_v = np.abs(du), np.abs(dv)
        self.width_u = across.ravel()[row * (land.columns + 1) + line_u]
        self.width_v = along.ravel()[line_v * land.columns + column]
        self.corner = line_v * (land.columns + 1) + line_u

    def painted(self, colour: Array, dry: Array, urban: NDArray[np.bool_]) -> Array:
        """(n, 3) colours under what runs there, as far as the ground is dry."""
        if self.pixel_m < 2.5:
            wide_u, wide_v = ((w + np.float32(3.4)) * (w > 0) for w in (self.width_u, self.width_v))
            colour = _over(colour, _PAVEMENT, self._either(wide_u, wide_v) * urban * dry)
        for target, sign in ((_DIRT, -1), (_ASPHALT, 1)):
            across, along = np.maximum(sign * self.across, 0), np.maximum(sign * self.along, 0)
            if not across.any() and not along.any():
                continue
            street = self._either(np.maximum(sign * self.width_u, 0), np.maximum(sign * self.width_v, 0))
            if self.pixel_m < 2.5:
                street = np.maximum(street, self._corners(across, along))
            colour = _over(colour, target, street * dry)
        if self.pixel_m < 1.0 and max(float(self.across.max()), float(self.along.max())) > 8:
            marks = self._marks(self.far_u, self.width_u, self.v)
            marks += self._marks(self.far_v, self.width_v, self.u)
            colour = _over(colour, _LINE, np.clip(marks, 0, 1) * dry)
        return colour

    def _either(self, width_u: Array, width_v: Array) -> Array:
        return np.maximum(
            _coverage(self.far_u, width_u, self.pixel_m), _coverage(self.far_v, width_v, self.pixel_m)
        )

    def _corners(self, across: Array, along: Array) -> Array:
        """Where two streets meet, the square between their ends."""
        size = np.zeros((len(across) + 1, across.shape[1]), dtype=np.float32)
        ends_u = np.maximum(across[:-1], across[1:])
        ends_v = np.maximum(along[:, :-1], along[:, 1:])
        size[1:-1, 1:-1] = np.minimum(ends_u[:, 1:-1], ends_v[1:-1])
        width = size.ravel()[self.corner]
        return np.minimum(
            _coverage(self.far_u, width, self.pixel_m), _coverage(self.far_v, width, self.pixel_m)
        )

    def _marks(self, away: Array, width: Array, along: Array) -> Array:
        """The dashes in the middle of roads and the lines at their sides."""
        found = np.zeros_like(away)
        rows = np.flatnonzero((width > 8) & (away < width))
        away, half = away[rows], width[rows] / 2
        dash = _coverage(away, 0.24, self.pixel_m) * (np.mod(along[rows], np.float32(12)) < 5)
        edge = (away - half + np.float32(0.6)).astype(np.float32)
        side = _coverage(edge, 0.22, self.pixel_m)
        found[rows] = (dash + side) * np.float32(0.8)
        return found


def _over(colour: Array, target: Array, share: Array) -> Array:
    """Colours with a share of another laid over them."""
    return (colour + (target - colour) * share[:, None]).astype(np.float32, copy=False)


def _coverage(away: Array, width: Array | float, pixel_m: float) -> Array:
    """How much of a pixel a line of a width covers, whose middle lies ``away`` metres off."""
    width = np.asarray(width, dtype=np.float32)
    inside = (width / 2 - np.abs(away)) * np.float32(1 / pixel_m) + np.float32(0.5)
    most = np.minimum(np.float32(1), width * np.float32(1 / pixel_m))
    return np.clip(inside, 0, most).astype(np.float32, copy=False)


def _flood(
    colour: Array,
    shore: Array,
    terrain: Terrain,
    light: Light,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    pixel_m: float,
) -> None:
    """Lay water and its banks over the ground, in place."""
    table = _shore_table(terrain, pixel_m)
    swell = noise.smooth(x, y, 260.0, terrain.seed + 91) - np.float32(0.5)
    ripple = grain().sample(x * 0.8, y * 2.2, pixel_m * 1.4)
    tone = 1 + np.float32(0.16) * swell + np.float32(0.035) * ripple
    flat, near = colour.reshape(-1, 3), np.flatnonzero(shore < _BANK_M + pixel_m)
    rows: NDArray[np.intp] | slice = near if len(near) < 0.8 * shore.size else slice(None)
    place = (shore.ravel()[rows] + 90) * np.float32((len(table) - 1) / 110)
    laid = table.take(np.clip(place, 0, len(table) - 1).astype(np.intp), axis=0)
    under = flat[rows]
    # In this form what lies below water does not show, not even in the last bit.
    flat[rows] = under * (1 - laid[:, 3:]) + laid[:, :3] * tone.ravel()[rows][:, None] * laid[:, 3:]


def _shore_table(terrain: Terrain, pixel_m: float) -> Array:
    """(n, 4): red, green, blue and cover of water and banks from 90 m inside the water to 20 m outside."""
    hue = float(noise.hashed(1, 2, terrain.seed + 92))
    deep = np.array([18 + 14 * hue, 46 + 12 * hue, 84 - 12 * hue])
    shallow = np.array([58 + 20 * hue, 102, 118 - 12 * hue])
    if terrain.cover in _SANDY:
        bank, dry, reach = np.array([168, 148, 112]), np.array([216, 200, 160]), 15.0
    else:
        bank, dry, reach = np.array([104, 100, 74]), np.array([120, 122, 82]), 5.0
        shallow = shallow * 0.5 + deep * 0.5
    edge = max(0.25, pixel_m / 2)
    stops = [-90.0, -30.0, -4.0, -edge, edge, max(edge, 0.35 * reach), max(edge * 1.01, reach), 20.0]
    colours = np.array([deep, deep * 0.75 + shallow * 0.25, shallow, shallow * 1.06, bank, dry, dry, dry])
    covers = [1.0, 1.0, 1.0, 1.0, 0.95, 0.85, 0.0, 0.0]
    at = np.linspace(-90, 20, 881)
    channels = [np.interp(at, stops, colours[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.interp(at, stops, covers)], axis=1).astype(np.float32)
