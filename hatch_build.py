"""Makes the Python code of the service's messages: proto/ -> build/gen.

Runs as hatchling's build hook (`pip install -e .`, wheels) and by hand (`make proto`). The result
is never committed. It needs grpcio-tools and mypy-protobuf, as pinned in pyproject.toml.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "usher"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Generates before a wheel or an editable install; the sdist carries proto/ itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        generate(Path(self.root))
        # build/ is ignored by git, so hatchling has to be told that this part belongs in.
        build_data["artifacts"].append(f"/build/gen/{PACKAGE}/")


def generate(root: Path) -> None:
    """Replaces build/gen by code for all of proto/; raises RuntimeError if protoc refuses."""
    protos = sorted((root / "proto").rglob("*.proto"))
    if not protos:
        raise RuntimeError(f"no .proto file under {root / 'proto'}")
    fresh = root / "build" / f"gen.{os.getpid()}"
    fresh.mkdir(parents=True)
    try:
        _run_protoc(root / "proto", protos, fresh)
        _mark_typed(fresh)
        _replace(root / "build" / "gen" / PACKAGE, fresh / PACKAGE)
    finally:
        shutil.rmtree(fresh)


def _run_protoc(source: Path, protos: list[Path], target: Path) -> None:
    # Imported here: building an sdist needs no protoc.
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={source}",
            f"--proto_path={well_known}",
            f"--plugin=protoc-gen-mypy={_plugin('protoc-gen-mypy')}",
            f"--plugin=protoc-gen-mypy_grpc={_plugin('protoc-gen-mypy_grpc')}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out=quiet:{target}",
            f"--mypy_grpc_out=quiet:{target}",
            *map(str, protos),
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc ended with {status}; its message stands above")


def _plugin(name: str) -> str:
    """Path of a protoc plugin: beside this Python, or on the PATH of an isolated build."""
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        raise RuntimeError(f"{name} is missing: install mypy-protobuf as pyproject.toml pins it")
    return found


def _mark_typed(generated: Path) -> None:
    for package in {path.parent for path in generated.rglob("*.pyi")}:
        (package / "py.typed").touch()


def _replace(old: Path, new: Path) -> None:
    """Nothing of a proto that was renamed or removed stays behind."""
    old.parent.mkdir(parents=True, exist_ok=True)
    if old.exists():
        shutil.rmtree(old)
    new.rename(old)


if __name__ == "__main__":
    try:
        generate(Path(__file__).resolve().parent)
    except RuntimeError as error:
        sys.exit(str(error))
