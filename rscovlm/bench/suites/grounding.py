"""Visual grounding of refGeo (GeoGround): DIOR-RSVG, RSVG, GeoChat-VG, AVVG; and DIOR-RSVG's own XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rscovlm.bench.item import Item
from rscovlm.bench.suites.items import grounding, groups_of
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.common import LeftOut, Options, Record, box_of, id_of, outside, text_of
from rscovlm.data.readers.grounding import IMAGES, PHRASES, xml_objects
from rscovlm.data.sample import Box


def refgeo(images: str, files: Mapping[str, str]) -> Layout:
    """One data set of refGeo.

    Args:
        images: its folder below ``images``.
        files: name of the JSON lines below ``metainfo``, by split.
    """
    patterns = {
        split: (f"metainfo/{name}.jsonl", f"{name}.jsonl", f"{name}.json") for split, name in files.items()
    }
    return Layout(patterns, of_records(_refgeo), (f"images/{images}", "images", images, "."))


def _refgeo(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    image = pictures.locate(text_of(record, *IMAGES, what="image"))
    box = box_of(record.get("bbox") or record.get("poly") or [], "hbb")
    yield grounding(
        id_of(record, place, "question_id", "id"),
        image,
        " ".join(text_of(record, *PHRASES, what="phrase").split()),
        [_inside(box, image, pictures)],
        groups=groups_of(record, category="obj_cls", dataset="dataset"),
    )


def _inside(box: Box, image: str, pictures: Pictures) -> Box:
    size = pictures.size(image)
    if size is not None and outside(box, size):
        raise LeftOut("its box lies outside its image", str(box.polygon.tolist()))
    return box


def _described(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
    """All objects of DIOR-RSVG's XML files."""
    for found in xml_objects(path, options):
        image = pictures.locate(found.image)
        yield grounding(
            found.key, image, found.phrase, [found.box], groups={"category": found.box.label or "unknown"}
        )


_REFGEO = (
    "ROOT/metainfo/{files}.jsonl with image_id, question, bbox [x0, y0, x1, y1] in pixels\n"
    "ROOT/images/{images}/"
)
_SOURCE = "refGeo: https://github.com/zytx121/GeoGround"


DIOR_RSVG = benchmark(
    Reader(
        "dior-rsvg",
        (
            refgeo("dior_rsvg", {"test": "dior_rsvg_test", "val": "dior_rsvg_val"}),
            Layout({"all": ("Annotations", "annotations")}, _described, ("JPEGImages", "images", ".")),
        ),
        kinds=("ground",),
        groups=("category", "dataset", "size"),
    ),
    title="DIOR-RSVG (TGRS 2023)",
    layout=_REFGEO.format(files="dior_rsvg_{test,val}", images="dior_rsvg")
    + "\nor the authors' XML, of which all can be read (split all): ROOT/Annotations/*.xml, ROOT/JPEGImages/"
    "; its split files number objects in the order of a folder on one machine, which others do not share",
    source=f"https://github.com/ZhanYang-nwpu/RSVG-pytorch; {_SOURCE}",
    licence="terms of its sources (DIOR)",
    counts={"test": 7500, "val": 3829, "all": 38320},
)

RSVG = benchmark(
    Reader(
        "rsvg",
        (refgeo("rsvg", {"test": "rsvg_test", "val": "rsvg_val"}),),
        kinds=("ground",),
        groups=("category", "dataset", "size"),
    ),
    title="RSVG (ACM MM 2022)",
    layout=_REFGEO.format(files="rsvg_{test,val}", images="rsvg"),
    source=_SOURCE,
    licence="terms of its sources",
    counts={},
)

GEOCHAT_VG = benchmark(
    Reader(
        "geochat-vg",
        (refgeo("geochat_test", {"test": "geochat_test"}),),
        kinds=("ground",),
        groups=("category", "dataset", "size"),
    ),
    title="GeoChat, visual grounding as in refGeo (CVPR 2024)",
    layout=_REFGEO.format(files="geochat_test", images="geochat_test") + " (.jpg or .png)",
    source=_SOURCE,
    licence="terms of its sources",
    counts={},
)

AVVG = benchmark(
    Reader(
        "avvg",
        (refgeo("avvg", {"test": "avvg_test"}),),
        kinds=("ground",),
        groups=("category", "dataset", "size"),
    ),
    title="AVVG, visual grounding in drone images, as in refGeo",
    layout=_REFGEO.format(files="avvg_test", images="avvg"),
    source=_SOURCE,
    licence="terms of its sources; published in refGeo only",
    counts={},
)
