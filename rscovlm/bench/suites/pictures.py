"""Pictures: where the images of a benchmark are, as names that GDAL reads by window.

An image is a file, or a member of a zip or tar archive beside the annotations, which GDAL reads in place
(``/vsizip/``, ``/vsitar/``), so that nothing is unpacked or decoded as a whole. Images inside tables have
been written to files before they come here (``rscovlm.data.readers.containers``).
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from rscovlm.data.readers.common import IMAGE_SUFFIXES, Account, ImageFolder, LeftOut
from tiling.errors import SceneError
from tiling.headers import image_size
from tiling.view import Size

_PACKED = re.compile(r"\.(?:tar\.(?:gz|xz|bz2)|tgz|7z|rar)(?:\.part\w*)?$|\.(?:zip|tar)\.part\w*$|\.z\d\d$")
"""Archives, and parts of one, that GDAL would have to unpack from the start at each read."""

MISSING = "items whose image is missing"
"""What such items are counted as; they stay, and fail by name when they are run."""


class Pictures:
    """The images of a benchmark, by the names in its annotations.

    Args:
        root: folder of the benchmark.
        folders: below the root, where names start from, the likeliest first.
        account: counts images that are missing.
        peek: pictures inside tables are only named, so that none is looked for, and each has some size.
    """

    def __init__(self, root: Path, folders: tuple[str, ...], account: Account, peek: bool = False) -> None:
        found = [root / folder for folder in folders if (root / folder).is_dir()]
        self.root, self.account, self._peek = root, account, peek
        self._expected = root / folders[0]
        self._folders = [ImageFolder(folder) for folder in found]

    def locate(self, *names: str) -> str:
        """The path of an image, as GDAL reads it; one that does not exist where there is none.

        Args:
            names: the first one that is found counts: with another suffix if need be, in any of the folders,
                then inside archives.
        """
        if self._peek:
            return str(self._expected / names[0])
        for name in names:
            if Path(name).is_absolute() and Path(name).is_file():
                return name
            if found := self._file(name) or self._member(name):
                return found
        self.account.changed[MISSING] += 1
        for name in self._packed:
            self.account.changed[f"images may be in {name}, which cannot be read in place: unpack it"] = 1
        return str(self._expected / names[0].lstrip("/"))

    def size(self, path: str) -> Size | None:
        """Height and width of an image from its header; None where it cannot be opened."""
        if self._peek:
            return Size(1, 1)
        try:
            return image_size(path)
        except (SceneError, OSError):
            return None

    def _file(self, name: str) -> str | None:
        last = PureWindowsPath(name).name
        for part in dict.fromkeys((name, last)):
            for folder in self._folders:
                try:
                    return str(folder.find(part))
                except LeftOut:
                    continue
        return None

    def _member(self, name: str) -> str | None:
        found = (self._members.get(key) for key in _keys(PureWindowsPath(name).as_posix()))
        return next((path for path in found if path), None)

    @cached_property
    def _members(self) -> dict[str, str | None]:
        """Images in archives by all that they may be looked up by; None where several are meant."""
        index: dict[str, str | None] = {}
        archives = [file for file in self._files if file.suffix.lower() in (".zip", ".tar")]
        for member, path in (each for archive in archives for each in _members(archive)):
            for key in _keys(member):
                index[key] = path if key not in index else None
        return index

    @cached_property
    def _packed(self) -> list[str]:
        return [file.name for file in self._files if _PACKED.search(file.name.lower())]

    @cached_property
    def _files(self) -> list[Path]:
        """What lies beside the images and is none."""
        every = {file for folder in self._folders for file in folder.folder.iterdir()}
        return sorted(file for file in every if file.suffix.lower() not in IMAGE_SUFFIXES and file.is_file())


def _keys(name: str) -> list[str]:
    """What an image may be looked up by: its path without suffix, then the last parts of it."""
    parts = PurePosixPath(name).with_suffix("").parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _members(archive: Path) -> Iterator[tuple[str, str]]:
    """Images in an archive: (name, path as GDAL reads it)."""
    prefix = f"/vsi{archive.suffix.lower()[1:]}/{archive.resolve()}/"
    try:
        if archive.suffix.lower() == ".zip":
            with zipfile.ZipFile(archive) as members:
                names = members.namelist()
        else:
            with tarfile.open(archive, "r:") as shards:
                names = [member.name for member in shards if member.isfile()]
    except (zipfile.BadZipFile, tarfile.TarError, OSError):
        return  # images that are in it are missing, and counted as such
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() in IMAGE_SUFFIXES and "__MACOSX" not in path.parts:
            yield name, prefix + name
