"""What a session has said so far: the numbered messages that a reconnecting client is given again.

Numbers start at 1 and have no gaps. The store outlives connections: messages are put here whether
or not anybody is connected, and a connection is only a cursor into it. Memory is bounded: beyond
its limits the store forgets from the front, and a client that asks for a forgotten message is
refused by name instead of being given a stream with a hole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contract.errors import ConfigurationError

#: A day of a busy port: half a million OUCH messages of some 70 bytes, and what Python adds.
DEFAULT_STORE_MESSAGES: Final = 2**19
DEFAULT_STORE_BYTES: Final = 2**26
#: The 10 characters that a SoupBinTCP login has for the name of a session.
SESSION_CHARACTERS: Final = 10


class MessageStore:
    """The sequenced messages of one session, kept for replay.

    >>> store = MessageStore("DAY1", max_messages=2)
    >>> [store.append(text) for text in (b"one", b"two", b"three")]
    [1, 2, 3]
    >>> store.first_number, store.next_number
    (2, 4)
    >>> store[3]
    b'three'
    """

    def __init__(
        self,
        session: str,
        *,
        max_messages: int = DEFAULT_STORE_MESSAGES,
        max_bytes: int = DEFAULT_STORE_BYTES,
    ) -> None:
        """Start empty.

        Args:
            session: the name by which clients ask for it: 1 to 10 ASCII letters and digits.
            max_messages: how many are kept.
            max_bytes: how many bytes of them are kept.

        Raises:
            ConfigurationError: the name or a limit makes no sense.
        """
        if not (session.isascii() and session.isalnum() and len(session) <= SESSION_CHARACTERS):
            raise ConfigurationError(
                f"session {session!r} is not 1 to {SESSION_CHARACTERS} letters and digits"
            )
        if max_messages < 1 or max_bytes < 1:
            raise ConfigurationError(
                f"a store of {max_messages} messages and {max_bytes} bytes keeps nothing"
            )
        self.session = session
        #: Hears of each message as it is put in; whoever writes to a socket sets a mark here.
        self.on_append: Callable[[], None] | None = None
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: list[bytes] = []
        #: Number of ``_messages[0]``; of those, the first ``_forgotten`` are gone already.
        self._base = 1
        self._forgotten = 0
        self._kept_bytes = 0
        #: Bytes ever appended: the difference of two readings is the backlog between them.
        self.total_bytes = 0

    @property
    def next_number(self) -> int:
        """The number that the next message will have."""
        return self._base + len(self._messages)

    @property
    def first_number(self) -> int:
        """The oldest number still kept; ``next_number`` where nothing is."""
        return self._base + self._forgotten

    def append(self, message: bytes) -> int:
        """Keep a message and return its number. Amortised O(1)."""
        number = self.next_number
        self._messages.append(message)
        self._kept_bytes += len(message)
        self.total_bytes += len(message)
        while self._kept_bytes > self._max_bytes or self.kept > self._max_messages:
            self._forget_first()
        if self.on_append is not None:
            self.on_append()
        return number

    def __getitem__(self, number: int) -> bytes:
        """The message of that number.

        Raises:
            IndexError: it is not kept any more, or not there yet.
        """
        if not self.first_number <= number < self.next_number:
            raise IndexError(
                f"message {number} is not in {self.first_number} to {self.next_number - 1}"
            )
        return self._messages[number - self._base]

    @property
    def kept(self) -> int:
        """How many messages are kept. (Not ``len``: an empty store is no false one.)"""
        return len(self._messages) - self._forgotten

    def _forget_first(self) -> None:
        """Forget the oldest; the list is shortened only when half of it is gone."""
        self._kept_bytes -= len(self._messages[self._forgotten])
        self._messages[self._forgotten] = b""
        self._forgotten += 1
        if self._forgotten * 2 > len(self._messages):
            del self._messages[: self._forgotten]
            self._base += self._forgotten
            self._forgotten = 0
