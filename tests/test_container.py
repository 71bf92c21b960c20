"""What the Dockerfile claims, as far as reading it tells."""

import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from usher.router.service.settings import Settings, read_settings
from usher.router.trials.health_check import default_address

Step = tuple[str, str]


@pytest.fixture(scope="module")
def stages(repo: Path) -> list[list[Step]]:
    """The steps of each stage: instruction and what follows it."""
    text = re.sub(r"^#.*\n", "", (repo / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[list[Step]] = []
    for line in re.sub(r"\\\n", "", text).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if found and name:
            found[-1].append((name, rest.strip()))
    return found


@pytest.fixture(scope="module")
def environment(stages: list[list[Step]]) -> dict[str, str]:
    """What the image sets."""
    pairs = [word.split("=", 1) for rest in _all(stages[-1], "ENV") for word in shlex.split(rest)]
    return dict(pairs)  # type: ignore[arg-type]


def test_what_builds_it_stays_behind(stages: list[list[Step]]) -> None:
    build, image = stages
    assert ["--from=build /opt/usher /opt/usher"] == _all(image, "COPY")
    assert not [rest for rest in _all(image, "RUN") if "pip" in rest or "venv" in rest]
    assert [rest for rest in _all(build, "RUN") if "--require-hashes" in rest]


def test_it_runs_as_a_user_who_is_not_root_by_number(stages: list[list[Step]]) -> None:
    (user,) = _all(stages[-1], "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    (made,) = [rest for rest in _all(stages[-1], "RUN") if "useradd" in rest]
    assert f"useradd --uid {user.split(':')[0]} " in made
    assert f"groupadd --gid {user.split(':')[1]} " in made


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD", "HEALTHCHECK"])
def test_commands_are_in_exec_form(stages: list[list[Step]], name: str) -> None:
    (rest,) = _all(stages[-1], name)
    words = json.loads(rest[rest.index("[") :])
    assert "usher" == words[0] if name != "CMD" else ["serve"] == words


def test_its_health_is_asked_where_it_listens(
    stages: list[list[Step]], environment: dict[str, str]
) -> None:
    (check,) = _all(stages[-1], "HEALTHCHECK")
    assert check.endswith('CMD ["usher", "health"]')
    assert default_address({}) == default_address(environment)
    assert [environment["USHER_LISTEN"].rpartition(":")[2]] == _all(stages[-1], "EXPOSE")


def test_it_imports_nothing_from_where_it_stands(environment: dict[str, str]) -> None:
    assert "1" == environment["PYTHONSAFEPATH"]


def test_all_that_it_writes_is_in_the_volume(
    stages: list[list[Step]], environment: dict[str, str]
) -> None:
    (volume,) = _all(stages[-1], "VOLUME")
    assert [environment["USHER_DATA_DIR"]] == json.loads(volume)
    assert "1" == environment["PYTHONDONTWRITEBYTECODE"]


def test_its_settings_are_ones_that_the_server_knows(environment: dict[str, str]) -> None:
    set_here = {name for name in environment if name.startswith("USHER_")}
    known = {f"USHER_{name.upper()}" for name in Settings.__struct_fields__}
    assert set_here <= known
    assert "/data" == read_settings(environment=environment).data_dir


def test_the_build_sees_what_it_copies_and_nothing_else(
    repo: Path, stages: list[list[Step]]
) -> None:
    copied = {source for rest in _all(stages[0], "COPY") for source in rest.split()[:-1]}
    lines = (repo / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert "*" == rules[0]
    assert copied == {rule[1:] for rule in rules if rule.startswith("!")}
    assert [] == [name for name in copied if not (repo / name).exists()]
    assert any(fnmatch("queue/usher/__pycache__", rule) for rule in rules[1:])


def _all(steps: list[Step], name: str) -> list[str]:
    return [rest for instruction, rest in steps if instruction == name]
