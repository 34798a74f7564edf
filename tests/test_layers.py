"""The direction of dependencies: app -> ui -> retrain -> evaluation -> model; flagging imports none of them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "space": {"flagging"},
    "model": set(),
    "flagging": set(),
    "evaluation": {"model", "flagging"},
    "retrain": {"evaluation", "model", "flagging"},
    "ui": {"retrain", "evaluation", "model", "flagging"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package):
    ours = {*MAY_IMPORT, "app", "deploy", "tests", "benchmarks"}
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & ours <= MAY_IMPORT[package] | {package}, path


def test_flagging_needs_no_torch():
    for path in (ROOT / "flagging").rglob("*.py"):
        assert not imported(path) & {"torch", "torchvision", "safetensors"}, path


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_only_the_command_lines_read_the_environment(package):
    for path in (ROOT / package).rglob("*.py"):
        if path.name != "__main__.py":
            assert "os.environ" not in path.read_text(), path
