"""The summary of ``rscovlm detect``: provenance, counts, and what was not examined."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from detection_eval.words import counted
from rscovlm.progress import note

if TYPE_CHECKING:
    from detection_eval.text.parsing import ParseReport
    from rscovlm.tasks.detect import SceneDetections
    from rscovlm.tasks.detection_run import DetectionRun
    from tiling.scene import Scene


_BECAME = ("unconfirmed", "coinciding", "unread")
"""What may become of a box at a closer look, as fields of ``SeenAgain``."""


def summarise(scene: Scene, model: str, run: DetectionRun, found: SceneDetections) -> dict[str, Any]:
    """Provenance of a result and what it does not cover, as JSON values."""
    from rscovlm.tasks.provenance import version
    from tiling.gsd import resolve_gsd

    passes = [_of_pass(scene, found, number) for number in range(len(found.plans))]
    names = found.detections.names
    return {
        "scene": scene.source,
        "gsd": resolve_gsd(scene).to_json(),
        "model": model,
        "version": version(),
        "prompt_hash": run.prompt_hash,
        "passes": passes,
        "tiles": sum(each["tiles"] for each in passes),
        "skipped_tiles": sum(each["skipped_tiles"] for each in passes),
        **_of_area(found),
        "failed_tiles": [
            {
                "gsd_m": found.plans[failed.plan].gsd_m(scene),
                "tile": failed.tile.index,
                "window": failed.tile.window.to_json(),
                "reason": failed.reason,
            }
            for failed in found.failures
        ],
        "unexamined_px": found.unexamined_px,
        "objects": {name: names.count(name) for name in sorted(set(names))},
        "duplicates_merged": found.merged.duplicates,
        "parts_joined": found.merged.joined,
        "dropped_on_nodata": found.on_nothing,
        **({} if found.across is None else {"dropped_across_passes": found.across._asdict()}),
        **_of_closer_looks(found),
        "parsing": _parsing(found.report),
    }


def _of_closer_looks(found: SceneDetections) -> dict[str, Any]:
    """What became of the boxes at closer looks, where there were any."""
    again = found.again
    if again is None:
        return {}
    counts = {name: getattr(again, name) for name in _BECAME}
    return {"closer_looks": {**counts, "failed": list(again.failures)}}


def _of_pass(scene: Scene, found: SceneDetections, number: int) -> dict[str, Any]:
    """Extent, tiles and failures of one pass."""
    plan = found.plans[number]
    return {
        "gsd_m": plan.gsd_m(scene),
        "tile_px": plan.grid.tile,
        "overlap_px": plan.grid.overlap,
        "window": plan.grid.extent.to_json(),
        "tiles": len(plan.tiles),
        "skipped_tiles": len(plan.skipped),
        "visual_tokens": plan.visual_tokens,
        "unexamined_px": found.unexamined[number],
        **({} if plan.classes is None else {"classes": list(plan.classes)}),
    }


def _of_area(found: SceneDetections) -> dict[str, int]:
    """Tiles and objects outside the area to be examined, where one was given."""
    if found.plans[0].area is None:
        return {}
    return {"tiles_outside": sum(len(p.outside) for p in found.plans), "objects_outside": found.outside}


def _parsing(report: ParseReport) -> dict[str, Any]:
    """The counts of a report that are not zero; of what single labels were taken for, the aliases by word."""
    counts = {name: value for name, value in report.to_json().items() if value and name != "guesses"}
    words = Counter(guess.written for guess in report.guesses if guess.how == "alias")
    return counts | ({"aliases": dict(words)} if words else {})


def _parsing_words(parsing: Mapping[str, Any]) -> Iterator[str]:
    """Counts as ``responses 64``, ``repaired (inverted box 2)``."""
    for name, value in parsing.items():
        if isinstance(value, Mapping):
            inside = ", ".join(f"{what} {count}" for what, count in value.items())
            yield f"{name.replace('_', ' ')} ({inside})"
        else:
            yield f"{name.replace('_', ' ')} {value}"


def _boxes(found: SceneDetections, passes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each box with the tile that it is from, and the scale of its pass where there are several."""
    detections, scales = found.detections, found.merged.scale
    polygons, tiles = detections.polygons.round(3).tolist(), found.merged.tile.tolist()
    boxes = [
        {"class": name, "polygon": polygon, "tile": tile}
        for name, polygon, tile in zip(detections.names, polygons, tiles)
    ]
    if scales is None:
        return boxes
    ground = {plan.scale: each["gsd_m"] for plan, each in zip(found.plans, passes)}
    return [{**box, "gsd_m": ground[scale]} for box, scale in zip(boxes, scales.tolist())]


class Report:
    """Facts about the scenes of a run.

    Args:
        model: that looked at them.
        outside: scenes that the area to be examined does not touch.

    Attributes:
        summaries: of the scenes that were examined, with their boxes where no file holds them.
        refused: why others were not, by source.
    """

    def __init__(self, model: str, outside: Sequence[str] = ()) -> None:
        self.model, self.outside = model, list(outside)
        self.summaries: list[dict[str, Any]] = []
        self.refused: dict[str, str] = {}
        self._parsed: list[ParseReport] = []
        self._failed: list[str] = []
        self._outlines: list[str] = []
        self._tiles = self._unreplied = 0
        self._unexamined_px = self._area_px = 0.0

    def add(self, summary: Mapping[str, Any], found: SceneDetections, *, with_boxes: bool) -> None:
        """Count a scene that was examined."""
        self.summaries.append(
            {**summary, **({"detections": _boxes(found, summary["passes"])} if with_boxes else {})}
        )
        self._parsed.append(found.report)
        self._failed += [f"tile {failed.tile.index}: {failed.reason}" for failed in found.failures]
        self._unreplied += sum(not failed.replied for failed in found.failures)
        self._outlines += [] if found.again is None else found.again.failures
        self._tiles += summary["tiles"]
        areas = [plan.grid.extent.area for plan in found.plans]
        # Of the passes over a scene the one that misses most counts.
        missed_px, area_px = max(zip(found.unexamined, areas), key=lambda each: each[0] / each[1])
        self._unexamined_px += missed_px
        self._area_px += area_px

    @property
    def complete(self) -> bool:
        """Whether all scenes, and all of their tiles, were examined."""
        return not (self.refused or self._failed or self._outlines)

    @property
    def objects(self) -> dict[str, int]:
        """How many objects of each class there are, over all scenes."""
        total: Counter[str] = Counter()
        for summary in self.summaries:
            total.update(summary["objects"])
        return dict(sorted(total.items()))

    def to_json(self) -> dict[str, Any]:
        """Provenance of a result of several scenes, as JSON values."""
        first = self.summaries[0]
        return {
            **{key: first[key] for key in ("model", "version", "prompt_hash")},
            "scenes": self.summaries,
            "failed_scenes": [{"scene": source, "reason": reason} for source, reason in self.refused.items()],
            "scenes_outside": self.outside,
            "objects": self.objects,
        }

    def tell(self, as_json: bool, *, several: bool) -> None:
        """The result on stdout: counts by class, or JSON; what was read of replies on stderr."""
        if as_json:
            shown = self.to_json() if several else self.summaries[0]
            print(json.dumps(shown, ensure_ascii=False, indent=1), flush=True)
            return
        for name, count in self.objects.items():
            print(f"{count:>8,}  {name}")
        print(f"{sum(self.objects.values()):>8,}  objects in all", flush=True)
        if dropped := sum(summary["dropped_on_nodata"] for summary in self.summaries):
            note(f"boxes left out because less than a tenth of them shows valid pixels: {dropped:,}")
        looked = [summary["closer_looks"] for summary in self.summaries if "closer_looks" in summary]
        if looked:
            counts = [sum(each[name] for each in looked) for name in _BECAME]
            words = ("not confirmed", "another one's object", "kept after a reply that cannot be read")
            told = (f"{count:,} {what}" for count, what in zip(counts, words, strict=True))
            note(f"boxes at closer looks: {', '.join(told)}")
        note("parsing: " + ", ".join(_parsing_words(_parsing(reduce(add, self._parsed)))))

    @property
    def unasked(self) -> bool:
        """Whether files or requests failed, so that there is no reply about them."""
        return bool(self.refused or self._unreplied or self._outlines)

    def missing(self) -> str:
        """One line about what was not examined; each scene of which nothing was is named on stderr before."""
        from rscovlm.tasks.closer_looks import not_looked_again

        parts = []
        if self.refused:
            for source, reason in self.refused.items():
                note(f"not examined: {source}: {reason}")
            count = len(self.refused) + len(self.summaries)
            parts.append(f"{len(self.refused)} of {counted(count, 'scene')} could not be examined")
        if self._failed:
            share = self._unexamined_px / self._area_px
            parts.append(
                f"{len(self._failed)} of {counted(self._tiles, 'tile')} failed, {share:.1%} of "
                "the area not examined; "
                f"{self._failed[0]}"
            )
        if self._outlines:
            parts.append(not_looked_again(self._outlines))
        return "; ".join(parts)
