"""Nasdaq OUCH 4.2: the messages.

An order's name is a token of up to 14 characters; prices are 4 bytes with four implied decimals;
the time in force is a number of seconds (0 immediate or cancel, 99998 market hours, 99999 the
venue's hours). There is no appendage: what 5.0 makes optional has its fixed place here.

The gateway of this project speaks 5.0; this is here because other people's tools (Wireshark among
them) know 4.x, and because two versions side by side show what a protocol's age does to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phase5_protocol.order_entry.ouch import U32, U64, Char, Codec, Text4, Text8, Text14


@dataclass(frozen=True, slots=True)
class EnterOrder:
    """O: a new order."""

    token: Text14
    side: Char
    quantity: U32
    symbol: Text8
    price: U32
    time_in_force: U32
    firm: Text4
    display: Char
    capacity: Char
    intermarket_sweep: Char
    min_quantity: U32
    cross_type: Char
    customer_type: Char


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """U: another price or size, under a new token."""

    existing_token: Text14
    token: Text14
    quantity: U32
    price: U32
    time_in_force: U32
    display: Char
    intermarket_sweep: Char
    min_quantity: U32


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """X: reduce an order to a new total; 0 cancels it."""

    token: Text14
    quantity: U32


@dataclass(frozen=True, slots=True)
class ModifyOrder:
    """M: another kind of sale, or a smaller total."""

    token: Text14
    side: Char
    quantity: U32


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """S: S for the start of the day, E for its end."""

    timestamp: U64
    event: Char


@dataclass(frozen=True, slots=True)
class Accepted:
    """A: the order as the venue has it."""

    timestamp: U64
    token: Text14
    side: Char
    quantity: U32
    symbol: Text8
    price: U32
    time_in_force: U32
    firm: Text4
    display: Char
    order_reference: U64
    capacity: Char
    intermarket_sweep: Char
    min_quantity: U32
    cross_type: Char
    state: Char
    bbo_weight: Char


@dataclass(frozen=True, slots=True)
class Replaced:
    """U: the order under its new token."""

    timestamp: U64
    token: Text14
    side: Char
    quantity: U32
    symbol: Text8
    price: U32
    time_in_force: U32
    firm: Text4
    display: Char
    order_reference: U64
    capacity: Char
    intermarket_sweep: Char
    min_quantity: U32
    cross_type: Char
    state: Char
    previous_token: Text14
    bbo_weight: Char


@dataclass(frozen=True, slots=True)
class Canceled:
    """C: the open quantity is smaller by ``decrement``."""

    timestamp: U64
    token: Text14
    decrement: U32
    reason: Char


@dataclass(frozen=True, slots=True)
class AiqCanceled:
    """D: cancelled so as not to trade with oneself."""

    timestamp: U64
    token: Text14
    decrement: U32
    reason: Char
    quantity_prevented: U32
    execution_price: U32
    liquidity_flag: Char


@dataclass(frozen=True, slots=True)
class Executed:
    """E: a trade."""

    timestamp: U64
    token: Text14
    quantity: U32
    price: U32
    liquidity_flag: Char
    match_number: U64


@dataclass(frozen=True, slots=True)
class ExecutedWithReference:
    """G: a trade whose price follows from a reference price."""

    timestamp: U64
    token: Text14
    quantity: U32
    price: U32
    liquidity_flag: Char
    match_number: U64
    reference_price: U32
    reference_price_type: Char


@dataclass(frozen=True, slots=True)
class BrokenTrade:
    """B: a trade that no longer counts."""

    timestamp: U64
    token: Text14
    match_number: U64
    reason: Char


@dataclass(frozen=True, slots=True)
class TradeCorrection:
    """F: a trade with another price or size than was said."""

    timestamp: U64
    token: Text14
    quantity: U32
    price: U32
    liquidity_flag: Char
    match_number: U64
    reason: Char


@dataclass(frozen=True, slots=True)
class Rejected:
    """J: an order that did not happen."""

    timestamp: U64
    token: Text14
    reason: Char


@dataclass(frozen=True, slots=True)
class CancelPending:
    """P: the cancel will be done later."""

    timestamp: U64
    token: Text14


@dataclass(frozen=True, slots=True)
class CancelReject:
    """I: the cancel will not be done."""

    timestamp: U64
    token: Text14


@dataclass(frozen=True, slots=True)
class PriorityUpdate:
    """T: the order has another place in the queue."""

    timestamp: U64
    token: Text14
    price: U32
    display: Char
    order_reference: U64


@dataclass(frozen=True, slots=True)
class Modified:
    """M: the order as a modify left it."""

    timestamp: U64
    token: Text14
    side: Char
    quantity: U32


Inbound = EnterOrder | ReplaceOrder | CancelOrder | ModifyOrder
Outbound = (
    SystemEvent
    | Accepted
    | Replaced
    | Canceled
    | AiqCanceled
    | Executed
    | ExecutedWithReference
    | BrokenTrade
    | TradeCorrection
    | Rejected
    | CancelPending
    | CancelReject
    | PriorityUpdate
    | Modified
)

CODEC: Final[Codec[Inbound, Outbound]] = Codec(
    "OUCH 4.2",
    {"O": EnterOrder, "U": ReplaceOrder, "X": CancelOrder, "M": ModifyOrder},
    {
        "S": SystemEvent,
        "A": Accepted,
        "U": Replaced,
        "C": Canceled,
        "D": AiqCanceled,
        "E": Executed,
        "G": ExecutedWithReference,
        "B": BrokenTrade,
        "F": TradeCorrection,
        "J": Rejected,
        "P": CancelPending,
        "I": CancelReject,
        "T": PriorityUpdate,
        "M": Modified,
    },
)
