"""Small copies of published formats, written by the tests that read them."""

import json

import numpy as np
from PIL import Image

from rscovlm.data.readers import ADAPTERS, Options


def image(path, width=200, height=100):
    """An image of a size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)
    return path


def write_json(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read(name, path, images=None, **options):
    """The samples of an adapter, and its account."""
    settings = Options(**options)
    return list(ADAPTERS[name].read(path, images, settings)), settings.account


def corners(box):
    return box.polygon.round(6).tolist()


def said(sample):
    return [(turn.role, turn.text) for turn in sample.turns]


def quad(x0, y0, x1, y1):
    """The corners of an upright box, from its top left, clockwise."""
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
