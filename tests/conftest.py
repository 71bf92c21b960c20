"""What every test may ask for: how large to run, where the shared data lies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

FULL = os.environ.get("USHER_FULL") == "1"
REPO = Path(__file__).resolve().parents[1]

# The machine decides how fast an example is, so no deadline and no complaint about slowness;
# the same examples in every run, so that a red test stays red until it is mended.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("full", settings.get_profile("default"), max_examples=1_000)
settings.load_profile("full" if FULL else "default")


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the counts of the issue are run whole (`make soak`, USHER_FULL=1)."""
    return FULL


@pytest.fixture(scope="session")
def scaled() -> Callable[[int], int]:
    """Turns a full count into the one for this run: all of it, or a tenth (at least 1)."""

    def scale(full_count: int) -> int:
        return full_count if FULL else max(1, full_count // 10)

    return scale


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data beside the checkout; without it a test is skipped, in a CI it fails."""
    folder = REPO.parent / "shared"
    if not folder.is_dir():
        reason = "no folder `shared` beside the checkout: the call logs lie there"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
