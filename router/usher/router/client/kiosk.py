"""A kiosk, or a visitor's phone, at one branch.

    kiosk = usher.kiosk("north")
    ticket = await kiosk.join("cash", languages=["ru", "en"])
    async for ticket in kiosk.watch(ticket):
        ...  # ticket.queue_position, ticket.wait, ticket.state, ticket.desk

It must not know gRPC.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Unpack

from usher.router.client.walk_in_calls import JoinOptions, WalkInCalls
from usher.router.client.walk_in_results import Branch, Ticket


class Kiosk:
    """Takes tickets at a branch. Made by `Usher.kiosk`."""

    def __init__(self, usher: WalkInCalls, branch: str) -> None:
        self.branch = branch
        self._usher = usher

    async def services(self) -> Branch:
        """Returns the branch: whether it is open, its services, how long one would wait."""
        return await self._usher.services(self.branch)

    async def join(
        self, service: str, *, join_id: str = "", **options: Unpack[JoinOptions]
    ) -> Ticket:
        """Draws a ticket. While the server does not answer it is asked again for the same one.

        After `Unavailable` the effect is not known: give a `join_id` of your own (best a random
        UUID), keep it, and ask with it again, also from a new process: the same ticket comes.
        """
        return await self._usher.join_line(self.branch, service, join_id=join_id, **options)

    async def leave(self, ticket: Ticket | str) -> None:
        """The visitor gives the ticket up."""
        await self._usher.leave_line(id_of(ticket))

    async def watch(self, ticket: Ticket | str) -> AsyncGenerator[Ticket, None]:
        """Yields the ticket whenever it, its place or its wait has changed; ends when it ends."""
        async with aclosing(self._usher.watch_ticket(id_of(ticket))) as steps:
            async for step in steps:
                if step.ticket is not None:
                    yield step.ticket


def id_of(ticket: Ticket | str) -> str:
    """Returns the id of a ticket that is given itself or by its id."""
    return ticket if isinstance(ticket, str) else ticket.ticket_id
