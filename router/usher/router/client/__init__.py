"""The typed client of Usher: `connect`, results, errors. See README.md."""

from usher.router.client.branch_desk import BranchDesk
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
from usher.router.client.kiosk import Kiosk
from usher.router.client.pictures import BoardPicture, DeskPicture
from usher.router.client.requests import ContactOptions, Urgency, new_contact
from usher.router.client.walk_in_calls import JoinOptions
from usher.router.client.walk_in_results import Ticket, Wait

__all__ = [
    "AlreadyExists",
    "BoardPicture",
    "BranchDesk",
    "ContactOptions",
    "Desk",
    "DeskPicture",
    "Exhausted",
    "InvalidRequest",
    "JoinOptions",
    "Kiosk",
    "NotFound",
    "Patience",
    "ServerFault",
    "Ticket",
    "Unavailable",
    "Urgency",
    "Usher",
    "UsherError",
    "Wait",
    "Work",
    "WrongState",
    "connect",
    "new_contact",
]
