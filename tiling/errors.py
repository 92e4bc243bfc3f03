"""Errors of scenes, grids and results on maps: one base class, and one subclass for each cause."""

from __future__ import annotations


class SceneError(Exception):
    """A scene, or a request about one, that cannot be used as given; the message says what would be right."""


class SceneNotFound(SceneError):
    """No such file."""


class SceneUnreadable(SceneError):
    """GDAL cannot open the file, or its pixels are corrupt or cut off."""


class EmptyScene(SceneError):
    """The file holds no bytes or no pixels."""


class NoValidPixels(SceneError):
    """Each pixel of the scene is nodata, transparent or not a number: there is nothing to look at."""


class BandError(SceneError):
    """A band was asked for that the scene does not have, or a number of bands that cannot be shown as RGB."""


class NotGeoreferenced(SceneError):
    """Map coordinates were asked of a scene that has no georeference, or none that leads to the Earth."""


class ResolutionError(SceneError):
    """Bounds on a model's image size that contradict each other, or an image that no size suits."""


class GridError(SceneError):
    """Lengths that make no grid of tiles."""


class OutsideScene(SceneError):
    """A window or region that does not overlap the scene."""


class OutputError(SceneError):
    """The path of a result has a suffix that no format has."""


class AreaError(SceneError):
    """An area to be examined that cannot be read, or has no place in the scene."""


class ThematicMapError(SceneError):
    """A map of classes that cannot be read, does not say its names, or lies elsewhere than the scene."""
