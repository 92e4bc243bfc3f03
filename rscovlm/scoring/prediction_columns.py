"""Columns of a table of predictions by what they hold, as programs of the field name them.

Names count without case, units in brackets, and what joins their words: ``AGB observed (Mg/ha)`` is
``agb_observed``. Where none of the usual names is there, one column whose words say what it holds will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rscovlm.errors import DataError

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "key": ("key", "id", "sample_id", "name", "plot", "plot_id", "shot_number"),
    "tile": ("tile", "mgrs_tile", "s2_tile", "tile_id", "mgrs", "cluster", "scene"),
    "group": ("group", "land_cover", "cover", "class", "biome", "region"),
    "truth": (
        *("truth", "y_true", "true", "label", "agbd", "agb", "observed", "reference", "ground_truth"),
        *("obs", "y_test", "measured", "actual", "target", "y"),
    ),
    "prediction": (
        *("prediction", "pred", "y_pred", "y_hat", "predicted", "mean", "estimate", "yhat", "predictions"),
        *("fit", "fitted", "estimated", "output"),
    ),
    "deviation": (
        *("std", "sd", "sigma", "deviation", "standard_deviation", "pred_std", "y_std", "std_dev", "stddev"),
        *("stdev", "pred_sd", "y_pred_std"),
    ),
    "lower": ("lower", "low", "lower_bound", "lo", "lwr", "ci_lower", "pi_lower", "lower_ci", "lower_pi"),
    "upper": ("upper", "high", "upper_bound", "hi", "upr", "ci_upper", "pi_upper", "upper_ci", "upper_pi"),
    "noise": ("agbd_se", "noise", "label_std", "truth_std"),
    "members": ("members", "samples", "ensemble"),
    "weights": ("weights",),
    "means": ("means",),
    "deviations": ("deviations", "sigmas"),
}
"""Names of columns by what they hold, the likeliest first."""

_WORDS: Mapping[str, frozenset[str]] = {
    "truth": frozenset({"truth", "true", "obs", "observed", "measured", "reference", "ref", "actual"}),
    "prediction": frozenset(
        {"pred", "predicted", "prediction", "hat", "est", "estimate", "estimated", "model", "modelled"}
    ),
}
_SPREAD = frozenset(
    {"std", "sd", "se", "sigma", "var", "error", "err", "lower", "upper", "lwr", "upr", "low", "high", "id"}
)
"""Words of columns about a spread, which are neither a truth nor a prediction."""

_UNITS = re.compile(r"\s*[(\[][^)\]]*[)\]]\s*")
_QUANTILE = re.compile(
    r"(?:(?:q|p|quantile|pct|tau)?[\s_=-]*(?P<share>0?\.\d+)"
    r"|(?:q|p|quantile|pct)[\s_=-]?(?P<percent>\d{1,2}(?:\.\d+)?))\Z",
    re.IGNORECASE,
)
_BOUND = re.compile(r"(?P<side>lower|lwr|low|lo|upper|upr|high|hi)_?(?P<percent>\d\d)\Z")
_MEMBER = re.compile(r"(?:member|m)_?\d+\Z", re.IGNORECASE)


def plain(name: str) -> str:
    """A name in lower case without units in brackets, its words joined by underscores."""
    return re.sub(r"[^0-9a-z]+", "_", _UNITS.sub(" ", name.lower())).strip("_")


def columns_in(names: Iterable[str], stated: Mapping[str, str], place: str) -> dict[str, str]:
    """The columns of a table by what they hold: ``COLUMNS``, ``quantile 0.05``, ``member 0``, ``level``.

    Args:
        names: of the columns.
        stated: name of a column by what it holds, which goes before what names tell.
        place: of the table, for errors.

    Returns:
        names of columns; ``level``, where names of bounds state one (``lower_95``), is the level itself.

    Raises:
        DataError: a column that is stated or needed is not there, or several could be it.
    """
    there = list(names)
    unknown = [own for own in stated if own not in COLUMNS]
    if unknown:
        raise DataError(f"{unknown[0]!r} is nothing that a column holds; choose from {', '.join(COLUMNS)}")
    found = _stated(there, stated, place)
    by_name = {plain(name): name for name in reversed(there)}
    for own, usual in COLUMNS.items():
        name = next((by_name[each] for each in usual if each in by_name), None)
        if own not in found and name is not None and name not in found.values():
            found[own] = name
    found |= _quantiles(there)
    members = [name for name in there if _MEMBER.match(name)]
    found |= {f"member {number}": name for number, name in enumerate(members)} if len(members) > 1 else {}
    found |= _bounds(by_name, found)
    for own in ("truth", "prediction"):
        if own not in found:
            found |= _by_words(own, there, found, place)
    return _enough(found, there, place)


def _stated(there: list[str], stated: Mapping[str, str], place: str) -> dict[str, str]:
    found = {}
    for own, wanted in stated.items():
        same = [name for name in there if name.strip().lower() == wanted.lower()]
        if not same:
            raise DataError(f"{place}: no column {wanted!r}; there are {', '.join(there)}")
        found[own] = same[0]
    return found


def _quantiles(there: list[str]) -> dict[str, str]:
    """``05`` is 5 %, ``0.5`` and ``.5`` are 50 %."""
    found = {}
    for name in there:
        if match := _QUANTILE.match(name.strip()):
            level = float(match["share"] or 0) or float(match["percent"] or 0) / 100
            found[f"quantile {level:g}"] = name
    return found


def _bounds(by_name: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """Bounds whose names state their level, such as ``lower_95`` and ``Hi 95``."""
    sides: dict[str, dict[str, str]] = {}
    for each, name in by_name.items():
        if match := _BOUND.match(each):
            side = "lower" if match["side"].startswith("l") else "upper"
            sides.setdefault(match["percent"], {})[side] = name
    whole = {level: both for level, both in sides.items() if len(both) == 2}
    if not whole or "lower" in found:
        return {}
    level = max(whole)
    return whole[level] | {"level": f"{int(level) / 100:g}"}


def _by_words(own: str, there: list[str], found: Mapping[str, str], place: str) -> dict[str, str]:
    """The one column whose words say what it holds; nothing where there is none.

    Raises:
        DataError: several say so.
    """
    left = [name for name in there if name not in found.values()]
    words = {name: set(plain(name).split("_")) for name in left}
    meant = [name for name, each in words.items() if each & _WORDS[own] and not each & _SPREAD]
    if len(meant) > 1:
        raise DataError(f"{place}: {' and '.join(meant)} could be the {own}; say --columns {own}=NAME")
    return {own: meant[0]} if meant else {}


def _enough(found: dict[str, str], there: list[str], place: str) -> dict[str, str]:
    listed = f"there are {', '.join(there)}"
    if there and all(_is_number(name) for name in there) and "truth" not in found:
        raise DataError(f"{place}: its first line holds numbers; a line of names of columns is due")
    if "truth" not in found:
        raise DataError(f"{place} has no truth; name its column: --columns truth=NAME ({listed})")
    quantiles = any(name.startswith("quantile ") for name in found)
    if not {"prediction", "members", "means", "member 0"} & found.keys() and not quantiles:
        raise DataError(f"{place} has no prediction; name its column: --columns prediction=NAME ({listed})")
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
