"""A visitor, a clerk and a board at the branch of the example files, in one program.

    usher serve --policy examples/policy.toml --roster examples/roster.toml --data ./data
    python examples/branch.py [host:port]

At a real branch each of them is a program of its own: a kiosk, a desk page, a screen in the lobby.
"""
# ruff: noqa: T201  (an example speaks to a person)

import asyncio
import sys

from usher.router import client

BRANCH = "branch-1"


async def main(address: str) -> None:
    """Shows the board while one visitor comes, waits, is called and served."""
    async with client.connect(address) as usher:
        lobby = asyncio.create_task(board(usher))
        try:
            await visitor(usher)
        finally:
            lobby.cancel()


async def visitor(usher: client.Usher) -> None:
    """Takes a ticket and follows it on the phone until the visit is over."""
    kiosk = usher.kiosk(BRANCH)
    branch = await kiosk.services()
    if not branch.is_open:
        print(f"{branch.title} is closed; it opens {branch.opens}")
        return
    ticket = await kiosk.join("cash", languages=["en"], attributes={"name": "Ida"})
    print(f"kiosk  {ticket.number}, place {ticket.queue_position}")
    at_work = asyncio.create_task(clerk(usher))
    async for told in kiosk.watch(ticket):  # ends with the visit
        print(f"phone  {told.number} {told.state.value} {told.desk}")
    print(f"phone  {told.outcome.value}")
    await at_work


async def clerk(usher: client.Usher) -> None:
    """Opens desk 1, calls who is next, serves, and closes the desk."""
    async with usher.branch_desk(BRANCH, "1", agent_id="esther") as desk:
        while ticket := await desk.call_next():
            print(f"desk   calls {ticket.number}: {ticket.attributes.get('name', '')}")
            await desk.start()  # the visitor is here; else recall(), no_show(), return_()
            await desk.finish()


async def board(usher: client.Usher) -> None:
    """Shows which number is called to which desk, for ever."""
    async for picture in usher.board(BRANCH):
        rows = ", ".join(f"{row.number} to desk {row.desk}" for row in picture.rows)
        print(f"board  {rows or '-'}   waiting {picture.waiting}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7460"))
