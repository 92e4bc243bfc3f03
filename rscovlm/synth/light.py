"""Light, weather and season of a scene: one sun, haze, clouds, the sensor, and the colours of the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rscovlm.synth import noise
from rscovlm.synth.terrain import Cover
from rscovlm.synth.textures import grain

SEASONS = ("spring", "summer", "autumn", "winter")

Colour = tuple[int, int, int]

_GROUND: dict[str, dict[Cover, Colour]] = {
    "spring": {Cover.FOREST: (66, 92, 50), Cover.MEADOW: (116, 146, 72)},
    "summer": {Cover.FOREST: (48, 76, 42), Cover.MEADOW: (124, 138, 76)},
    "autumn": {Cover.FOREST: (104, 88, 50), Cover.MEADOW: (134, 132, 78)},
    "winter": {Cover.FOREST: (82, 80, 62), Cover.MEADOW: (142, 134, 96)},
}
_ALWAYS: dict[Cover, Colour] = {
    Cover.WATER: (34, 62, 80),
    Cover.FARMLAND: (140, 134, 84),
    Cover.URBAN: (122, 126, 92),
    Cover.INDUSTRIAL: (146, 143, 138),
    Cover.DESERT: (206, 178, 134),
}
_CROPS: dict[str, tuple[Colour, ...]] = {
    "spring": ((96, 136, 62), (112, 150, 70), (206, 194, 66), (138, 114, 88), (120, 98, 76), (84, 122, 60)),
    "summer": (
        (104, 132, 64),
        (202, 180, 112),
        (216, 198, 138),
        (88, 116, 56),
        (172, 158, 92),
        (142, 116, 86),
    ),
    "autumn": (
        (150, 124, 92),
        (126, 102, 76),
        (176, 156, 108),
        (112, 130, 66),
        (190, 172, 128),
        (136, 128, 78),
    ),
    "winter": (
        (150, 136, 104),
        (128, 108, 84),
        (166, 150, 118),
        (122, 126, 80),
        (112, 94, 74),
        (140, 138, 92),
    ),
}


@dataclass(frozen=True)
class Light:
    """How a scene is lit and seen.

    Attributes:
        season: of SEASONS.
        sun_rad: direction on the image towards which shadows fall, clockwise from +x.
        shadow: length of a shadow over the height of what throws it.
        haze: share of white veil.
        clouds: 0 for a clear sky, else how much of it they take.
        gain, gamma: of the tone curve.
        tint: factors of red, green, blue.
        noise: deviation of the sensor's noise in grey levels, at the scene's own pixels.
        seed: of clouds and noise.
    """

    season: str
    sun_rad: float
    shadow: float
    haze: float
    clouds: float
    gain: float
    gamma: float
    tint: tuple[float, float, float]
    noise: float
    seed: int

    def ground(self, cover: Cover) -> Colour:
        """Colour of a use of the ground."""
        return _GROUND[self.season].get(cover) or _ALWAYS[cover]

    @property
    def crops(self) -> NDArray[np.float32]:
        """(n, 3) colours of fields."""
        return np.array(_CROPS[self.season], dtype=np.float32)

    @property
    def cast(self) -> NDArray[np.float64]:
        """(2,) where the shadow of a point 1 m high falls, in metres."""
        return self.shadow * np.array([np.cos(self.sun_rad), np.sin(self.sun_rad)])

    def curve(self) -> list[int]:
        """768 entries: what the sensor makes of 0-255 in red, green and blue."""
        level = np.arange(256) / 255
        entries = []
        for factor in self.tint:
            toned = (level * self.gain * factor) ** self.gamma
            toned = toned * (1 - self.haze) + 0.82 * self.haze
            entries += np.clip(toned * 255 + 0.5, 0, 255).astype(int).tolist()
        return entries

    def veil(
        self,
        pixels: NDArray[np.uint8],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        pixel_m: float,
        gsd_m: float,
    ) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) under clouds and their shadows, with the sensor's noise."""
        if not self.clouds and not self.noise:
            return pixels
        seen = pixels.astype(np.float32)
        if self.clouds:
            shadow = self._cloud(x - self.cast[0] * 260, y - self.cast[1] * 260, pixel_m)
            cloud = self._cloud(x, y, pixel_m)
            if shadow.any() or cloud.any():
                seen *= 1 - 0.5 * shadow[..., None]
                seen += (np.float32(236) - seen) * cloud[..., None]
        if self.noise:
            unit = 0.3 / gsd_m
            seen += (np.float32(self.noise) * grain().sample(x * unit + 31.7, y * unit, pixel_m * unit))[
                ..., None
            ]
        return np.clip(seen, 0, 255).astype(np.uint8)

    def _cloud(self, x: NDArray[np.float64], y: NDArray[np.float64], pixel_m: float) -> NDArray[np.float32]:
        """(h, w) how much of the ground a cloud hides, at most a half: what is below stays to be seen."""
        waves = [(330 * 0.47**k, 0.52 * 0.5**k) for k in range(6)]
        highest = sum(
            weight * noise.bounds(x, y, wave, self.seed + k)[1] for k, (wave, weight) in enumerate(waves)
        )
        least = 0.8 - 0.4 * self.clouds
        if highest < least:
            return np.zeros((len(y), len(x)), dtype=np.float32)
        thick = np.full((len(y), len(x)), np.float32(-least))
        for k, (wave, weight) in enumerate(waves):
            thick += np.float32(weight) * (noise.smooth(x, y, wave, self.seed + k) if wave > pixel_m else 0.5)
        return np.clip(thick * 2.4, 0, 0.5)


def draw_light(rng: np.random.Generator, cover: str) -> Light:
    """Random light; the sun stands in the south, as north of the tropics."""
    season = str(rng.choice(SEASONS, p=(0.25, 0.4, 0.2, 0.15)))
    height = float(rng.uniform(28, 62)) - (8 if season == "winter" else 0)
    warm = float(rng.normal(0, 0.02))
    return Light(
        season=season,
        sun_rad=float(rng.uniform(-np.pi * 0.85, -np.pi * 0.15)),
        shadow=float(1 / np.tan(np.radians(height))),
        haze=float(rng.choice([0.0, rng.uniform(0.03, 0.16)])),
        clouds=float(rng.uniform(0.3, 0.6)) if rng.random() < 0.12 else 0.0,
        gain=float(rng.uniform(0.88, 1.14)),
        gamma=float(rng.uniform(0.88, 1.12)),
        tint=(1 + warm, 1.0, 1 - warm),
        noise=float(rng.choice([1.6, 2.4, 3.6])),
        seed=int(rng.integers(1 << 31)),
    )
