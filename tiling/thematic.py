"""Thematic maps: which class lies at places of a scene, by name, from a raster or from polygons.

A raster holds codes; their names come from its category names, a column of its attribute table, or are the
codes themselves. Polygons hold their names in a column of text or of codes. Which column holds the names is
stated, or is the only one in which known names stand. Maps are read about the places that are asked for, so
that memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from tiling.errors import SceneUnreadable
from tiling.scene import Scene
from tiling.thematic_raster import Points, ThematicRaster
from tiling.thematic_shapes import ThematicShapes, is_vector


class ThematicMap(Protocol):
    """Classes of places.

    Attributes:
        source: path as given.
        identity: by which a resumed run knows the map again.
    """

    source: str
    identity: str

    def names_at(self, scene: Scene, points: Points) -> list[str]:
        """The class at each of (N, 2) pixels of a scene; empty outside of the map and where it has no data.

        Raises:
            SceneError: where the map cannot be read.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_thematic(
    source: str,
    scene: Scene,
    known: Collection[str],
    column: str | None = None,
    renamed: Mapping[str, str] | None = None,
) -> ThematicMap:
    """A thematic map of a scene's place, from a raster or a file of polygons.

    Args:
        source: path, or what else GDAL opens.
        scene: whose places are asked for.
        known: names, of which the map has to hold some as far as it lists its own.
        column: that holds the names; None for the only one in which known names stand.
        renamed: what its names, or codes, stand for; others stand for themselves.

    Raises:
        FileNotFoundError, SceneError: where it cannot be read, has no CRS, no such column, no known name, or
            does not overlap the scene.
    """
    names = dict(renamed or {})
    try:
        found: ThematicMap = ThematicRaster(source, scene, known, column, names)
    except SceneUnreadable:
        if not is_vector(source):
            raise
        found = ThematicShapes(source, scene, known, column, names)
    return found
