"""One number for a trade, whichever protocol tells of it.

OUCH says it in Executed, ITCH in E, C and P, FIX 4.4 as SecondaryExecID (527): whoever has two of
them can put a fill of his own beside the trade that the market saw.
"""

from __future__ import annotations

from typing import Final

from contract.messages import Event

#: Of its 64 bits, so many are the instrument's: a listing has a number below 2**20.
INSTRUMENT_BITS: Final = 20
_EVENT_BITS: Final = 64 - INSTRUMENT_BITS


# --8<-- [start:match_number]
def match_number(event: Event) -> int:
    """A number for a trade that no other trade of the venue has: each book counts for itself.

    Below 2**64 for instruments below 2**20 and a book's first 2**44 events; for instrument 0 it is
    the number of the event. It goes on after a restart if the numbers of the events do.

    >>> from contract.messages import EventKind
    >>> match_number(Event(EventKind.TRADE, sequence=7, instrument=0))
    7
    """
    return event.instrument << _EVENT_BITS | event.sequence


# --8<-- [end:match_number]
