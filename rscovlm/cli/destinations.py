"""Where the results of ``rscovlm detect`` go: one file for all scenes, or one each by a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rscovlm.errors import UsageError

if TYPE_CHECKING:
    from rscovlm.tasks.detect import SceneDetections
    from tiling.output import SceneResult
    from tiling.scene import Scene

NAME = "{name}"
"""The placeholder of a scene's name in a path."""


@dataclass
class Destinations:
    """The files of a run. What goes to one file for all scenes is held until the last of them is done.

    Attributes:
        output: of the boxes.
        tiles: of what became of the tiles.
        overlay: of the drawing.
        names: of the scenes, by source; they stand in patterns and in the column ``scene``.
        several: whether there may be more than one scene.
        crs: of the layers; None for the first scene's in one layer for all, else for each scene's own.
        score: for boxes without scores, in DOTA Task1.
    """

    output: Path | None
    tiles: Path | None
    overlay: Path | None
    names: Mapping[str, str]
    several: bool
    crs: str | None = None
    score: float | None = None
    _boxes: list[SceneResult] = field(default_factory=list, init=False)
    _examined: list[SceneResult] = field(default_factory=list, init=False)
    _common_crs: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be written for several scenes.

        Raises:
            UsageError: naming the pattern that would be right.
        """
        if self.crs is not None and self.output is None and self.tiles is None:
            raise UsageError("--crs is that of the --output; give one")
        if not self.several:
            return
        if self.overlay is not None and NAME not in str(self.overlay):
            raise UsageError(
                f"--overlay {self.overlay} is one picture and there may be several scenes; "
                f"give one for each: {self.overlay.with_name(NAME + self.overlay.suffix)}"
            )
        if self.output is None or NAME in str(self.output):
            return
        if self.output.suffix.lower() == ".txt":
            raise UsageError(
                f"--output {self.output}: DOTA labels are of one image and there may be several scenes; "
                f"give a file for each: {self.output.with_name(NAME + '.txt')}"
            )
        if self.score is None and (self.output.is_dir() or not self.output.suffix):
            raise UsageError(
                f"--output {self.output}: a folder holds DOTA Task1 results, which demand scores (--score); "
                f"for a map layer of each scene give {self.output / (NAME + '.gpkg')}"
            )

    def of(self, path: Path, source: str) -> Path:
        """The file of a scene, which is that of all where the path is no pattern."""
        return Path(str(path).replace(NAME, self.names[source]))

    def files(self) -> dict[str, Path | None]:
        """Every file that will be written, by what names it, styles of layers among them."""
        found: dict[str, Path | None] = {}
        for option, path in {
            "--output": self.output,
            "--tiles": self.tiles,
            "--overlay": self.overlay,
        }.items():
            if path is None:
                continue
            if NAME not in str(path):
                found |= _with_style(option, path)
                continue
            for source, name in self.names.items():
                found |= _with_style(f"{option} of {name}", self.of(path, source))
        return found

    def journals(self) -> dict[str, Path]:
        """The journal of each scene, by source; none without an output, since nothing names the run then."""
        from rscovlm.journal import journal_path

        if self.output is None:
            return {}
        return {source: journal_path(self._journalled(source)) for source in self.names}

    def _journalled(self, source: str) -> Path:
        """The owner of a journal: the file of a scene, or its share of the file of all."""
        assert self.output is not None
        if NAME in str(self.output) or not self.several:
            return self.of(self.output, source)
        return self.output.with_name(f"{self.output.name}.{self.names[source]}")

    def check(self, scene: Scene, source: str) -> None:
        """Refuse what cannot be written of a scene before anything is computed.

        Raises:
            DetectionError, SceneError, OSError: with one clear line.
        """
        from tiling.output import check_output, check_tile_output, takes_crs
        from tiling.overlay import check_overlay

        if self.output is not None:
            path = self.of(self.output, source)
            crs = self._crs_in(self.output) if takes_crs(path) else self.crs
            check_output(path, scene, scored=self.score is not None, crs=crs)
        if self.tiles is not None:
            check_tile_output(self.of(self.tiles, source), scene, self._crs_in(self.tiles))
        if self.overlay is not None:
            check_overlay(self.of(self.overlay, source))

    def accept(self, scene: Scene) -> None:
        """Take the CRS of the first scene that will be examined for that of the layers of all."""
        if self._common_crs is None and scene.crs is not None:
            self._common_crs = scene.crs.to_wkt()

    def _crs_in(self, path: Path) -> str | None:
        """The CRS of a layer; that of the first scene for one layer of several."""
        if self.crs is not None or not self.several or NAME in str(path):
            return self.crs
        return self._common_crs

    @property
    def one_layer(self) -> bool:
        """Whether several scenes may come together in a layer whose CRS was not stated."""
        from tiling.output import takes_crs

        common = [path for path in (self.output, self.tiles) if path is not None and NAME not in str(path)]
        return self.several and self.crs is None and any(takes_crs(path) for path in common)

    def keep(self, scene: Scene, source: str, found: SceneDetections, provenance: Mapping[str, Any]) -> None:
        """Write what a scene has files of its own for, and hold the rest for the files of all.

        Raises:
            OSError: where a file cannot be written.
        """
        from rscovlm.tasks.examined import tile_records
        from tiling.output import scene_result, write_results, write_tiles
        from tiling.overlay import write_overlay

        if self.overlay is not None:
            write_overlay(self.of(self.overlay, source), scene, found.detections)
        records = tile_records(scene, found) if self.output or self.tiles else []
        column = self.names[source] if self.several else None
        for path, held in ((self.output, self._boxes), (self.tiles, self._examined)):
            if path is None:
                continue
            own = self.of(path, source)
            file_name = self._file_name(source) if self.several else None
            result = scene_result(own, scene, found.merged, records, name=column, file_name=file_name)
            if NAME not in str(path) and self.several:
                held.append(result)
            elif held is self._boxes:
                write_results(own, [result], provenance, self.score, self.crs)
            else:
                write_tiles(own, [result], provenance, self.crs)

    def _file_name(self, source: str) -> str:
        """The name of a scene's file where no other has it."""
        return self.names[source] + Path(source.split("?")[0]).suffix

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Write the files of all scenes.

        Raises:
            OSError: where a file cannot be written.
        """
        from tiling.output import write_results, write_tiles

        if self.output is not None and self._boxes:
            crs = self._crs_in(self.output)
            write_results(self.output, self._boxes, provenance, self.score, crs)
        if self.tiles is not None and self._examined:
            write_tiles(self.tiles, self._examined, provenance, self._crs_in(self.tiles))


def _with_style(option: str, path: Path) -> dict[str, Path]:
    """A file, and the style that comes with a map layer."""
    from tiling.map_files import MAP_FORMATS
    from tiling.styles import style_path

    styled = path.suffix.lower() in MAP_FORMATS
    return {option: path} | ({f"the style of {option}": style_path(path)} if styled else {})


def is_own_style(path: Path) -> bool:
    """Whether a file is a style that an earlier run left and nobody changed."""
    from tiling.styles import is_untouched

    return path.suffix == ".qml" and is_untouched(path)


def goes_on(journals: Sequence[Path], outputs: Iterable[Path | None], *, resume: bool) -> bool:
    """Whether a run is unfinished, so that its outputs may be written: its journals hold results.

    With ``resume`` a journal that is there is enough: of a run whose requests failed all it holds none.

    Args:
        journals: of the run.
        outputs: that it writes.
        resume: the user wants it to go on.

    Raises:
        UsageError: for ``--resume`` of a run that has ended, which would ask for everything again.
    """
    from rscovlm.journal import results_in

    unfinished = any(path.is_file() if resume else results_in(path) > 0 for path in journals)
    there = next((path for path in outputs if path is not None and path.is_file()), None)
    if resume and not unfinished and there is not None:
        raise UsageError(
            f"{there} is of a run that has ended: no replies are left beside it to go on with; "
            "start anew with --overwrite"
        )
    return unfinished
