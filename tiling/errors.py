"""What can be wrong with a scene: one base class, and one subclass for each thing a person can act on."""

from __future__ import annotations


class SceneError(Exception):
    """Something about a scene stands in the way; the message names the scene and what would be right."""


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
