"""What answers share: the events of a command, and replies that tell the journal position only."""

from collections.abc import Callable

from google.protobuf.message import Message

from usher.queue.events import AnyEvent
from usher.router.pool import Pool

Events = tuple[AnyEvent, ...]


def position_answer(reply: Callable[..., Message]) -> Callable[[Pool, Events], bytes]:
    """Returns what makes the replies that tell the position only."""

    def answer(pool: Pool, _happened: Events) -> bytes:
        return reply(position=pool.position).SerializeToString()

    return answer
