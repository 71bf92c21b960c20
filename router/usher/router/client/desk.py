"""Working as an agent: sign in, take what is offered, complete it.

    async with usher.agent("anna") as desk:
        async for work in desk.offers():
            if await work.accept():
                ...
                await work.complete(resolved=True)

The stream is read in the background for as long as the desk is open, and keeps the session alive
however long the work on one contact takes. It must not know gRPC.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from usher.queue.values import LegState, Presence
from usher.router.client.agent_calls import AgentCalls
from usher.router.client.contact_calls import ContactCalls
from usher.router.client.errors import NotFound, UsherError, WrongState
from usher.router.client.results import Contact, Leg, OffersStep, Session
from usher.router.client.walk_in_calls import WalkInCalls

GONE: Final = frozenset({"OFFER_GONE", "CONTACT_ENDED", "LEG_NOT_FOUND", "OFFER_OF_ANOTHER_AGENT"})
"""Reasons by which an offer is no longer ours to take: no error, just bad luck."""


class DeskCalls(ContactCalls, AgentCalls, WalkInCalls):
    """The calls that a desk makes in the name of its agent."""


class Work:
    """One leg of the agent: an offer first, then the work on its contact."""

    def __init__(self, desk: "Desk", leg: Leg, contact: Contact) -> None:
        self.contact = contact
        self.leg = leg
        self._desk = desk

    @property
    def state(self) -> LegState:
        """Returns where the leg stands, as far as the stream has told."""
        return self.leg.state

    async def accept(self) -> bool:
        """Takes the offer; returns False if it is no longer there to take."""
        if self.leg.state is not LegState.OFFERED:
            return self.leg.state is not LegState.DONE
        desk = self._desk
        try:
            await desk.usher.accept(desk.agent_id, self.leg.leg_id, session=desk.session.number)
        except (WrongState, NotFound) as error:
            if error.reason in GONE:
                return False
            raise
        return True

    async def decline(self, reason: str = "") -> None:
        """Does not take the offer."""
        desk = self._desk
        await desk.usher.decline(
            desk.agent_id, self.leg.leg_id, reason=reason, session=desk.session.number
        )

    async def complete(
        self, *, disposition: str = "", resolved: bool | None = None, wrap_up: bool = False
    ) -> None:
        """The work with the customer is done; with `wrap_up` the agent still has after-work."""
        wrapping = await self._desk.usher.complete(
            self.contact.contact_id, disposition=disposition, resolved=resolved
        )
        if self.leg.leg_id in wrapping and not wrap_up:
            await self.finish_wrap_up()

    async def finish_wrap_up(self) -> None:
        """The after-work is done."""
        desk = self._desk
        await desk.usher.finish_wrap_up(desk.agent_id, self.leg.leg_id, session=desk.session.number)


class Desk:
    """An agent's open desk. Made by `Usher.agent`."""

    session: Session

    def __init__(
        self, usher: DeskCalls, agent_id: str, presence: Presence, lease: timedelta | None
    ) -> None:
        self.usher = usher
        self.agent_id = agent_id
        self._presence = presence
        self._lease = lease
        self._works: dict[str, Work] = {}
        self._new: asyncio.Queue[Work | UsherError] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        reason = "signed_in" if self._presence is Presence.NOT_READY else ""
        self.session = await self.usher.sign_in(
            self.agent_id, presence=self._presence, reason=reason, lease=self._lease
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        with suppress(WrongState, NotFound):  # the session was taken over, or ended before
            await self.usher.sign_out(self.agent_id, session=self.session.number)

    async def offers(self) -> AsyncIterator[Work]:
        """Yields what is offered, and live work from an earlier session; raises UsherError.

        WrongState with SESSION_SUPERSEDED says that another desktop has taken the session over.
        """
        while True:
            found = await self._new.get()
            if isinstance(found, UsherError):
                raise found
            yield found

    async def ready(self) -> None:
        """Takes offers from now on."""
        await self.usher.set_presence(self.agent_id, Presence.READY, session=self.session.number)

    async def not_ready(self, reason: str) -> None:
        """Takes no offers; what there is goes on."""
        await self.usher.set_presence(
            self.agent_id, Presence.NOT_READY, reason=reason, session=self.session.number
        )

    async def _read(self) -> None:
        try:
            steps = self.usher.watch_offers(self.agent_id, session=self.session.number)
            async for step in steps:
                self._take_in(step)
        except UsherError as error:
            self._new.put_nowait(error)

    def _take_in(self, step: OffersStep) -> None:
        for told in step.legs:
            leg = told.leg
            work = self._works.get(leg.leg_id)
            if work is not None:
                work.leg = leg
            elif told.contact is not None and self._is_offered(leg):
                work = self._works[leg.leg_id] = Work(self, leg, told.contact)
                self._new.put_nowait(work)
            if leg.state is LegState.DONE:
                self._works.pop(leg.leg_id, None)
        if step.begins:
            present = {told.leg.leg_id for told in step.legs}
            self._works = {name: one for name, one in self._works.items() if name in present}

    def _is_offered(self, leg: Leg) -> bool:
        """Returns whether the leg is one for `offers`."""
        return True
