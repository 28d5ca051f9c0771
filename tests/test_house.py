"""The rules of the house. Each holds for the whole repository."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect.flows import Flow

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("flows", "blocks", "lib", "deployments")
MODULES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CODE = [p for p in MODULES if "migrations" not in p.parts]
FLOWS = [p for p in sorted((ROOT / "flows").glob("*.py")) if p.stem != "__init__"]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name.decode() for name in names.split(b"\0") if name]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def flow_of(entrypoint: str) -> Flow:
    module, _, name = entrypoint.rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    assert isinstance(flow, Flow), f"{entrypoint} is not a flow"
    return flow


def test_the_staircase_holds() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FLOWS, ids=name_of)
def test_a_flow_imports_no_other_flow_and_says_what_it_is(path: Path) -> None:
    imported = {
        node.module or "" for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)
    }
    assert not any(module.split(".")[0] == "flows" for module in imported)
    header = ast.get_docstring(tree(path)) or ""
    for word in ("Trigger", "In", "Out", "Pool"):
        assert re.search(rf"^{word} ", header, re.M), f"the header has no line {word!r}"


@pytest.mark.parametrize("path", FLOWS, ids=name_of)
def test_a_flow_has_a_deployment_and_a_test(path: Path) -> None:
    deployed = {entry["entrypoint"].split(".")[1] for entry in DEPLOYMENTS}
    assert path.stem in deployed, f"name flows.{path.stem} in prefect.yaml"
    test = ROOT / "tests" / "flows" / f"test_{path.stem}.py"
    assert test.exists(), f"test it in {name_of(test)}"


@pytest.mark.parametrize("path", FLOWS, ids=name_of)
def test_a_flow_hides_no_installed_package(path: Path) -> None:
    assert importlib.util.find_spec(path.stem) is None


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=lambda entry: entry["entrypoint"])
def test_a_deployment_names_a_real_flow_and_real_parameters(entry: dict) -> None:
    assert re.fullmatch(r"flows\.\w+\.\w+", entry["entrypoint"]), "use a module path"
    flow = flow_of(entry["entrypoint"])
    assert flow.name == flow.fn.__name__.replace("_", "-")
    known = set(inspect.signature(flow.fn).parameters)
    assert set(entry.get("parameters", {})) <= known
    assert entry["work_pool"]["name"]
    assert entry["version"]


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=name_of)
def test_a_module_has_at_most_300_lines_and_a_flow_150(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= (150 if path in FLOWS else 300)


def test_the_median_module_is_short() -> None:
    lengths = [len(p.read_text().splitlines()) for p in CODE if p.name != "__init__.py"]
    assert statistics.median(lengths) <= 120


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_function_has_at_most_40_lines(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name} has {lines}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_error_is_swallowed(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = {ast.unparse(node.type)} if node.type else {""}
        if kinds & {"", "Exception", "BaseException"}:
            does = [s for s in node.body if not isinstance(s, ast.Pass | ast.Continue)]
            assert does, f"line {node.lineno} swallows every error"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_http_client_has_a_timeout(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and re.search(
            r"(httpx\.(AsyncClient|Client|get|post|put|request|stream)|ClientSession|urlopen)$",
            ast.unparse(node.func),
        ):
            given = {keyword.arg for keyword in node.keywords}
            assert "timeout" in given, f"line {node.lineno} has no timeout"


def test_domain_reads_no_clock() -> None:
    for path in (ROOT / "lib" / "domain").glob("*.py"):
        assert not re.search(r"\.(now|today|utcnow)\(", path.read_text()), name_of(path)


def test_git_does_not_ignore_the_rooms() -> None:
    command = ["git", "check-ignore", "lib", "blocks", "flows", "deployments"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).stdout == b""


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_tracked() -> None:
    barred = re.compile(
        r"files\.pythonhosted|pypi\.org/simple|registry\.npmjs|/(?:work|root|home/\w+)/[a-z]"
    )
    for path in tracked():
        if path.suffix in {".png", ".jpg", ".ogg"} or path == Path(__file__) or not path.exists():
            continue
        found = barred.search(path.read_text("utf-8", "replace"))
        assert found is None, f"{name_of(path)}: {found.group() if found else ''}"
    assert "http" not in re.sub(r"^\S+", "", (ROOT / "requirements.lock").read_text(), flags=re.M)


def test_tests_use_no_mock_and_no_sleep() -> None:
    barred = re.compile(r"MagicMock|AsyncMock|unittest\.mock|time\.sleep\(")
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert not barred.search(path.read_text()), name_of(path)
