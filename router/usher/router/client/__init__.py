"""The typed client of Usher: `connect`, results, errors. See README.md."""

from usher.router.client.calls import Patience
from usher.router.client.client import Usher, connect
from usher.router.client.desk import Desk, Work
from usher.router.client.errors import (
    AlreadyExists,
    Exhausted,
    InvalidRequest,
    NotFound,
    ServerFault,
    Unavailable,
    UsherError,
    WrongState,
)
from usher.router.client.requests import ContactOptions, Urgency, new_contact

__all__ = [
    "AlreadyExists",
    "ContactOptions",
    "Desk",
    "Exhausted",
    "InvalidRequest",
    "NotFound",
    "Patience",
    "ServerFault",
    "Unavailable",
    "Urgency",
    "Usher",
    "UsherError",
    "Work",
    "WrongState",
    "connect",
    "new_contact",
]
