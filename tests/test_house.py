"""The rules of the house that a tool can check: layers, folders, sizes, packaging."""

import ast
import importlib.metadata
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[1]
FLOORS = {
    "queue": REPO / "queue/usher/queue",
    "router": REPO / "router/usher/router",
    "simulation": REPO / "simulation/usher/simulation",
}
CODE = sorted(path for floor in FLOORS.values() for path in floor.rglob("*.py"))
BESIDE = [REPO / "hatch_build.py", *sorted((REPO / "benchmarks").rglob("*.py"))]
CORE = sorted(path for name in ("queue", "router") for path in FLOORS[name].glob("*.py"))
CORE = [path for path in CORE if path.name != "cli.py"]

ABOVE = {
    "queue": ("usher.router", "usher.simulation"),
    "router": ("usher.simulation",),
    "simulation": (),
}
NOT_IN_CORE = (
    *("grpc", "asyncio", "threading", "sqlite3", "apsw", "redis"),
    *("logging", "structlog", "os", "time", "datetime", "random", "uuid"),
)
MESSAGES_ALLOWED = [FLOORS["router"] / part for part in ("service", "client", "web", "trials")]

LINES_MAX = 400
FUNCTION_LINES_MAX = 40


def test_a_floor_imports_nothing_from_a_floor_above() -> None:
    wrong = [
        f"{_name(path)} imports {module}"
        for floor, folder in FLOORS.items()
        for path in sorted(folder.rglob("*.py"))
        for module in _imports(path)
        if _within(module, ABOVE[floor])
    ]
    assert [] == wrong


def test_the_core_knows_no_clock_no_chance_and_no_io() -> None:
    wrong = [
        f"{_name(path)} imports {module}"
        for path in CORE
        for module in _imports(path)
        if _within(module, NOT_IN_CORE)
    ]
    assert [] == wrong


def test_the_core_does_not_import_its_edge() -> None:
    edges = [
        f"usher.{floor}.{folder.name}"
        for floor, root in FLOORS.items()
        for folder in root.iterdir()
        if folder.is_dir()
    ]
    wrong = [
        f"{_name(path)} imports {module}"
        for path in CORE
        for module in _imports(path)
        if _within(module, (*edges, "usher.router.cli"))
    ]
    assert [] == wrong


def test_messages_of_the_service_stay_at_the_edge_of_the_router() -> None:
    wrong = [
        f"{_name(path)} imports {module}"
        for path in CODE
        for module in _imports(path)
        if _within(module, ("usher.v1",))
        and not any(path.is_relative_to(folder) for folder in MESSAGES_ALLOWED)
    ]
    assert [] == wrong


def test_no_init_file_hides_the_namespace_or_the_standard_queue() -> None:
    roots = ("queue", "router", "simulation", "proto", "tests")
    namespaces = [*FLOORS.values(), *(REPO / root / "usher" for root in roots)]
    wrong = [REPO / root / "__init__.py" for root in roots]
    wrong += [folder / "__init__.py" for folder in namespaces]
    wrong += [*(REPO / "tests").rglob("__init__.py"), *(REPO / "proto").rglob("__init__.py")]
    assert [] == sorted({_name(path) for path in wrong if path.exists()})


def test_queue_is_the_one_of_the_standard_library_even_at_the_root_of_the_checkout() -> None:
    # -c puts the working directory, which has a folder `queue`, first on the path.
    code = "import queue; print(queue.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(sysconfig.get_path("stdlib"), "queue.py").resolve() == Path(found).resolve()


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_says_that_it_is_typed(floor: str) -> None:
    assert (FLOORS[floor] / "py.typed").is_file()


def test_every_floor_and_edge_has_a_readme() -> None:
    folders = [*FLOORS.values()]
    folders += [
        folder
        for floor in FLOORS.values()
        for folder in floor.iterdir()
        if any(folder.glob("*.py"))
    ]
    assert [] == [_name(folder) for folder in folders if not (folder / "README.md").is_file()]


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    sizes = {_name(path): len(path.read_text().splitlines()) for path in [*CODE, *BESIDE]}
    assert {} == {name: lines for name, lines in sizes.items() if lines > LINES_MAX}


def test_no_function_is_longer_than_a_screen() -> None:
    sizes = {
        f"{_name(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in [*CODE, *BESIDE]
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {} == {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES_MAX}


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{_name(path)}:{node.lineno}"
        for path in CODE
        if path.name != "cli.py"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert [] == wrong


def test_the_installed_version_is_the_one_of_the_checkout() -> None:
    assert _project()["project"]["version"] == importlib.metadata.version("usher-router")


def test_the_locked_set_holds_what_the_build_needs() -> None:
    project = _project()
    assert set(project["build-system"]["requires"]) <= set(project["dependency-groups"]["dev"])


def test_the_lock_names_no_index_and_a_hash_for_each_requirement() -> None:
    lock = (REPO / "requirements.lock").read_text()
    entries = [part for part in lock.split("\n") if part and part[0].isalnum()]
    assert "://" not in lock
    assert entries and [] == [entry for entry in entries if not entry.endswith("\\")]


def _project() -> dict[str, Any]:
    return tomllib.loads((REPO / "pyproject.toml").read_text())


def _name(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _imports(path: Path) -> Iterator[str]:
    """Full names of all that is imported; `from a import b` gives a.b, which may be a module."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
