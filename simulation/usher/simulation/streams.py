"""Sources of chance: each with a stream of its own, all from one seed.

A stream is found by its name alone (`billing/patience`), so a source that is added or left out
moves no other one, and two policies meet the same people. It must not know what is drawn for.

Streams are children of one `numpy.random.SeedSequence`; that those do not overlap is argued in
M. E. O'Neill, "Developing a seed_seq alternative" (2015), and in NumPy's own notes on it.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from usher.simulation.distributions import Distribution

BLOCK = 512
MS_PER_S = 1000


class Streams:
    """All streams of one replication; the same seed and replication give the same numbers."""

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0 or replication < 0:
            raise ValueError(f"{seed=} and {replication=} are not to be negative")
        self._seed = seed
        self._replication = replication

    def generator(self, name: str) -> Generator:
        """Returns a new generator at the beginning of the stream of that name."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
        return Generator(PCG64(SeedSequence(self._seed, spawn_key=(self._replication, key))))

    def chances(self, name: str) -> "Chances":
        """Returns the chances of that name."""
        return Chances(self.generator(name))


def durations(name: str, distribution: Distribution | None, streams: Streams) -> "Durations | None":
    """Returns the durations of that name, None if there is no distribution."""
    return None if distribution is None else Durations(distribution, streams.generator(name))


class Source(Protocol):
    """Gives durations one after the other."""

    def next_ms(self) -> int:
        """Returns the next duration."""


class RecordedDurations:
    """Durations as they were recorded, in this order."""

    def __init__(self, durations_s: Iterable[float]) -> None:
        self._left = iter(durations_s)

    def next_ms(self) -> int:
        """Returns the next duration; raises ValueError behind the last one."""
        duration_s = next(self._left, None)
        if duration_s is None:
            raise ValueError("more contacts came than were recorded")
        return round(duration_s * MS_PER_S)


class Durations:
    """Durations one after the other, in whole ms; drawn in blocks, in seconds, and rounded."""

    def __init__(self, distribution: Distribution, generator: Generator) -> None:
        self._distribution = distribution
        self._generator = generator
        self._block: list[int] = []

    def next_ms(self) -> int:
        """Returns the next duration."""
        if not self._block:
            drawn_s = self._distribution.draw(self._generator, BLOCK)
            drawn_ms: list[int] = np.rint(drawn_s * MS_PER_S).astype(np.int64).tolist()
            drawn_ms.reverse()
            self._block = drawn_ms
        return self._block.pop()


class Chances:
    """Numbers from 0 to below 1, one after the other, all equally likely."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._block: list[float] = []

    def next(self) -> float:
        """Returns the next number."""
        if not self._block:
            self._block = self._generator.random(BLOCK).tolist()
        return self._block.pop()

    def happens(self, share: float) -> bool:
        """Returns whether something of this probability happens; one number is used up."""
        return self.next() < share
