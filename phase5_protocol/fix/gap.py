"""Messages that came ahead of others that are still missing."""

from __future__ import annotations

from phase5_protocol.fix.message import Message


class Gap:
    """What is held back until the numbers before it have come.

    ::

        expected 4      7 arrives: hold it, ask from 4 on      4, 5, 6 arrive: 7 is next
    """

    def __init__(self, limit: int) -> None:
        """Hold at most ``limit`` messages; those beyond are let go, and asked for again later."""
        self._limit = limit
        self._held: dict[int, Message | None] = {}
        self._asked_to = 0

    @property
    def is_open(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def hold(self, number: int, message: Message | None) -> None:
        """Keep a message for its turn; None for one that only counts, having been dealt with."""
        if len(self._held) < self._limit or number in self._held:
            self._held.setdefault(number, message)

    def should_ask(self, expected: int, number: int) -> bool:
        """Whether to send a ResendRequest because ``number`` came instead of ``expected``.

        Not while one is under way that covers the numbers that are missing.
        """
        if expected <= self._asked_to:
            return False
        self._asked_to = number - 1
        return True

    def is_next(self, expected: int) -> bool:
        """Whether the message of that number is here; what is before it is let go."""
        for number in [each for each in self._held if each < expected]:
            del self._held[number]
        return expected in self._held

    def take(self, number: int) -> Message | None:
        """Hand out a message that :meth:`is_next`."""
        return self._held.pop(number)

    def clear(self) -> None:
        """Forget all of it."""
        self._held.clear()
        self._asked_to = 0
