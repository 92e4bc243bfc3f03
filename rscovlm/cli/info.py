"""``rscovlm info``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.cli.opening import tell_of_each
from rscovlm.cli.option_groups import SceneOptions, with_options
from rscovlm.cli.options import AsJson, Family, MaxPixels, Model, SensorName
from rscovlm.cli.scenes import Scenes, read_scenes

if TYPE_CHECKING:
    from rscovlm.models.families import ModelFamily
    from rscovlm.models.sensors import Declared
    from tiling.scene import Scene


@with_options(reading=SceneOptions)
def info(
    files: Scenes,
    model: Model = "nano",
    max_pixels: MaxPixels = None,
    family: Family = None,
    sensor: SensorName = None,
    as_json: AsJson = False,
    *,
    reading: SceneOptions,
) -> None:
    """Say what a scene is, how it is read, and what a model would see of it as a whole."""
    from rscovlm.models.sensors import read_sensor

    sources = read_scenes(files).sources
    seen = _family(model, family, max_pixels)
    declared = None if sensor is None else read_sensor(sensor)

    def facts(scene: Scene) -> dict[str, Any]:
        known = record(scene, model, seen)
        if sensor is not None and declared is not None:
            known["sensor"] = sensor_record(scene, sensor, declared)
        return known

    def words(known: dict[str, Any]) -> str:
        return "\n".join(table(known))

    tell_of_each(sources, reading, facts, None if as_json else words, between="\n")


def _family(model: str, family: str | None, max_pixels: int | None) -> ModelFamily:
    """How a model sees; that of ``nano`` is known without its checkpoint."""
    from rscovlm.models.checkpoints import resolve
    from rscovlm.models.families import family_named

    if model != "nano":
        return resolve(model, family=family, max_pixels=max_pixels).family
    known = family_named(family or "nano")
    return known if max_pixels is None else known.with_max_pixels(max_pixels)


def record(scene: Scene, model: str, family: ModelFamily) -> dict[str, Any]:
    """The facts of a scene as JSON holds them; sizes are of width and height.

    Raises:
        SceneError: where its pixels cannot be read.
    """
    from dataclasses import asdict

    from tiling.facts import facts_of

    facts = facts_of(scene)
    valid = scene.valid_fraction(scene.window)
    seen = _seen(scene, model, family) if valid else None
    return {
        "file": scene.source,
        "driver": facts.driver,
        "size": _size(scene.width, scene.height),
        "bands": [
            {"index": index, **asdict(band), "nodata": _number(band.nodata)}
            for index, band in enumerate(facts.bands, start=1)
        ],
        "shown_bands": list(scene.bands),
        "crs": scene.crs_name,
        "georeference": facts.georeference,
        "transform": None if scene.transform is None else list(scene.transform[:6]),
        "bounds": _named(facts.bounds, "left", "bottom", "right", "top"),
        "lonlat_bounds": _named(facts.lonlat_bounds, "west", "south", "east", "north"),
        "gsd": facts.gsd.to_json(),
        "valid_by": facts.validity,
        "valid_fraction": round(valid, 4),
        "overviews": scene.overviews,
        "block": {**_size(scene.block_size.width, scene.block_size.height), "tiled": facts.tiled},
        "compression": facts.compression,
        "seen": seen,
        "warnings": scene.warnings,
    }


def sensor_record(scene: Scene, name: str, declared: Declared) -> dict[str, Any]:
    """What the bands of a scene mean, held against its pixels.

    Raises:
        SceneError: where the scene contradicts the sensor.
    """
    from tiling.plausible import check_plausible
    from tiling.sensors import contract_of

    contract = contract_of(scene, declared.sensor, declared.version, name=declared.name)
    check_plausible(scene, contract)
    return {
        "name": name.partition("@")[0],
        "description": contract.sensor.description,
        "unit": contract.sensor.unit,
        "version": contract.version,
        "version_by": contract.settled_by,
        "physical": str(contract.encoding),
        "bands_by": contract.found_by,
        "bands": dict(contract.found),
        "missing": [band.name for band in contract.sensor.bands if band.name not in contract.found],
    }


def _seen(scene: Scene, model: str, family: ModelFamily) -> dict[str, Any]:
    """The whole scene as the model gets it; rendering it settles the stretch, and warnings about it."""
    view = scene.overview(family.resolution)
    stretch = scene.stretch
    return {
        "model": model,
        "size": _size(view.size.width, view.size.height),
        "gsd_m": scene.gsd_of(view),
        "visual_tokens": family.resolution.tokens(view.size),
        "stretch": [{"low": low, "high": high} for low, high in zip(stretch.low, stretch.high, strict=True)],
    }


def _size(width: int, height: int) -> dict[str, int]:
    return {"width": width, "height": height}


def _named(values: tuple[float, ...] | None, *names: str) -> dict[str, float] | None:
    return None if values is None else dict(zip(names, values, strict=True))


def _number(value: float | None) -> float | str | None:
    """A number as JSON has it; those that it lacks as words."""
    return value if value is None or value - value == 0 else str(value)


def table(facts: dict[str, Any]) -> Iterator[str]:
    """The lines that a person reads."""
    size, block = facts["size"], facts["block"]
    yield facts["file"]
    rows = {
        "format": f"{facts['driver']}, {facts['compression'] or 'not compressed'}",
        "size": f"{size['width']:,} x {size['height']:,} px",
        "CRS": facts["crs"] or "unknown",
        "placed by": facts["georeference"] or "nothing",
        "pixel": ground_words(facts["gsd"]),
        "bounds": _bounds(facts["bounds"], 12),
        "lon, lat": _bounds(facts["lonlat_bounds"], 9),
        "valid": f"{facts['valid_fraction']:.1%}, by {facts['valid_by']}",
        "overviews": ", ".join(map(str, facts["overviews"])) or "none",
        "blocks": f"{block['width']} x {block['height']} px {'tiles' if block['tiled'] else 'strips'}",
        "seen": _seen_words(facts["seen"]),
        "sensor": _sensor_words(facts.get("sensor")),
    }
    yield from (f"  {name:<10} {text}" for name, text in rows.items() if text)
    shown = facts["shown_bands"]
    for band in facts["bands"]:
        parts = [band["dtype"], band["unit"], band["colour"]]
        parts += [f"nodata {band['nodata']}"] if band["nodata"] is not None else []
        parts += [f"{band['wavelength_nm']:.0f} nm"] if band["wavelength_nm"] else []
        if band["index"] in shown:
            parts.append("shown" if len(shown) == 1 else f"shown as {_colour(shown, band['index'])}")
        yield f"  band {band['index']:<5} {band['name']}: {', '.join(part for part in parts if part)}"
    yield from (f"  warning    {warning}" for warning in facts["warnings"])


def _colour(shown: list[int], index: int) -> str:
    return " and ".join(
        name for name, band in zip(("red", "green", "blue"), shown, strict=True) if band == index
    )


def ground_words(gsd: dict[str, Any]) -> str:
    """Size of a pixel on the ground, and how it is known."""
    if gsd["m"] is None:
        return "of unknown size on the ground"
    sides, ends = gsd["xy_m"], gsd["interval_m"]
    how = gsd["detail"] if gsd["source"] in gsd["detail"] else f"{gsd['source']}: {gsd['detail']}"
    size = "" if sides is None else f"{sides['x']:.4g} x {sides['y']:.4g} m; "
    wide = "" if ends["high"] <= 1.001 * ends["low"] else f"; from {ends['low']:.3g} to {ends['high']:.3g} m"
    return f"{gsd['m']:.4g} m ({size}{how}{wide})"


def _bounds(bounds: dict[str, float] | None, digits: int) -> str:
    if bounds is None:
        return ""
    left, bottom, right, top = (f"{value:.{digits}g}" for value in bounds.values())
    return f"{left} to {right}, {bottom} to {top}"


def _sensor_words(sensor: dict[str, Any] | None) -> str:
    if sensor is None:
        return ""
    bands = ", ".join(f"{name} = band {index}" for name, index in sensor["bands"].items())
    missing = f"; missing {', '.join(sensor['missing'])}" if sensor["missing"] else ""
    return (
        f"{sensor['description']}; {sensor['unit']} = {sensor['physical']} (version {sensor['version']}, "
        f"{sensor['version_by']}); by {sensor['bands_by']}: {bands}{missing}"
    )


def _seen_words(seen: dict[str, Any] | None) -> str:
    if seen is None:
        return "nothing: no pixel is valid"
    size, ground = seen["size"], seen["gsd_m"]
    scale = "" if ground is None else f" ({ground:.3g} m/px)"
    tokens = counted(seen["visual_tokens"], "visual token")
    return f"by {seen['model']} at {size['width']} x {size['height']} px{scale}, {tokens}"
