"""What the services of one process share: its pools, who may call now, and one call's view of both.

It must not know messages or gRPC: services translate, this submits.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from usher.queue.commands import AnyCommand
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent
from usher.queue.journal.contract import PrivateFields
from usher.queue.values import Actor, ContactId, NewContact
from usher.router.pool import Pool
from usher.router.service.lease import SessionLeases
from usher.router.service.runner import Runner, Submission
from usher.router.service.status import TooManyCalls, UnknownPool
from usher.router.service.unavailable import Draining
from usher.router.service.wire.fields import needed_id
from usher.router.service.wire.tokens import Sealer

if TYPE_CHECKING:
    from usher.router.service.lookout import Lookouts

MAIN: Final = "main"
CALLS_MAX: Final = 2_000  # a second or two of work: more would only wait
DIGEST_BYTES: Final = 16

Answer = Callable[[Pool, tuple[AnyEvent, ...]], bytes]

_ENCODER: Final = msgspec.msgpack.Encoder()


class ServedPool:
    """One pool with all that serves it."""

    def __init__(self, name: str, runner: Runner, leases: SessionLeases) -> None:
        self.name = name
        self.runner = runner
        self.leases = leases
        self.journal = runner.journal
        self.sealer = Sealer(runner.journal.secret)
        self._secret = runner.journal.secret

    @cached_property
    def lookouts(self) -> "Lookouts":
        """Returns who keeps an eye on its branches; imported where somebody watches one."""
        from usher.router.service.lookout import Lookouts

        return Lookouts(self.runner)

    def digest(self, asked: object) -> bytes:
        """Returns what tells an altered request: keyed, so that it tells nothing else."""
        encoded = _ENCODER.encode(asked)
        return blake2b(encoded, digest_size=DIGEST_BYTES, key=self._secret).digest()


class Call:
    """One call to one pool by one actor."""

    __slots__ = ("actor", "pool")

    def __init__(self, pool: ServedPool, actor: Actor) -> None:
        self.pool = pool
        self.actor = actor

    async def submit(
        self,
        request_id: str,
        command: AnyCommand,
        answer: Answer,
        private: tuple[PrivateFields, ...] = (),
        asked: object = None,
    ) -> bytes:
        """Returns the encoded answer once it is synced; raises Refused and NotServed.

        `asked` is what the caller wanted before ids were added; by default it is the command.
        The command's tag is part of it, so that no two methods share a digest.
        """
        needed_id(request_id, "request_id")
        digest = self.pool.digest(command if asked is None else asked)
        submission = Submission(command, request_id, digest, private, answer)
        return await self.pool.runner.submit(submission)


class Pools:
    """The pools of this process by name, and how many calls they work on."""

    def __init__(self, pools: Mapping[str, ServedPool], calls_max: int = CALLS_MAX) -> None:
        self._pools = {**pools, "": pools[MAIN]}
        self._calls_max = calls_max
        self._draining = False
        self.calls = 0
        self.turned_away = 0  # calls that came while it drained

    def named(self, name: str) -> ServedPool:
        """Returns the pool; empty = main. Raises UnknownPool."""
        pool = self._pools.get(name)
        if pool is None:
            raise UnknownPool(f"no pool {name[:64]!r} on this server", pool=name[:64])
        return pool

    def enter(self) -> None:
        """Admits a call, to be followed by `leave`; raises TooManyCalls, Draining."""
        refusal: Refused | Draining
        if self._draining:
            self.turned_away += 1
            refusal = Draining("the server is about to stop", 1_000)
        elif self.calls >= self._calls_max:
            refusal = TooManyCalls(
                f"{self.calls} calls are under way, the most admitted", calls_max=self._calls_max
            )
        else:
            self.calls += 1
            return
        raise refusal

    def leave(self) -> None:
        """A call that was admitted has ended."""
        self.calls -= 1

    def drain(self) -> None:
        """Admits nothing from now on."""
        self._draining = True


def named_contact(contact: NewContact) -> NewContact:
    """Returns the contact with an id: the caller's, or one made here."""
    if contact.contact_id:
        return contact
    return NewContact(ContactId(uuid4().hex), contact.facts)
