"""Mutation testing: how many small, deliberate mistakes the tests notice.

Each ``tests/mutants/PACKAGE/NAME.patch`` is a unified diff with one change. Its first line is a comment that
says what it breaks, the second names the test files that should notice::

    # the threshold keeps equal scores too
    # tests: tests/detection_eval/metrics/test_thresholds.py

The tree is copied, a patch is applied to the copy, its tests run until the first failure, and the change is
taken back. Exit 1 where a patch no longer applies or less than ``--least`` of the mutants are noticed.

    python tests/mutants/run.py [FOLDER or PATCH ...] [--least 0.85] [--seconds 300]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
LEFT_OUT = {".git", ".venv", ".mypy_cache", ".ruff_cache", "build", "runs", "demo"}
"""Folders at the root that the copy does without; a package below may have such a name."""


def left_out(folder: str, names: Sequence[str]) -> set[str]:
    """The names in a folder that are not copied."""
    return set(names) & ({"__pycache__"} | (LEFT_OUT if Path(folder) == ROOT else set()))


def patches(given: Sequence[str]) -> list[Path]:
    """The patches of files and folders; all of them by default."""
    found: list[Path] = []
    for place in map(Path, given or [str(FOLDER)]):
        found += sorted(place.rglob("*.patch")) if place.is_dir() else [place]
    return [path.resolve() for path in found]


def header(patch: Path) -> tuple[str, list[str]]:
    """What a patch breaks, and the test files that should notice.

    Raises:
        ValueError: a comment is missing.
    """
    what, tests, *_ = [*patch.read_text(encoding="utf-8").splitlines(), "", ""]
    if not what.startswith("# ") or not tests.startswith("# tests: "):
        raise ValueError(f"{patch}: the first two lines are `# what it breaks` and `# tests: FILE ...`")
    return what[2:], tests.removeprefix("# tests: ").split()


def apply(tree: Path, patch: Path, *more: str) -> bool:
    """Apply a patch to a tree; whether it fits."""
    command = ["git", "apply", "--unidiff-zero", *more, str(patch)]
    outside = os.environ | {"GIT_DIR": str(tree / "none")}  # the copy is no repository
    return subprocess.run(command, cwd=tree, env=outside, capture_output=True).returncode == 0


def judge(tree: Path, patch: Path, seconds: float) -> str:
    """``killed``, ``SURVIVED``, or ``does not apply``."""
    _, tests = header(patch)
    if not apply(tree, patch):
        return "does not apply"
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=seconds)
        verdict = {0: "SURVIVED", 1: "killed", 2: "killed"}.get(done.returncode, "does not run")
    except subprocess.TimeoutExpired:
        verdict = "killed"  # an endless loop is noticed
    finally:
        apply(tree, patch, "--reverse")
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("patches", nargs="*", help="patches or folders of them; all by default")
    parser.add_argument("--least", type=float, default=0.85, help="share that has to be noticed")
    parser.add_argument("--seconds", type=float, default=300, help="after which tests are stopped")
    options = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=left_out, symlinks=True)
        for patch in patches(options.patches):
            verdicts.append(judge(tree, patch, options.seconds))
            print(f"{verdicts[-1]:14s} {patch.stem:32s} {header(patch)[0]}", flush=True)
    killed, unfit = (
        verdicts.count("killed"),
        len(verdicts) - verdicts.count("killed") - verdicts.count("SURVIVED"),
    )
    judged = len(verdicts) - unfit
    share = killed / judged if judged else 0.0
    print(
        f"{killed} of {judged} noticed ({100 * share:.0f} %)"
        + (f", {unfit} do not apply or run" if unfit else "")
    )
    return int(unfit > 0 or share < options.least)


if __name__ == "__main__":
    sys.exit(main())
