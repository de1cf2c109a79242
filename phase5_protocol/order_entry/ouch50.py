"""Nasdaq OUCH 5.0: the messages.

Names for orders are numbers here (``user_ref_num``), prices have four implied decimals, quantities
count shares, timestamps nanoseconds since midnight. Optional values go into the appendage.
Four inbound messages of later documents (C, D, E, Q: mass cancel, closing and opening of order
entry, account query) are not here: nobody of this project has seen their layouts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from phase5_protocol.order_entry.ouch import (
    U16,
    U32,
    U64,
    Appendage,
    Char,
    Character,
    Codec,
    Kind,
    Number,
    Text,
    Text8,
    Text14,
)


class Tag(IntEnum):
    """Tags of the appendage."""

    SECONDARY_ORDER_REFERENCE = 1
    FIRM = 2
    MIN_QUANTITY = 3
    CUSTOMER_TYPE = 4
    MAX_FLOOR = 5
    PRICE_TYPE = 6
    PEG_OFFSET = 7
    DISCRETION_PRICE = 9
    DISCRETION_PEG_TYPE = 10
    DISCRETION_PEG_OFFSET = 11
    POST_ONLY = 12
    RANDOM_RESERVES = 13
    ROUTE = 14
    EXPIRE_TIME = 15
    TRADE_NOW = 16
    HANDLE_INSTRUCTION = 17
    BBO_WEIGHT = 18
    REFERENCE_PRICE = 19
    REFERENCE_PRICE_TYPE = 20
    DISPLAY_QUANTITY = 22
    DISPLAY_PRICE = 23


TAG_KINDS: Final[dict[int, Kind]] = {
    Tag.SECONDARY_ORDER_REFERENCE: Number(8),
    Tag.FIRM: Text(4),
    Tag.MIN_QUANTITY: Number(4),
    Tag.CUSTOMER_TYPE: Character(),
    Tag.MAX_FLOOR: Number(4),
    Tag.PRICE_TYPE: Character(),
    Tag.PEG_OFFSET: Number(4),
    Tag.DISCRETION_PRICE: Number(8),
    Tag.DISCRETION_PEG_TYPE: Character(),
    Tag.DISCRETION_PEG_OFFSET: Number(4),
    Tag.POST_ONLY: Character(),
    Tag.RANDOM_RESERVES: Number(4),
    Tag.ROUTE: Text(4),
    Tag.EXPIRE_TIME: Number(4),
    Tag.TRADE_NOW: Character(),
    Tag.HANDLE_INSTRUCTION: Character(),
    Tag.BBO_WEIGHT: Character(),
    Tag.REFERENCE_PRICE: Number(8),
    Tag.REFERENCE_PRICE_TYPE: Character(),
    Tag.DISPLAY_QUANTITY: Number(4),
    Tag.DISPLAY_PRICE: Number(8),
}


class RejectReason(IntEnum):
    """Why an order or a replacement was rejected."""

    QUOTE_UNAVAILABLE = 0x0001
    DESTINATION_CLOSED = 0x0002
    INVALID_DISPLAY = 0x0003
    INVALID_MAX_FLOOR = 0x0004
    INVALID_PEG_TYPE = 0x0005
    FAT_FINGER = 0x0006
    HALTED = 0x0007
    ISO_NOT_ALLOWED = 0x0008
    INVALID_SIDE = 0x0009
    PROCESSING_ERROR = 0x000A
    CANCEL_PENDING = 0x000B
    FIRM_NOT_AUTHORIZED = 0x000C
    INVALID_MIN_QUANTITY = 0x000D
    NO_CLOSING_REFERENCE_PRICE = 0x000E
    OTHER = 0x000F
    CANCEL_NOT_ALLOWED = 0x0010
    PEGGING_NOT_ALLOWED = 0x0011
    CROSSED_MARKET = 0x0012
    INVALID_QUANTITY = 0x0013
    INVALID_CROSS_ORDER = 0x0014
    REPLACE_NOT_ALLOWED = 0x0015
    ROUTING_NOT_ALLOWED = 0x0016
    INVALID_SYMBOL = 0x0017
    TEST = 0x0018
    LATE_LOC_TOO_AGGRESSIVE = 0x0019
    RETAIL_NOT_ALLOWED = 0x001A
    INVALID_MIDPOINT_POST_ONLY_PRICE = 0x001B
    INVALID_DESTINATION = 0x001C
    INVALID_PRICE = 0x001D
    SHARES_EXCEED_THRESHOLD = 0x001E
    NOTIONAL_EXCEEDS_THRESHOLD = 0x001F


# --8<-- [start:enter]
@dataclass(frozen=True, slots=True)
class EnterOrder:
    """O: a new order."""

    user_ref_num: U32
    side: Char
    quantity: U32
    symbol: Text8
    price: U64
    time_in_force: Char
    display: Char
    capacity: Char
    intermarket_sweep: Char
    cross_type: Char
    client_order_id: Text14
    appendage: Appendage = ()


# --8<-- [end:enter]


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """U: another price or size, under a new number; ``quantity`` counts what has traded, too."""

    original_ref_num: U32
    user_ref_num: U32
    quantity: U32
    price: U64
    time_in_force: Char
    display: Char
    intermarket_sweep: Char
    client_order_id: Text14
    appendage: Appendage = ()


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """X: reduce an order to a new total, what has traded included; 0 cancels it."""

    user_ref_num: U32
    quantity: U32


@dataclass(frozen=True, slots=True)
class ModifyOrder:
    """M: another kind of sale, or a smaller total, without losing the place in the queue."""

    user_ref_num: U32
    side: Char
    quantity: U32


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """S: S for the start of the day, E for its end."""

    timestamp: U64
    event: Char


@dataclass(frozen=True, slots=True)
class Accepted:
    """A: the order as the venue has it, with the venue's own number."""

    timestamp: U64
    user_ref_num: U32
    side: Char
    quantity: U32
    symbol: Text8
    price: U64
    time_in_force: Char
    display: Char
    order_reference: U64
    capacity: Char
    intermarket_sweep: Char
    cross_type: Char
    state: Char
    client_order_id: Text14
    appendage: Appendage = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """U: the order under its new number; ``quantity`` is what is open now."""

    timestamp: U64
    original_ref_num: U32
    user_ref_num: U32
    side: Char
    quantity: U32
    symbol: Text8
    price: U64
    time_in_force: Char
    display: Char
    order_reference: U64
    capacity: Char
    intermarket_sweep: Char
    cross_type: Char
    state: Char
    client_order_id: Text14
    appendage: Appendage = ()


@dataclass(frozen=True, slots=True)
class Canceled:
    """C: the open quantity is smaller by ``decrement``."""

    timestamp: U64
    user_ref_num: U32
    decrement: U32
    reason: Char


@dataclass(frozen=True, slots=True)
class AiqCanceled:
    """D: cancelled so as not to trade with oneself."""

    timestamp: U64
    user_ref_num: U32
    decrement: U32
    reason: Char
    quantity_prevented: U32
    execution_price: U64
    liquidity_flag: Char


@dataclass(frozen=True, slots=True)
class Executed:
    """E: a trade; both sides are told the same match number."""

    timestamp: U64
    user_ref_num: U32
    quantity: U32
    price: U64
    liquidity_flag: Char
    match_number: U64
    appendage: Appendage = ()


@dataclass(frozen=True, slots=True)
class BrokenTrade:
    """B: a trade that no longer counts."""

    timestamp: U64
    user_ref_num: U32
    match_number: U64
    reason: Char
    client_order_id: Text14


@dataclass(frozen=True, slots=True)
class TradeCorrection:
    """F: a trade with another price or size than was said."""

    timestamp: U64
    user_ref_num: U32
    quantity: U32
    price: U64
    liquidity_flag: Char
    match_number: U64
    reason: Char
    client_order_id: Text14


@dataclass(frozen=True, slots=True)
class Rejected:
    """J: an order or a replacement that did not happen."""

    timestamp: U64
    user_ref_num: U32
    reason: U16
    client_order_id: Text14


@dataclass(frozen=True, slots=True)
class CancelPending:
    """P: the cancel will be done later."""

    timestamp: U64
    user_ref_num: U32


@dataclass(frozen=True, slots=True)
class CancelReject:
    """I: the cancel will not be done."""

    timestamp: U64
    user_ref_num: U32


@dataclass(frozen=True, slots=True)
class PriorityUpdate:
    """T: the order has another place in the queue."""

    timestamp: U64
    user_ref_num: U32
    price: U64
    display: Char
    order_reference: U64


@dataclass(frozen=True, slots=True)
class Modified:
    """M: the order as a modify left it; ``quantity`` is what is open now."""

    timestamp: U64
    user_ref_num: U32
    side: Char
    quantity: U32


@dataclass(frozen=True, slots=True)
class Restated:
    """R: what is displayed of the order has changed."""

    timestamp: U64
    user_ref_num: U32
    reason: Char
    appendage: Appendage = ()


@dataclass(frozen=True, slots=True)
class AccountQueryResponse:
    """Q: the first number that was not used yet."""

    timestamp: U64
    next_user_ref_num: U32


Inbound = EnterOrder | ReplaceOrder | CancelOrder | ModifyOrder
Outbound = (
    SystemEvent
    | Accepted
    | Replaced
    | Canceled
    | AiqCanceled
    | Executed
    | BrokenTrade
    | TradeCorrection
    | Rejected
    | CancelPending
    | CancelReject
    | PriorityUpdate
    | Modified
    | Restated
    | AccountQueryResponse
)

CODEC: Final[Codec[Inbound, Outbound]] = Codec(
    "OUCH 5.0",
    {"O": EnterOrder, "U": ReplaceOrder, "X": CancelOrder, "M": ModifyOrder},
    {
        "S": SystemEvent,
        "A": Accepted,
        "U": Replaced,
        "C": Canceled,
        "D": AiqCanceled,
        "E": Executed,
        "B": BrokenTrade,
        "F": TradeCorrection,
        "J": Rejected,
        "P": CancelPending,
        "I": CancelReject,
        "T": PriorityUpdate,
        "M": Modified,
        "R": Restated,
        "Q": AccountQueryResponse,
    },
    TAG_KINDS,
)
