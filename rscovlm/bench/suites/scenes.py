"""Scene classification: AID, UCMerced, METER-ML, NWPU-RESISC45, WHU-RS19, of VHM, GeoChat or folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rscovlm.bench.benchmark import Benchmark
from rscovlm.bench.item import Item, Truth
from rscovlm.bench.suites.items import groups_of
from rscovlm.bench.suites.pictures import Pictures
from rscovlm.bench.suites.reading import Layout, Reader, benchmark, of_records
from rscovlm.data.readers.classification import candidates, class_folders, split_classes
from rscovlm.data.readers.common import LeftOut, Options, Record, id_of, text_of
from rscovlm.data.readers.conversations import words_of

_LISTED = re.compile(r"classes:\s*(.+?)\s*(?:\n|$)", re.IGNORECASE)
_MISSPELT = {"mediumresidentialgt": "mediumresidential"}
"""A right answer of GeoChat's AID that is no class, by its letters."""


def _item(
    key: str, image: str, classes: tuple[str, ...], answer: str, options: Options, **groups: str
) -> Item:
    """A scene, its right class as it is written among the candidates."""
    written = {_letters(name): name for name in classes}
    letters = _letters(answer)
    if letters in _MISSPELT:
        options.account.changed[f"right answers written {answer!r}"] += 1
        letters = _MISSPELT[letters]
    if letters not in written:
        raise LeftOut("its class is none of the candidates", f"{answer!r} of {len(classes)}")
    name = written[letters]
    return Item(key, (image,), "classify", "", Truth((name,)), classes, {"class": name, **groups})


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _vhm(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    asked, answer = words_of(record, options)
    classes = candidates(asked)
    if not classes:
        raise LeftOut("its question lists no classes", asked[:80])
    name, folder = text_of(record, "image"), str(record.get("image_path") or "").rstrip("/")
    image = pictures.locate(f"{folder}/{name}" if folder else name)
    yield _item(id_of(record, place, "question_id", "id"), image, classes, answer, options)


def _geochat(place: str, record: Record, pictures: Pictures, options: Options) -> Iterator[Item]:
    """GeoChat-Bench: classes in a field, or in the words of the question."""
    listed = record.get("classes")
    if not isinstance(listed, str):
        found = _LISTED.search(text_of(record, "text", "question", what="question"))
        if found is None:
            raise LeftOut("its question lists no classes")
        listed = found[1]
    image = pictures.locate(text_of(record, "image_id", "image"))
    answer = text_of(record, "ground_truth", what="right class")
    key = id_of(record, place, "question_id", "id")
    yield _item(key, image, split_classes(listed), answer, options, **groups_of(record, dataset="dataset"))


def _folders(path: Path, pictures: Pictures, options: Options) -> Iterator[Item]:
    """A folder for each class, beside each other; one of them is what the pattern met."""
    for name, files, classes in class_folders(path):
        for file in files:
            yield _item(f"{name}/{file}", str((path / name / file).resolve()), classes, name, options)


def _benchmark(
    name: str,
    title: str,
    *,
    vhm: str | None = None,
    geochat: str | None = None,
    images: tuple[str, ...],
    source: str,
    licence: str,
) -> Benchmark:
    """A benchmark from the files that VHM and GeoChat publish of it, and from plain folders."""
    layouts: list[Layout] = []
    forms: list[str] = []
    if vhm:
        files = (f"datasets_eval/{vhm}", vhm)
        layouts.append(Layout({"test": files}, of_records(_vhm), ("datasets_eval", *images, ".")))
        forms.append(f"VHM: ROOT/datasets_eval/{vhm} with conversations, image, image_path")
    if geochat:
        split = "geochat" if vhm else "test"
        layouts.append(Layout({split: (geochat,)}, of_records(_geochat), (*images, "images", ".")))
        forms.append(f"GeoChat (split {split}): ROOT/{geochat} with image, text or classes, ground_truth")
    places = (*images, "images", ".")
    layouts.append(Layout({"folders": places}, _folders, places))
    forms.append(f"split folders: ROOT/{images[0]}/<class>/<image>, every image of it")
    return benchmark(
        Reader(name, tuple(layouts), kinds=("classify",), groups=("class", "dataset")),
        title=title,
        layout="\n".join(forms),
        source=source,
        licence=licence,
        counts={},
    )


_VHM = "VHM: Hugging Face data set FitzPC/VHM_eval_dataset (datasets_eval.zip, 7.33 GB)"
_VHM_LICENCE = "the bundle of VHM is CC BY-NC 4.0; images under the terms of their source"
_GEOCHAT = "GeoChat-Bench: Hugging Face data set MBZUAI/GeoChat-Bench"

AID = _benchmark(
    "aid",
    "AID (TGRS 2017)",
    vhm="cls_AID.json",
    geochat="aid.jsonl",
    images=("AID",),
    source=f"{_VHM}; {_GEOCHAT}",
    licence=_VHM_LICENCE,
)
UCMERCED = _benchmark(
    "ucmerced",
    "UCMerced Land Use (2010)",
    geochat="UCmerced.jsonl",
    images=("UCMerced_LandUse/Images", "UCmerced", "Images"),
    source=_GEOCHAT,
    licence="terms of its source",
)
METER_ML = _benchmark(
    "meter-ml",
    "METER-ML, one class for an RGB image as VHM asks (2022)",
    vhm="cls_METER_ML.json",
    images=("METER_ML",),
    source=_VHM,
    licence=_VHM_LICENCE,
)
NWPU_RESISC45 = _benchmark(
    "nwpu-resisc45",
    "NWPU-RESISC45 (Proceedings of the IEEE 2017)",
    vhm="cls_NWPU_RESISC45.json",
    images=("NWPU-RESISC45",),
    source=_VHM,
    licence=_VHM_LICENCE,
)
WHU_RS19 = _benchmark(
    "whu-rs19",
    "WHU-RS19 (GRSL 2011)",
    vhm="cls_WHU_RS19.json",
    images=("WHU-RS19", "WHU_RS19"),
    source=_VHM,
    licence=_VHM_LICENCE,
)
