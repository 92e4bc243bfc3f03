"""Pages of the site that are made from what is there already: README, notebooks, docstrings.

mkdocs calls ``on_files`` and ``on_config`` (see ``hooks`` in mkdocs.yml).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("detection_eval", "tiling", "zoom_chain", "rscovlm", "configs")
COPIED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "rscovlm/assets/nano/README.md": "scorecard.md",
}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#:]+)((?:#[^)]*)?\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The reference is listed by package and folder."""
    pages = [{package: [place_of(folder) for folder in folders(package)]} for package in PACKAGES]
    config.nav[-1] = {"Reference": pages}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""

    def add(place: str, text: str) -> None:
        files.append(File.generated(config, place, content=text))

    for source, place in COPIED.items():
        add(place, relinked((ROOT / source).read_text(encoding="utf-8"), source))
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        add(f"examples/{notebook.stem}.md", page_of_notebook(notebook))
    for package in PACKAGES:
        for folder, modules in folders(package).items():
            add(place_of(folder), reference(folder, modules))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links of docs/ to files outside it lead to their pages."""
    return relinked(markdown, f"docs/{page.file.src_uri}") if page.file.src_dir else markdown


def relinked(text: str, source: str) -> str:
    """Links of a file of the repository as links between pages of the site, all of which lie at its root."""

    def target(match: re.Match[str]) -> str:
        path = (ROOT / source).parent.joinpath(match[2]).resolve()
        if not path.is_relative_to(ROOT):
            return match[0]
        name = path.relative_to(ROOT).as_posix()
        page = COPIED.get(name, name.removeprefix("docs/"))
        if name.endswith(".ipynb"):
            page = f"{name.removesuffix('.ipynb')}.md"
        return f"{match[1]}{page}{match[3]}"

    return LINK.sub(target, text)


def page_of_notebook(path: Path) -> str:
    """The cells of a notebook, without outputs, as Markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text.replace("](../docs/", "](../"))
            continue
        first, _, rest = text.partition("\n")
        if first == "%%bash":
            parts.append(f"```bash\n{rest}\n```")
        elif first.startswith("%%writefile "):
            name = first.removeprefix("%%writefile ")
            parts.append(f'```yaml title="{name}"\n{rest}\n```')
        else:
            parts.append(f"```python\n{text}\n```")
    return "\n\n".join(parts) + f"\n\n*This page is the notebook `examples/{path.name}`.*\n"


def folders(package: str) -> dict[str, list[str]]:
    """Dotted names of the folders of a package that hold modules, and the dotted names of those modules."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if file.stem != "__main__":
            name = ".".join(parts[:-1] if file.stem == "__init__" else parts)
            found.setdefault(".".join(parts[:-1]), []).append(name)
    return dict(sorted(found.items()))


def place_of(folder: str) -> str:
    """The page of a folder: that of a package is the index of its section."""
    package, _, rest = folder.partition(".")
    return f"reference/{package}/{rest or 'index'}.md"


def reference(folder: str, modules: list[str]) -> str:
    """One page with all public names of a folder's modules."""
    own = [module for module in modules if module == folder]
    rest = [module for module in modules if module != folder]
    parts = [f"# {folder}"]
    alone = "\n    options: {show_root_heading: false, show_root_toc_entry: false, members: false}"
    parts += [f"::: {module}{alone}" for module in own]
    parts += [f"::: {module}" for module in rest]
    return "\n\n".join(parts) + "\n"
