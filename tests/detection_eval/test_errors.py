"""Errors: one base for each package, so that a caller can catch all of a package's and no others."""

import inspect

import pytest

import detection_eval.errors
import tiling.errors
import zoom_chain.errors


@pytest.mark.parametrize(
    ("module", "base"),
    [
        (detection_eval.errors, detection_eval.errors.DetectionError),
        (tiling.errors, tiling.errors.SceneError),
        (zoom_chain.errors, zoom_chain.errors.ZoomError),
    ],
)
def test_every_error_has_the_base_of_its_package_and_a_cause_in_words(module, base):
    found = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__
    ]
    assert base in found
    assert all(issubclass(kind, base) and kind.__doc__ for kind in found)
    assert not any(issubclass(kind, ValueError) for kind in found)
