"""Contents of files of plots, and which of the traps of such files they have.

The traps are those that users of AGBD have met (its changelog and issues): bands in another order, an offset
of reflectance that was taken off twice or not at all, places decoded by the wrong rule, values that somebody
has normalised already, numbers that mean "no data", labels at the end of the last bin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection_eval.files import without_nan
from detection_eval.words import counted
from rscovlm.data.agbd import AgbdFile
from rscovlm.data.agbd_raw import RawFile
from rscovlm.data.plot_files import PlotFile
from rscovlm.errors import DataError
from rscovlm.models.sensors import read_sensor
from rscovlm.reo.facts import AGB, Facts, files_of, read_facts
from rscovlm.scoring.regression import AGB_EDGES, bin_index
from rscovlm.synth.forest import BANDS, POLARISATIONS, SIDE
from tiling.mgrs import in_tile, is_tile
from tiling.plausible import swapped_colours, unusual

Floats = NDArray[np.float64]
Kind = Literal["wrong", "doubtful", "note"]

PLOTS = 200
"""Plots whose pixels are read."""
GEDI_LAT = 51.6
"""Degrees north and south within which GEDI measures."""
_SHARE = 0.01  # of plots from which on a trap is told


@dataclass(frozen=True)
class Trap:
    """Something about a file that makes results wrong if it is not known.

    Attributes:
        kind: ``wrong`` where the file contradicts itself, ``doubtful``, or a ``note``.
        about: the data set or number.
        what: was found, with what to do.
    """

    kind: Kind
    about: str
    what: str


@dataclass(frozen=True)
class Inspection:
    """Contents of the files of a data set.

    Attributes:
        stored: the layout.
        files: names of the files.
        samples, tiles: how many there are.
        layers: shape, number type and bands of each data set, in words.
        channels: 1st percentile, median and 99th percentile of each channel in its unit, and the share
            without data, of some plots.
        labels: statistics of each number: n, mean, deviation, least, median, greatest.
        bins: samples in each bin of 50 Mg/ha.
        covers: samples by land cover, of those whose land cover was read.
        traps: in the order of their weight.
    """

    stored: str
    files: tuple[str, ...]
    samples: int
    tiles: int
    layers: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bins: Mapping[str, int] = field(default_factory=dict)
    covers: Mapping[str, int] = field(default_factory=dict)
    traps: tuple[Trap, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it; what is not known is null."""
        found: dict[str, Any] = without_nan(asdict(self))
        return found


def inspect(paths: Sequence[Path], plots: int = PLOTS) -> Inspection:
    """Look at the files of a data set.

    Args:
        paths: files or folders.
        plots: whose pixels are read, evenly spaced.

    Raises:
        DataError: a file cannot be read.
    """
    facts = read_facts(paths)
    traps = list(_label_traps(facts)) + list(_place_traps(facts))
    layers: dict[str, str] = {}
    channels: dict[str, dict[str, float]] = {}
    if facts.stored in ("AGBD", "AGBD-Lite"):
        for path in (file for each in paths for file in files_of(each)):
            with AgbdFile(path) as opened:
                layers |= _layers(opened)
                traps += _layout_traps(opened)
        with AgbdFile(facts.files[0]) as opened:
            channels, more = _pixels(opened, plots)
            traps += more + list(_tile_traps(facts, opened.synthetic))
    elif facts.stored == "table":
        layers, channels, more = _table(facts, plots)
        traps += more
    order = {"wrong": 0, "doubtful": 1, "note": 2}
    covers = [name for name in facts.cover.tolist() if name]
    return Inspection(
        facts.stored,
        tuple(file.name for file in facts.files),
        len(facts),
        len(set(facts.tile.tolist()) - {""}),
        layers,
        channels,
        {name: statistics(values) for name, values in sorted(facts.numbers.items())},
        _bins(facts.label),
        {name: covers.count(name) for name in sorted(set(covers), key=lambda each: -covers.count(each))},
        tuple(sorted(dict.fromkeys(traps), key=lambda trap: order[trap.kind])),
    )


def statistics(values: Floats) -> dict[str, float]:
    """n, mean, deviation, least, median and greatest of the finite ones; n alone where there are none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"n": 0.0}
    return {
        "n": float(len(known)),
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        "least": float(known.min()),
        "median": float(np.median(known)),
        "greatest": float(known.max()),
    }


def _bins(label: Floats) -> dict[str, int]:
    counts = np.bincount(bin_index(label) + 1, minlength=len(AGB_EDGES))
    names = [f"{low:g}-{high:g}" for low, high in pairwise(AGB_EDGES)]
    return dict(zip(names, counts[1:].tolist(), strict=True))


# --- labels and places ----------------------------------------------------------------------------


def _label_traps(facts: Facts) -> Iterator[Trap]:
    label, count = facts.label, len(facts)
    known = np.isfinite(label)
    if not known.any():
        yield Trap("wrong", AGB, "no sample has a label")
        return
    if not known.all():
        yield Trap(
            "note" if facts.stored == "conversations" else "doubtful",  # which ask about other things, too
            AGB,
            f"{(~known).sum():,} of {counted(count, 'sample')} have no label; they do not count",
        )
    below, above = (label < 0).sum(), (label > AGB_EDGES[-1]).sum()
    if below or above:
        yield Trap(
            "wrong",
            AGB,
            f"{counted(below, 'label is', 'labels are')} below 0 and {above:,} above {AGB_EDGES[-1]:g} Mg/ha",
        )
    if edge := int((label == AGB_EDGES[-1]).sum()):
        yield Trap(
            "note",
            AGB,
            f"{counted(edge, 'label is', 'labels are')} 500 exactly; "
            "AGBD's own bins leave them out, ours do not",
        )
    if "agbd_se" not in facts.numbers:
        told = "no agbd_se: the noise of labels is unknown (AGBD has it, AGBD-Lite does not); leave out noise"
        yield Trap("note", "agbd_se", told)


def _place_traps(facts: Facts) -> Iterator[Trap]:
    known = np.isfinite(facts.lat) & np.isfinite(facts.lon)
    if not known.any():
        yield Trap("note", "lat, lon", "no places: distances between splits cannot be checked")
        return
    lat, lon = facts.lat[known], facts.lon[known]
    outside = (np.abs(lat) > 90) | (np.abs(lon) > 180)
    if outside.any():
        yield Trap(
            "wrong", "lat, lon", f"{counted(int(outside.sum()), 'place is', 'places are')} not on the globe"
        )
    far = (np.abs(lat) > GEDI_LAT + 0.1) & ~outside
    if facts.stored != "conversations" and far.mean() > _SHARE:
        told = f"{far.mean():.0%} of samples lie beyond {GEDI_LAT} degrees, where GEDI does not measure"
        yield Trap("doubtful", "lat", told)


def _tile_traps(facts: Facts, synthetic: bool) -> Iterator[Trap]:
    """Places that are not in the UTM zone and latitude band of their tile."""
    if synthetic:
        yield Trap("note", "tiles", "synthetic plots: names of tiles and places are invented")
        return
    away = [
        not in_tile(tile, lat, lon)
        for tile, lat, lon in zip(facts.tile.tolist(), facts.lat, facts.lon, strict=True)
        if np.isfinite(lat) and is_tile(tile)
    ]
    if away and np.mean(away) > _SHARE:
        told = (
            f"{np.mean(away):.0%} of places are not in the zone of their tile: latitude and longitude were "
            "encoded by another rule (fixed upstream on 2024-11-13), so get the files anew"
        )
        yield Trap("wrong", "lat, lon", told)


# --- pixels of plots ------------------------------------------------------------------------------


def _layers(opened: AgbdFile) -> dict[str, str]:
    return {
        name: f"{' x '.join(map(str, ('n', *shape[1:])))} {kind}" + (f": {', '.join(order)}" if order else "")
        for name, (shape, kind, order) in opened.layers().items()
    }


def _layout_traps(opened: AgbdFile) -> list[Trap]:
    found = []
    for layer, bands in (("S2_bands", BANDS), ("ALOS_bands", POLARISATIONS)):
        shape, kind, order = opened.layers()[layer]
        if shape[1:3] != (SIDE, SIDE):
            found.append(Trap("wrong", layer, f"patches of {shape[1]} x {shape[2]} px, not {SIDE} x {SIDE}"))
        if shape[-1] != len(bands):
            found.append(Trap("wrong", layer, f"{shape[-1]} bands, not {len(bands)}"))
        if order and order != bands:
            told = f"bands stand as {', '.join(order)}; they are read by their names"
            found.append(Trap("doubtful", layer, told))
        if not order:
            found.append(
                Trap("doubtful", layer, f"no order of bands is stated; {', '.join(bands)} is assumed")
            )
        if kind.startswith("float"):
            told = (
                f"{kind}: stored numbers are whole (uint16), so that somebody has changed or normalised them"
            )
            found.append(Trap("wrong", layer, told))
    return found


def _pixels(opened: PlotFile, plots: int) -> tuple[dict[str, dict[str, float]], list[Trap]]:
    """Statistics of each channel in its unit over some plots, and what is odd about them."""
    keys = list(opened.keys())
    chosen = np.unique(np.linspace(0, len(keys) - 1, min(plots, len(keys))).round().astype(int))
    optical, radar, stored, offsets, empty = [], [], [], [], 0
    for place in chosen:
        name, row = keys[place]
        plot = opened.read(name, row)
        optical.append(plot.reflectance.reshape(-1, len(BANDS)))
        radar.append(plot.gamma0_db.reshape(-1, len(POLARISATIONS)))
        if isinstance(opened, AgbdFile):
            numbers = np.asarray(opened.stored(name, row, "S2_bands"), np.float64)
            stored.append(numbers.reshape(-1, len(BANDS)))
            offsets.append(opened.number(name, "Sentinel_metadata/S2_boa_offset", row))
        empty += not np.isfinite(plot.reflectance[SIDE // 2, SIDE // 2]).all()
    values = {name: np.concatenate(optical)[:, place] for place, name in enumerate(BANDS)}
    values |= {name: np.concatenate(radar)[:, place] for place, name in enumerate(POLARISATIONS)}
    found = list(_offset_traps(stored, offsets)) + list(_value_traps(values))
    if empty:
        told = f"{empty} of {counted(len(chosen), 'plot')} have no data in the middle, where the label is"
        found.append(Trap("doubtful", "S2_bands", told))
    return {name: _percentiles(each) for name, each in values.items()}, found


def _percentiles(values: Floats) -> dict[str, float]:
    known = values[np.isfinite(values)]
    low, middle, high = np.percentile(known, (1, 50, 99)).tolist() if len(known) else (np.nan,) * 3
    return {"p1": low, "median": middle, "p99": high, "without_data": float(1 - len(known) / len(values))}


def _offset_traps(stored: Sequence[Floats], offsets: Sequence[float | None]) -> Iterator[Trap]:
    """An offset that was taken off already, or one that is in the numbers and not stated."""
    if stored and all(offset is None for offset in offsets):
        told = "S2_boa_offset is missing; numbers are read as stored / 10000, from 2022 on 1000 too many"
        yield Trap("doubtful", "S2_boa_offset", told)
    known = [(each[each > 0], offset or 0.0) for each, offset in zip(stored, offsets, strict=True)]
    shifted = [(each < 1000 * offset).mean() for each, offset in known if offset and len(each)]
    if shifted and np.median(shifted) > 0.05:
        told = (
            f"{np.mean(shifted):.0%} of values of plots with an offset are below it: it was taken off "
            "already, and would be taken off twice"
        )
        yield Trap("wrong", "S2_boa_offset", told)
    plain = [each.min() for each, offset in known if not offset and len(each)]
    if plain and np.median(plain) >= 1000:
        told = "plots without an offset have no value below 1000: it looks as if one of 1000 were in them"
        yield Trap("wrong", "S2_boa_offset", told)


def _value_traps(values: Mapping[str, Floats]) -> Iterator[Trap]:
    for name, bands in (("agbd", BANDS), ("alos2-palsar2", POLARISATIONS)):
        sensor = read_sensor(name).sensor
        physical = "reflectance" if name == "agbd" else "db"
        known = {band: values[band][np.isfinite(values[band])] for band in bands}
        empty = [band for band, each in known.items() if not len(each)]
        if empty:
            yield Trap("wrong", empty[0], "no data in any of the plots that were read")
            continue
        odd = unusual(known, sensor.versions[physical], sensor.expected)
        if odd:
            yield Trap("doubtful", name, f"{odd} as {sensor.unit} usually is")
        whole = np.isfinite(np.stack([values[band] for band in bands])).all(axis=0)
        swapped = swapped_colours({band: values[band][whole] for band in bands}, sensor.bands)
        if swapped:
            yield Trap("wrong", name, f"{swapped[0]} and {swapped[1]} look swapped (RGB for BGR)")
    floor = float((values["HH"] <= -82.9).mean())
    if floor > _SHARE:
        yield Trap(
            "doubtful", "ALOS_bands", f"{floor:.0%} of values are at -83 dB (a stored 1), as good as none"
        )


# --- tables ---------------------------------------------------------------------------------------


def _table(facts: Facts, rows: int) -> tuple[dict[str, str], dict[str, dict[str, float]], list[Trap]]:
    """Columns of a Parquet file, and its channels: those of a plot, else as many as its patches have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = facts.files[0]
    table = pq.ParquetFile(path)
    schema = table.schema_arrow
    layers = {each.name: str(each.type) for each in schema}
    try:
        with RawFile(path) as opened:
            channels, found = _pixels(opened, rows)
            return layers, channels, [*found, *_tile_traps(facts, opened.synthetic)]
    except DataError as error:
        unusable = Trap("note", path.name, f"holds no plots to train on: {error}")
    patches = next((each.name for each in schema if pa.types.is_list(each.type)), None)
    if patches is None:
        return layers, {}, [unusable]
    batches = table.iter_batches(batch_size=16, columns=[patches])
    read = list(islice((each for batch in batches for each in batch[patches].to_pylist()), rows))
    shapes = {np.asarray(each).shape for each in read}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 3:
        return layers, {}, [Trap("wrong", patches, f"patches are of several shapes: {sorted(shapes)[:3]}")]
    values = np.asarray(read, np.float64)
    layers[patches] = f"n x {' x '.join(map(str, shape))}"
    found = [unusable, Trap("note", patches, f"{counted(shape[0], 'channel')} without names")]
    top = float(np.nanmedian(values[:, : len(BANDS)]))
    if top > 10:
        found.append(Trap("note", patches, f"Sentinel-2 as stored (median {top:g}): / 10000 is reflectance"))
    channels = {f"channel {at}": _percentiles(values[:, at].ravel()) for at in range(shape[0])}
    return layers, channels, found
