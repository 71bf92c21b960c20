"""Tokens that callers bring back: places in a list, places in a watch.

A token is opaque and sealed with the journal's key, so that a made-up or damaged one is refused
rather than misread. It names what it belongs to (journal, pool, filter), and authorises nothing.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

import msgspec
from msgspec import Struct

from usher.queue.errors import Invalid

SEAL_BYTES: Final = 16
TOKEN_MAX: Final = 1_024


class PageToken(Struct, frozen=True, array_like=True, tag=True):
    """The next page begins after `after` (the number or id of an entry)."""

    list_name: str
    after: int | str


class WatchToken(Struct, frozen=True, array_like=True, tag=True):
    """A watch goes on after `position` of the journal `incarnation`."""

    watch_name: str
    incarnation: str
    position: int


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[PageToken | WatchToken]] = msgspec.msgpack.Decoder(
    PageToken | WatchToken
)


class Sealer:
    """Seals and opens tokens under one key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, token: PageToken | WatchToken) -> str:
        """Returns the token as text."""
        body = _ENCODER.encode(token)
        return urlsafe_b64encode(self._seal_of(body) + body).decode()

    def open_page(self, text: str, list_name: str) -> PageToken | None:
        """Returns the place in this list, None for an empty token; raises Invalid."""
        if not text:
            return None
        token = self._open(text, "page_token")
        if not isinstance(token, PageToken) or token.list_name != list_name:
            raise Invalid("page_token", "from an earlier reply to the same filter")
        return token

    def open_watch(self, text: str, watch_name: str) -> WatchToken | None:
        """Returns the place in this watch, None if there is none; raises Invalid.

        A token that cannot be opened is one of another journal (its key is gone) as far as we can
        tell, and is answered by a reset; one of another filter is a mistake of the caller.
        """
        try:
            token = self._open(text, "token")
        except Invalid:
            return None
        if not isinstance(token, WatchToken) or token.watch_name != watch_name:
            raise Invalid("token", "from an earlier watch of the same things")
        return token

    def _open(self, text: str, field: str) -> PageToken | WatchToken:
        try:
            raw = urlsafe_b64decode(text.encode("ascii")) if len(text) <= TOKEN_MAX else b""
            seal, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
            if compare_digest(seal, self._seal_of(body)):
                return _DECODER.decode(body)
        except (ValueError, msgspec.MsgspecError):
            pass
        raise Invalid(field, "as an earlier reply gave it")

    def _seal_of(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=SEAL_BYTES, key=self._secret).digest()
