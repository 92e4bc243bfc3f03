"""Other words for classes: lists that come with the package, and lists in files.

A list of the package holds only words for objects that the data set annotates as this very class: a car is a
``small-vehicle`` of DOTA. Words for more than the class ("vehicle") or for something beside it ("pier" for
``harbor``) are for a user's own file, since they are a decision about the benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from detection_eval.errors import FormatError, SettingError
from detection_eval.text.labels import spoken

_SPORTS = {
    "tennis-court": ("tennis field",),
    "basketball-court": ("basketball field",),
    "baseball-diamond": ("baseball field", "baseball pitch", "baseball court"),
    "ground-track-field": ("running track", "athletics track", "track and field", "athletic track"),
}

_DOTA: Mapping[str, Sequence[str]] = {
    **_SPORTS,
    "plane": ("airplane", "aeroplane", "aircraft"),  # of helicopters models say helicopter
    "ship": ("boat", "vessel", "watercraft"),
    "small-vehicle": ("car", "automobile", "small car"),
    "large-vehicle": ("truck", "bus", "lorry"),
    "storage-tank": ("oil tank", "fuel tank", "oil storage tank"),
    "soccer-ball-field": ("soccer field", "football pitch", "soccer pitch"),
    "roundabout": ("traffic circle", "rotary"),
    "harbor": ("harbour",),
    "swimming-pool": ("pool",),
    "helicopter": ("chopper",),
    "helipad": ("helicopter pad", "helicopter landing pad"),
    "airport": ("airfield",),
}

_DIOR: Mapping[str, Sequence[str]] = {
    "airplane": ("plane", "aeroplane", "aircraft"),
    "baseballfield": ("baseball field", "baseball diamond"),
    "basketballcourt": ("basketball court",),
    "expressway-service-area": ("highway service area", "motorway service area"),
    "expressway-toll-station": ("highway toll station", "toll station", "toll plaza"),
    "golffield": ("golf field", "golf course"),
    "groundtrackfield": ("ground track field", *_SPORTS["ground-track-field"]),
    "harbor": ("harbour",),
    "overpass": ("flyover",),
    "ship": ("boat", "vessel", "watercraft"),
    "storagetank": ("storage tank", "oil tank", "fuel tank"),
    "tenniscourt": ("tennis court",),
    "trainstation": ("train station", "railway station"),
    "vehicle": ("car", "truck", "bus", "automobile"),
    "windmill": ("wind turbine", "wind mill"),
}

ALIAS_LISTS: Mapping[str, Mapping[str, str]] = {
    name: {word: target for target, words in listed.items() for word in words}
    for name, listed in (("dota", _DOTA), ("dior-r", _DIOR))
}
"""The lists that come with the package, by name: {word: class}."""


def read_aliases(source: str | Path) -> dict[str, str]:
    """Other words for classes, {word: class}, from a list of the package or a file.

    A file holds a line ``word = class`` each, with ``#`` before remarks, or YAML: ``word: class``, or
    ``class: [word, word]``.

    Args:
        source: a name in ``ALIAS_LISTS``, or a path.

    Raises:
        SettingError: neither a list of this name nor such a file.
        FormatError: the file holds something else, or gives one word to two classes.
        OSError: the file cannot be read.
    """
    if str(source) in ALIAS_LISTS:
        return dict(ALIAS_LISTS[str(source)])
    path = Path(source)
    if not path.exists():
        raise SettingError(f"no alias list {str(source)!r} and no such file; choose {', '.join(ALIAS_LISTS)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text (byte {error.start})") from error
    pairs = _lines(path, text) if _has_lines(text) else _yaml(path, text)
    aliases: dict[str, str] = {}
    known: dict[str, str] = {}
    for word, target, place in pairs:
        if known.setdefault(spoken(word), target) != target:
            raise FormatError(f"{place}: {word!r} is given to {known[spoken(word)]!r} and to {target!r}")
        aliases[word] = target
    if not aliases:
        raise FormatError(f"{path}: no aliases; write lines such as 'airplane = plane'")
    return aliases


def aliases_for(aliases: Mapping[str, str], classes: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The aliases of some classes, and the other classes that the list has words for.

    A class is found as it is spoken: ``small vehicle`` in the list is ``small-vehicle``. A word that is the
    name of a class stays one.
    """
    names = {spoken(name): name for name in classes}
    used = {
        word: names[spoken(target)]
        for word, target in aliases.items()
        if spoken(target) in names and spoken(word) not in names
    }
    others = dict.fromkeys(target for target in aliases.values() if spoken(target) not in names)
    return used, tuple(others)


def _has_lines(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.split("#")[0].strip()]
    return bool(lines) and "=" in lines[0]


def _lines(path: Path, text: str) -> list[tuple[str, str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        word, equals, target = (part.strip() for part in line.partition("="))
        if not (word and equals and target):
            raise FormatError(f"{path}:{number}: {line!r} is not word = class")
        pairs.append((word, target, f"{path}:{number}"))
    return pairs


def _yaml(path: Path, text: str) -> list[tuple[str, str, str]]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(f"{path}: neither lines 'word = class' nor YAML ({error})") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path}: expected 'word = class' lines or a YAML mapping of words to classes")
    pairs = []
    for key, value in content.items():
        words = value if isinstance(value, list) else [value]
        if not isinstance(key, str) or not words or not all(isinstance(word, str) for word in words):
            raise FormatError(f"{path}: {key!r}: expected 'word: class' or 'class: [word, word]', all text")
        pairs += [
            (word, key, str(path)) if isinstance(value, list) else (key, word, str(path)) for word in words
        ]
    return pairs
