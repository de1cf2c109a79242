"""The sending half of a session: numbers, header, memory, and sending again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import SECOND_NS, Clock, format_timestamp, parse_timestamp
from phase5_protocol.fix.message import HEADER_TAGS, Message, decode, encode, type_of
from phase5_protocol.fix.store import MAX_PAYLOAD, SessionStore

#: Messages of the session itself. They are never sent twice: a heartbeat of yesterday says nothing.
ADMIN: Final = frozenset("012345A")

#: Header fields that are the session's to fill in; an application's are overwritten.
_OWNED: Final = (34, 43, 49, 52, 56, 122)


class Outbox:
    """Makes bytes of messages, in such a way that they can be sent again."""

    def __init__(self, config: SessionConfig, store: SessionStore, clock: Clock) -> None:
        """Number from where the store is."""
        self._config = config
        self._store = store
        self._clock = clock

    # --8<-- [start:post]
    def post(self, message: Message) -> bytes:
        """The bytes of the next message, which are stored already.

        Raises:
            ValueError: a field cannot be sent; no number is used up.
            StoreError: it could not be stored, and must not be sent.
        """
        data = self._encode(message, self._store.next_out)
        self._store.save_sent(data)
        return data

    # --8<-- [end:post]

    # --8<-- [start:resend]
    def resend(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Those from first to last again: pairs of the last number that a message covers, and it.

        Application messages are sent with PossDupFlag and the time at which they were first sent.
        Where there is none (the session's own, numbers without a message, orders gone stale), one
        gap fill goes for all of them that follow each other.
        """
        start_of_gap = first
        for number, data in self._store.sent(first, last):
            # A client can make us send heartbeats by the million: they cost no more than this.
            if type_of(data) in ADMIN:
                continue
            # An answer repeats what it answers, so that it may be longer than what we would read.
            original = decode(data, MAX_PAYLOAD)
            if self._is_stale(original):
                continue
            if start_of_gap < number:
                yield number - 1, self._gap_fill(start_of_gap, number)
            start_of_gap = number + 1
            sent = original.get(52) or ""
            yield number, self._encode(original, number, [(43, "Y"), (122, sent)])
        if start_of_gap <= last:
            yield last, self._gap_fill(start_of_gap, last + 1)

    # --8<-- [end:resend]

    def _gap_fill(self, number: int, next_number: int) -> bytes:
        fields = [(36, str(next_number)), (123, "Y")]
        now = format_timestamp(self._clock.wall_ns())
        return self._encode(Message("4", fields), number, [(43, "Y"), (122, now)])

    def _is_stale(self, message: Message) -> bool:
        """Whether it is better not sent at all than sent now."""
        if message.msg_type not in self._config.stale_types:
            return False
        sent = parse_timestamp(message.get(52) or "")
        age_ns = self._clock.wall_ns() - sent if sent is not None else 0
        return age_ns > self._config.stale_after_s * SECOND_NS

    def _encode(
        self, message: Message, number: int, marks: list[tuple[int, str]] | None = None
    ) -> bytes:
        """Header in order of tags, then the fields of the body as they are."""
        header = [field for field in message.fields if field[0] in HEADER_TAGS - set(_OWNED)]
        header += marks or []
        header += [
            (34, str(number)),
            (49, self._config.sender_comp_id),
            (52, format_timestamp(self._clock.wall_ns())),
            (56, self._config.target_comp_id),
        ]
        header.sort(key=lambda field: field[0])
        body = [field for field in message.fields if field[0] not in HEADER_TAGS]
        return encode(Message(message.msg_type, header + body, self._config.begin_string))
