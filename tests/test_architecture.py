"""The layers of the project: who may import whom, and what stays light."""

import ast
import re
import subprocess
import sys
import tomllib
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


GEOMETRY = {"shapely", "rasterio", "pyproj", "geopandas", "pyogrio", "pycocotools", "cv2"}
RASTERS_IN_RSCOVLM = {
    "rscovlm/doctor.py": "reports the version and formats of GDAL",
    "rscovlm/synth/dataset.py": "writes synthetic scenes",
    "rscovlm/synth/forest_scene.py": "writes synthetic scenes of 12 bands",
}


def test_rscovlm_leaves_geometry_and_rasters_to_the_packages_below():
    offending = {
        name: sorted(found)
        for file in (ROOT / "rscovlm").rglob("*.py")
        if (name := file.relative_to(ROOT).as_posix()) not in RASTERS_IN_RSCOVLM
        and (found := imports_of(file) & GEOMETRY)
    }
    assert offending == {}


def folder_imports() -> dict[str, set[str]]:
    """The folders that each folder imports; a module right below a package counts as a folder of its own."""
    graph: dict[str, set[str]] = {}
    for file in (file for package in LAYERS for file in (ROOT / package).rglob("*.py")):
        own = _node(file.relative_to(ROOT).with_suffix(""))
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in LAYERS:
                for name in node.names:
                    path = Path(*node.module.split("."))
                    if (ROOT / path).is_dir():
                        path /= name.name if (ROOT / path / f"{name.name}.py").is_file() else "__init__"
                    graph.setdefault(own, set()).add(_node(path))
    return {own: {other for other in others if other != own} for own, others in graph.items()}


def _node(module: Path) -> str:
    parent = module.parent.as_posix()
    return module.as_posix() if parent in LAYERS else parent


def test_folders_do_not_import_each_other_in_circles():
    left = folder_imports()
    # Whatever imports nothing that is left, or is imported by nothing that is left, is on no circle.
    while free := [folder for folder, others in left.items() if not others & left.keys()]:
        for folder in free:
            del left[folder]
    while free := left.keys() - {other for others in left.values() for other in others}:
        for folder in free:
            del left[folder]
    assert left == {}


DISTRIBUTIONS = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "liger_kernel": "liger-kernel",
    "sklearn": "scikit-learn",
    "huggingface_hub": "huggingface-hub",
}


def test_every_library_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [
        *project["dependencies"],
        *(line for more in project["optional-dependencies"].values() for line in more),
    ]
    declared = {re.split(r"[\[<>=! ]", line)[0].lower().replace("_", "-") for line in stated}
    imported = {
        name
        for package in (*LAYERS, "configs")
        for file in (ROOT / package).rglob("*.py")
        for name in imports_of(file) - sys.stdlib_module_names - {*LAYERS, "configs"}
    }
    missing = {
        name for name in imported if DISTRIBUTIONS.get(name, name).lower().replace("_", "-") not in declared
    }
    assert missing == set()


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_without_loading_torch(package):
    code = (
        f"import sys, {package}; "
        "print(sorted({'torch', 'transformers', 'geopandas', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("engine", ["http", "vllm", "transformers"])
def test_an_engine_imports_where_no_library_for_rasters_is_installed(engine):
    """Engines run in environments of their own, such as vLLM's."""
    code = (
        "import sys, importlib; sys.modules['rasterio'] = sys.modules['affine'] = None\n"
        f"importlib.import_module('rscovlm.engines.{engine}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("package", [*LAYERS[:3], "rscovlm/scoring", "rscovlm/tasks", "rscovlm/bench"])
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


ROOMS_WITH_TESTS = (*LAYERS, "configs")
"""Packages each of whose public modules has a test file of its own in the same place below ``tests``."""
WITHOUT_TESTS_OF_THEIR_OWN = {
    "detection_eval/text/answers.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/blocks.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/boxes.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/lexing.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/lines.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/records.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/scanning.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/tagged.py": "test_parsing.py and test_replies.py read whole replies through it",
    "detection_eval/text/found.py": "types alone",
    "tiling/containers.py": "test_foreign.py opens archives and products",
    "tiling/errors.py": "names alone; detection_eval/test_errors.py checks their base",
    "tiling/facts.py": "rscovlm/cli/test_info.py prints them",
    "tiling/handles.py": "test_foreign.py and test_scene.py open damaged and remote files",
    "tiling/masks.py": "test_scene.py and test_foreign.py read masked scenes",
    "tiling/validity.py": "test_scene.py and test_foreign.py read nodata, alpha and masks",
    "zoom_chain/effects.py": "types alone; test_driver.py and test_controller.py run what yields them",
    "zoom_chain/jobs.py": "test_driver.py and test_keeping.py run them",
    "zoom_chain/reading.py": "test_driver.py and test_controller.py read views through it",
    "zoom_chain/policies/chain.py": "test_controller.py runs whole chains",
    "zoom_chain/policies/off.py": "test_controller.py runs it beside the chain",
    "zoom_chain/session.py": "test_controller.py and test_driver.py read what it records and is charged",
    "zoom_chain/errors.py": "names alone; detection_eval/test_errors.py checks their base",
    "rscovlm/errors.py": "names alone; what raises them is tested",
    "rscovlm/nano/object_lessons.py": "test_lessons.py draws lessons of every kind",
    "rscovlm/nano/question_lessons.py": "test_lessons.py draws lessons of every kind",
    "rscovlm/synth/airport.py": "test_places.py lays out places of every kind",
    "rscovlm/synth/harbour.py": "test_places.py lays out places of every kind",
    "rscovlm/synth/leisure.py": "test_places.py lays out places of every kind",
    "rscovlm/synth/yards.py": "test_places.py lays out places of every kind",
    "rscovlm/bench/benchmark.py": "types alone",
    "rscovlm/bench/item.py": "types alone; test_records.py writes and reads them",
    "rscovlm/bench/protocol.py": "types alone",
    "rscovlm/bench/row.py": "types alone; test_records.py writes and reads them",
    "rscovlm/models/qwen.py": "types alone",
    "rscovlm/training/checkpoint.py": "test_loop.py and test_training.py save, resume and kill",
    "rscovlm/training/metrics.py": "test_loop.py reads the log",
    "rscovlm/training/schedule.py": "test_loop.py takes its steps",
}


@pytest.mark.parametrize("package", ROOMS_WITH_TESTS)
def test_every_public_module_has_its_test_file(package):
    missing = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / package).rglob("*.py")
        if not file.stem.startswith("_")
        and not (ROOT / "tests" / file.relative_to(ROOT)).with_name(f"test_{file.name}").is_file()
    }
    assert missing - WITHOUT_TESTS_OF_THEIR_OWN.keys() == set()


def test_the_code_never_evaluates_text():
    offending = []
    for package in LAYERS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Name) and called.id in ("eval", "exec"):
                    offending.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert offending == []
