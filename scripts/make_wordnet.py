"""Make the frozen WordNet table that ``rscovlm.scoring.synonyms`` reads, from Debian's ``wordnet-base``.

    apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb wordnet
    python scripts/make_wordnet.py wordnet/usr/share/wordnet rscovlm/assets/wordnet/words.txt.xz

Of WordNet's 25 MB there is kept what tells whether two words share a synset: the words of each part of
speech, the synsets that hold more than one of them, and the exceptions of lemmatisation. The same files give
the same bytes.
"""

from __future__ import annotations

import lzma
import sys
from collections import Counter
from pathlib import Path

PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}


def read_index(path: Path) -> dict[str, list[str]]:
    """Offsets of the synsets of each word, as the lines of ``index.*`` hold them (wndb(5WN))."""
    words = {}
    for line in path.read_text("ascii").splitlines():
        if line.startswith(" "):  # the licence
            continue
        word, _, synsets, pointers, *rest = line.split()
        words[word] = rest[int(pointers) + 2 :]
        assert len(words[word]) == int(synsets), line
    return words


def read_exceptions(path: Path) -> dict[str, list[str]]:
    """Base forms of irregular forms, as ``*.exc`` hold them; the last line of a form counts, as in NLTK."""
    lines = [line.split() for line in path.read_text("ascii").splitlines()]
    return {form: bases for form, *bases in lines}


def table(folder: Path) -> str:
    """The table as text: a section for each part of speech, words with their shared synsets, exceptions."""
    lines: list[str] = []
    known: dict[tuple[str, str], int] = {}
    for part, name in PARTS.items():
        words = read_index(folder / f"index.{name}")
        held = Counter(offset for offsets in words.values() for offset in offsets)
        lines.append(f"# {part}")
        for word, offsets in sorted(words.items()):
            shared = [(part, offset) for offset in offsets if held[offset] > 1]
            numbers = sorted(known.setdefault(synset, len(known)) for synset in shared)
            lines.append(" ".join([word, *map(str, numbers)]))
        lines.append(f"# {part} exceptions")
        irregular = read_exceptions(folder / f"{name}.exc")
        lines += [" ".join([form, *bases]) for form, bases in sorted(irregular.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_bytes(lzma.compress(table(source).encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    print(f"{target}: {target.stat().st_size:,} bytes")
