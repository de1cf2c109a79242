"""ITCH messages as objects, for people: one class a type, made from the table.

>>> message = parse(bytes.fromhex(
...     "4100010000 1f1a f7b3 1c00 0000000000000102 42 00000064 4141504c20202020 005990b0"))
>>> message
AddOrder(stock_locate=1, tracking_number=0, timestamp_ns=34200685321216, reference=258, \
side='B', shares=100, stock='AAPL', price=5869744)
>>> to_text(message)
'09:30:00.685321216 AddOrder stock_locate 1, reference 258, side B, shares 100, stock AAPL, \
price 586.9744'

An object costs about a microsecond. Where there are millions of messages, use ``decode.py``.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any, ClassVar, Final

from phase5_protocol.itch.fields import Field, Kind, Layout
from phase5_protocol.itch.layouts import LAYOUTS

_NS_PER_S: Final = 1_000_000_000


class Message:
    """What all types have. Integers as on the wire (see ``fields.py``), text without its spaces.

    An instance is also a tuple of its fields in the order of the table.
    """

    __slots__ = ()
    layout: ClassVar[Layout]
    stock_locate: int
    tracking_number: int
    timestamp_ns: int

    @property
    def letter(self) -> str:
        """Its type."""
        return self.layout.letter


def _make_class(layout: Layout) -> Any:
    name = "".join(word.capitalize() for word in layout.name.split("_"))
    fields = namedtuple(name, [field.name for field in layout.fields])  # type: ignore[misc]
    members = {"__slots__": (), "__doc__": f"ITCH type {layout.letter}.", "layout": layout}
    return type(name, (fields, Message), members)


#: The class of each type, by letter.
CLASSES: Final[dict[str, Any]] = {letter: _make_class(one) for letter, one in LAYOUTS.items()}
_BY_BYTE: Final = {ord(letter): (LAYOUTS[letter], one) for letter, one in CLASSES.items()}


def parse(message: bytes) -> Message:
    """The object of a message, given without its length.

    Raises:
        ValueError: no such type, or not its length.
    """
    known = _BY_BYTE.get(message[0]) if message else None
    if known is None:
        raise ValueError(f"{message[:1]!r} is not the type of an ITCH message")
    layout, make = known
    if len(message) != layout.length:
        raise ValueError(
            f"{len(message)} bytes are not a message {layout.letter}, which has {layout.length}"
        )
    values = (
        value.decode("latin-1").rstrip(" ") if isinstance(value, bytes) else value
        for value in layout.unpack(message)
    )
    parsed: Message = make._make(values)
    return parsed


def to_bytes(message: Message) -> bytes:
    """The message that :func:`parse` gives the object for."""
    return message.layout.encode(**message._asdict())  # type: ignore[attr-defined]


def to_text(message: Message) -> str:
    """One line for a reader: time of day, type, fields; prices in dollars."""
    fields = message.layout.fields
    shown = [
        f"{field.name} {show_value(field, getattr(message, field.name))}"
        for field in fields
        if field.kind is not Kind.TIME and field.name != "tracking_number"
    ]
    name = type(message).__name__
    return f"{time_of_day(message.timestamp_ns)} {name} {', '.join(shown)}"


def show_value(field: Field, value: int | str) -> str:
    """A field's value in the unit that people use."""
    decimals = {Kind.PRICE4: 4, Kind.PRICE8: 8}.get(field.kind)
    if decimals is None or isinstance(value, str):
        return str(value)
    whole, part = divmod(value, 10**decimals)
    return f"{whole}.{part:0{decimals}}"


def time_of_day(nanoseconds: int) -> str:
    """Nanoseconds since midnight as hours, minutes, seconds and their fraction."""
    seconds, fraction = divmod(nanoseconds, _NS_PER_S)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{fraction:09}"
