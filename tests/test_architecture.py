"""The layers of the project: who may import whom, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("detection_eval", "tiling", "zoom_chain", "rscovlm")
FORBIDDEN = {
    "detection_eval": {"torch", "transformers", "rasterio", "tiling", "zoom_chain", "rscovlm"},
    "tiling": {"torch", "transformers", "zoom_chain", "rscovlm"},
    "zoom_chain": {"torch", "transformers", "rscovlm"},
    "rscovlm": {"torchvision"},
}


def imports_of(file: Path) -> set[str]:
    """Top-level names of everything that a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", LAYERS)
def test_imports_point_downwards_only(package):
    offending = {
        str(file.relative_to(ROOT)): sorted(found)
        for file in (ROOT / package).rglob("*.py")
        if (found := imports_of(file) & FORBIDDEN[package])
    }
    assert offending == {}


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_without_loading_torch(package):
    code = (
        f"import sys, {package}; "
        "print(sorted({'torch', 'transformers', 'geopandas', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", [*LAYERS[:3], "rscovlm/scoring", "rscovlm/tasks"])
def test_every_module_of_a_torch_free_package_imports_where_torch_is_not_installed(package):
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in sorted((ROOT / package).rglob("*.py"))
        if file.stem != "__init__"
    ]
    code = (
        "import sys, importlib; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_code_never_evaluates_text():
    offending = []
    for package in LAYERS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Name) and called.id in ("eval", "exec"):
                    offending.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert offending == []
