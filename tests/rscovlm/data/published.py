"""Small copies of published formats, written by the tests that read them."""

import io
import json

import numpy as np
from PIL import Image

from rscovlm.data.readers import ADAPTERS, Options, convert
from rscovlm.data.store import SampleFile


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


def png(grey, width=200, height=100):
    """The bytes of an image of one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def inside(grey, name="x.png"):
    """An image as Hugging Face keeps it in a table."""
    return {"bytes": png(grey), "path": name}


def grey_of(sample, folder, place=0):
    """The grey of an image that a sample shows."""
    with Image.open(folder / sample.images[place].path) as shown:
        return shown.getpixel((0, 0))[0]


def converted(path, name=None, images=None, **options):
    """The samples of a conversion as its file holds them, the folder of the file, and its account."""
    output = path.parent / "out" / "s.jsonl"
    output.parent.mkdir(exist_ok=True)
    settings = Options(**options)
    convert(name, path, output, settings, images=images)
    return list(SampleFile(output)), output.parent, settings.account


LRS = {"question_id": "FAIR_1", "text": "What colour?", "ground_truth": "red", "category": "object color"}
ROWS = [LRS | {"question_id": f"q{grey}", "image": inside(grey)} for grey in (10, 20, 30)]
