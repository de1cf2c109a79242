"""FIX on the wire: from bytes to messages and back, and no message from bytes that are none.

A message is fields ``tag=value``, each ended by SOH (byte 1). Its frame is fixed, the rest is not::

    8=FIX.4.4 | 9=LENGTH | 35=TYPE | ... | 10=SUM |
    '-- must be these three, in order --'   '-- three digits: sum of all bytes before, mod 256
              LENGTH counts the bytes from 35= up to the SOH before 10=

    valid if and only if  the first three fields are 8, 9 and 35,
                          "10=" stands where LENGTH says, and SUM is right,
                          every field is a number, "=", and bytes without SOH
                          (a DATA field has as many bytes as the field before it says, SOH or not).

What is not valid is *garbled*: it is dropped, counted under its :class:`Garbled` reason, and never
answered, because none of its fields can be believed, its sequence number least of all. To find
the next message, a frame whose length is wrong ends at the first CheckSum behind the length that
it claims: a length that is too long costs the message behind it as well, which the gap in the
sequence numbers brings back. Where there is no frame, the next ``8=FIX`` starts one.

simplefix builds our messages, and says which fields are DATA. Its parser is not used: it takes
``10=`` for the end whatever BodyLength and CheckSum say, reads ``1_0`` and `` 10`` as tags, and
raises on what is no number. Text is ISO 8859-1, in which every byte is a character, so that nothing
is lost on the way through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from simplefix import FixMessage
from simplefix.data import RAW_DATA

from phase5_protocol.fix.reasons import Garbled

SOH: Final = b"\x01"
ENCODING: Final = "latin-1"

#: The longest message taken, in bytes, and the most fields in one.
MAX_MESSAGE: Final = 1 << 16
MAX_FIELDS: Final = 2048

#: The field that holds the length of a DATA field, and that DATA field, up to FIX 4.4. (Of those
#: that came later, one has itself for its length in simplefix's table.)
DATA_FIELDS: Final[dict[int, int]] = {
    int(length): int(data) for length, data in RAW_DATA if int(data) <= 956
}

_START: Final = b"8=FIX"
_SUM: Final = b"\x0110="
#: The fields of the frame, which a Message has not among its own.
FRAME_TAGS: Final = (8, 9, 35, 10)

#: The fields of the standard header of both versions, beside the frame's.
HEADER_TAGS: Final = frozenset(
    {34, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143, 144, 145}
    | {212, 213, 347, 369, 370, 627, 628, 629, 630}
)
_MAX_BEGIN_STRING: Final = 16
_MAX_LENGTH_DIGITS: Final = 7
_FIELD: Final = re.compile(rb"(-?(?:0|[1-9][0-9]{0,8}))=([^\x01]*)\x01")
_CHECKSUM: Final = re.compile(rb"[0-9]{3}\x01")


class Message:
    """A message: its type, and its fields in the order in which they stand on the wire.

    ``fields`` has all but 8, 9, 35 and 10. It is a plain list of (tag, value), in which a tag may
    stand more than once (a repeating group); changing it changes the message.

    >>> order = Message("D", [(11, "a1"), (55, "IBM")])
    >>> order.get(55), order.get(54)
    ('IBM', None)
    """

    __slots__ = ("begin_string", "fields", "msg_type")

    def __init__(
        self, msg_type: str, fields: Iterable[tuple[int, str]] = (), begin_string: str = ""
    ) -> None:
        """Make a message; a session fills in the header (34, 49, 52, 56) when it sends it."""
        self.msg_type = msg_type
        self.fields = list(fields)
        self.begin_string = begin_string

    def get(self, tag: int) -> str | None:
        """The value of the first field of that tag, or None. O(fields)."""
        for each, value in self.fields:
            if each == tag:
                return value
        return None

    def get_all(self, tag: int) -> list[str]:
        """The values of every field of that tag, in order."""
        return [value for each, value in self.fields if each == tag]

    def set(self, tag: int, value: str) -> None:
        """Give the first field of that tag another value, or append the field."""
        for index, (each, _) in enumerate(self.fields):
            if each == tag:
                self.fields[index] = (tag, value)
                return
        self.fields.append((tag, value))

    def without(self, tags: Iterable[int]) -> Message:
        """A copy that lacks the fields of these tags."""
        left_out = frozenset(tags)
        kept = [field for field in self.fields if field[0] not in left_out]
        return Message(self.msg_type, kept, self.begin_string)

    def __contains__(self, tag: object) -> bool:
        return any(each == tag for each, _ in self.fields)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return iter(self.fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.begin_string, self.msg_type, self.fields) == (
            other.begin_string,
            other.msg_type,
            other.fields,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = "|".join(f"{tag}={value}" for tag, value in self.fields)
        return f"<Message {self.begin_string} 35={self.msg_type}|{fields}>"


def encode(message: Message) -> bytes:
    """The bytes of a message; BodyLength and CheckSum are computed.

    Raises:
        ValueError: a field that would not come back as it is: no positive tag, one of the frame's
            own, an empty value, or one with SOH that is no DATA field of the length said before it.
    """
    if not message.begin_string or not message.msg_type:
        raise ValueError(f"no BeginString or no MsgType in {message!r}")
    frame = FixMessage()
    frame.append_pair(8, message.begin_string.encode(ENCODING))
    frame.append_pair(35, message.msg_type.encode(ENCODING))
    data_tag, data_length = 0, ""
    for tag, value in message.fields:
        raw = value.encode(ENCODING)
        if tag <= 0 or tag in FRAME_TAGS or not raw:
            raise ValueError(f"{tag}={value!r} cannot stand in {message!r}")
        if tag == data_tag:
            if data_length != str(len(raw)):
                raise ValueError(f"{tag} has {len(raw)} bytes, not {data_length}, in {message!r}")
        elif SOH in raw:
            raise ValueError(f"{tag}={value!r} has SOH and is no DATA field, in {message!r}")
        data_tag, data_length = DATA_FIELDS.get(tag, 0), value
        frame.append_pair(tag, raw)
    return bytes(frame.encode())


def decode(data: bytes, max_message: int = MAX_MESSAGE) -> Message:
    """The one message that these bytes are.

    Raises:
        ValueError: they are none, or not exactly one; the message says why.
    """
    reader = MessageReader(max_message)
    messages = list(reader.feed(data))
    reader.close()
    if len(messages) != 1 or reader.garbled:
        reasons = ", ".join(reason.value for reason in reader.garbled)
        raise ValueError(f"{len(messages)} messages in {data!r}: {reasons or 'not one'}")
    return messages[0]


def type_of(data: bytes) -> str:
    """MsgType of a message that :func:`encode` made, without taking the rest apart."""
    return data.split(SOH, 3)[2][len(b"35=") :].decode(ENCODING)


class MessageReader:
    """Messages out of a stream of bytes that is cut anywhere and may hold anything.

    What comes out depends on the bytes alone, not on how they were cut. Nothing is raised. It
    keeps at most ``max_message`` bytes beside those being fed.

    Attributes:
        garbled: how often each :class:`Garbled` reason occurred.
        garbled_bytes: bytes that were in no message.
        message_count: messages found.
    """

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        """Start with nothing; ``max_message`` is the limit of BodyLength, in bytes."""
        self.garbled: Counter[Garbled] = Counter()
        self.garbled_bytes = 0
        self.message_count = 0
        self._max_message = max_message
        self._buffer = bytearray()
        #: From where to where in the buffer no CheckSum begins, as far as that was looked at.
        self._without_sum = (0, 0)
        #: Whether what is being skipped has been counted.
        self._is_counted = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes; the messages that they complete come out of the iterator. O(bytes).

        Those that were not asked for when the iterator is dropped come out of the next feed's.
        """
        self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[Message]:
        while True:
            step = self._step()
            if step is None:
                return
            if isinstance(step, Message):
                self.message_count += 1
                yield step

    def close(self) -> None:
        """The stream has ended: what is left of a message is garbled."""
        if self._buffer and not self._is_counted:
            self.garbled[Garbled.CUT_OFF] += 1
        self.garbled_bytes += len(self._buffer)
        self._take_off(len(self._buffer))
        self._is_counted = False

    # --8<-- [start:frame]
    def _step(self) -> Message | Garbled | None:
        """One message, or one piece of garbage, off the front; None: more bytes are needed."""
        buffer = self._buffer
        if not buffer.startswith(_START):
            return self._skip_to_start()
        end_of_begin = buffer.find(SOH, 2, 3 + _MAX_BEGIN_STRING)
        if end_of_begin < 0:
            return self._need(3 + _MAX_BEGIN_STRING, Garbled.BAD_BEGIN_STRING)
        at = end_of_begin + 1
        end_of_length = buffer.find(SOH, at, at + 3 + _MAX_LENGTH_DIGITS)
        if end_of_length < 0:
            return self._need(at + 3 + _MAX_LENGTH_DIGITS, Garbled.BAD_BODY_LENGTH)
        digits = buffer[at + 2 : end_of_length]
        if buffer[at : at + 2] != b"9=" or not digits.isdigit() or int(digits) > self._max_message:
            return self._drop(1, Garbled.BAD_BODY_LENGTH)
        start = end_of_length + 1
        end = start + int(digits)
        last = self._find_sum(end - 1, end + self._max_message)
        if last < 0:
            return self._need(end + self._max_message, Garbled.WRONG_BODY_LENGTH)
        value = last + 4
        if len(buffer) < value + 4:
            return None
        if last != end - 1:
            return self._drop(self._end_of_sum(value), Garbled.WRONG_BODY_LENGTH)
        digits = buffer[value : value + 4]
        if not _CHECKSUM.fullmatch(digits) or int(digits[:3]) != sum(buffer[:end]) % 256:
            return self._drop(self._end_of_sum(value), Garbled.WRONG_CHECKSUM)
        result = _split(bytes(buffer[start:end]), buffer[2:end_of_begin].decode(ENCODING))
        if isinstance(result, Garbled):
            return self._drop(value + 4, result)
        self._take_off(value + 4)
        self._is_counted = False
        return result

    # --8<-- [end:frame]

    def _find_sum(self, start: int, end: int) -> int:
        """The first CheckSum from ``start`` that ends before ``end``; below 0: none is there yet.

        Bytes without one are not searched again for the next start, which may be a few bytes on:
        a stream of nothing but starts would take a look at a whole message for each.
        """
        low, high = self._without_sum
        buffer = self._buffer
        if start < low:
            found = buffer.find(_SUM, start, min(end, low + len(_SUM) - 1))
            if found >= 0 or end <= low:
                return found
            low = start
        elif start > high:
            low = high = start
        found = buffer.find(_SUM, max(start, high), end)
        if found >= 0:
            return found
        self._without_sum = low, max(high, min(end, len(buffer)) - len(_SUM) + 1)
        return -1

    def _take_off(self, count: int) -> None:
        """Delete bytes from the front of the buffer."""
        del self._buffer[:count]
        low, high = self._without_sum
        self._without_sum = max(low - count, 0), max(high - count, 0)

    def _end_of_sum(self, value: int) -> int:
        """The end of a CheckSum that starts there: behind its SOH, or before what cannot be it."""
        end = self._buffer.find(SOH, value, value + 4)
        return end + 1 if end >= 0 else value

    def _need(self, size: int, reason: Garbled) -> Garbled | None:
        """Wait for more bytes, unless there are so many that more would not help."""
        return self._drop(1, reason) if len(self._buffer) >= size else None

    def _drop(self, count: int, reason: Garbled) -> Garbled:
        """Take that many bytes off the front, and count why.

        Where it is the first byte alone, what follows is skipped without being counted again.
        """
        self.garbled[reason] += 1
        self.garbled_bytes += count
        self._take_off(count)
        self._is_counted = count == 1
        return reason

    def _skip_to_start(self) -> Garbled | None:
        """Drop what stands before the next ``8=FIX``, but for what may be the head of one."""
        buffer = self._buffer
        start = buffer.find(_START)
        if start < 0:
            kept = min(len(_START) - 1, len(buffer))
            while not _START.startswith(buffer[len(buffer) - kept :]):
                kept -= 1
            start = len(buffer) - kept
        if not start:
            return None
        if not self._is_counted:
            self.garbled[Garbled.NO_BEGIN_STRING] += 1
        self._is_counted = True
        self.garbled_bytes += start
        self._take_off(start)
        return Garbled.NO_BEGIN_STRING


def _split(body: bytes, begin_string: str) -> Message | Garbled:
    """The message between BodyLength and CheckSum."""
    fields: list[tuple[int, str]] = []
    at = 0
    while at < len(body):
        field = _FIELD.match(body, at)
        if field is None:
            return Garbled.BAD_FIELD
        tag = int(field[1])
        at = field.end()
        fields.append((tag, field[2].decode(ENCODING)))
        if tag in DATA_FIELDS and field[2].isdigit() and len(field[2]) <= _MAX_LENGTH_DIGITS:
            head = b"%d=" % DATA_FIELDS[tag]
            if body.startswith(head, at):
                start = at + len(head)
                at = start + int(field[2]) + 1
                if body[at - 1 : at] != SOH:
                    return Garbled.BAD_FIELD
                fields.append((DATA_FIELDS[tag], body[start : at - 1].decode(ENCODING)))
        if len(fields) > MAX_FIELDS:
            return Garbled.TOO_MANY_FIELDS
    if not fields or fields[0][0] != 35 or not fields[0][1]:
        return Garbled.NO_MSG_TYPE
    return Message(fields[0][1], fields[1:], begin_string)
