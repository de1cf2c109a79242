"""What a client asks for: NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest, decoded.

Everything is held against what this venue offers before an order exists, and a field that would
change what an order means (a stop price, a minimum quantity) is refused and never ignored. The
mapping to the book's words:

=================  ==============================================================================
OrdType (40)       1 market, 2 limit
TimeInForce (59)   0 Day (default) and 1 GTC rest; 3 IOC; 4 FOK. A market order cannot rest:
                   Day means IOC for it
ExecInst (18)      6, participate don't initiate: POST_ONLY
HandlInst (21)     1 or 2; nobody here handles an order by hand (3)
Side (54)          1 buy, 2 sell
SelfTradeType      7928, our own field: what becomes of a trade with oneself: N cancels the newest
                   order, O the oldest, B both; without it, what the session is set to
=================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from contract.messages import Command, CommandKind, Flag, OrderType, SelfTrade, Side, TimeInForce
from phase5_protocol.fix.application import FieldReject
from phase5_protocol.fix.decimals import GridError, NumberError, to_lots, to_shares, to_ticks
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.reasons import SessionRejectReason
from phase5_protocol.fix.refusals import Refused, Why, missing
from phase5_protocol.fix.tags import Tag
from phase5_protocol.listing import Listing

#: The longest ClOrdID taken, in characters.
MAX_CL_ORD_ID: Final = 64
#: Of a value that may be of any length, so much is told in a Text.
_SHOWN: Final = 40

_SIDES: Final = {"1": Side.BID, "2": Side.ASK}
_TIMES: Final = {
    "0": TimeInForce.GTC,
    "1": TimeInForce.GTC,
    "3": TimeInForce.IOC,
    "4": TimeInForce.FOK,
}
_SELF_TRADE: Final = {
    "N": SelfTrade.CANCEL_NEWEST,
    "O": SelfTrade.CANCEL_OLDEST,
    "B": SelfTrade.CANCEL_BOTH,
}
#: Fields that would make it another order than the one we would enter.
_MEANINGFUL: Final = {
    99: "StopPx",
    110: "MinQty",
    111: "MaxFloor",
    126: "ExpireTime",
    152: "CashOrderQty",
    168: "EffectiveTime",
    211: "PegOffsetValue",
    388: "DiscretionInst",
    432: "ExpireDate",
    516: "OrderPercent",
}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a session may do, and what is done where it says nothing.

    Attributes:
        accounts: the account number for each Account (tag 1) that the session may use. What is
            not in it is refused: by its number alone, anybody could cancel anybody's orders
            through self-trade prevention.
        account: the account number of an order without Account; 0 is none.
        self_trade: for orders without SelfTradeType.
        cancel_on_disconnect: whether the orders go when the session does. They stay otherwise,
            and what becomes of them is resent at the next logon.
        max_orders: how many ClOrdIDs the session may use, in all.
    """

    accounts: Mapping[str, int] = field(default_factory=dict)
    account: int = 0
    self_trade: SelfTrade = SelfTrade.NONE
    cancel_on_disconnect: bool = False
    max_orders: int = 1_000_000


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it is asked for; its price in ticks (0: market), its quantity in lots."""

    cl_ord_id: str
    listing: Listing
    side: Side
    price: int
    quantity: int
    is_market: bool
    time_in_force: str
    is_post_only: bool
    account: str
    account_number: int
    self_trade: SelfTrade

    def command(self) -> Command:
        """The NEW command; the router adds what is still missing."""
        time_in_force = _TIMES[self.time_in_force]
        if self.is_market and time_in_force == TimeInForce.GTC:
            time_in_force = TimeInForce.IOC
        return Command(
            CommandKind.NEW,
            side=self.side,
            price=self.price,
            quantity=self.quantity,
            order_type=OrderType.MARKET if self.is_market else OrderType.LIMIT,
            time_in_force=time_in_force,
            self_trade=self.self_trade,
            flags=Flag.POST_ONLY if self.is_post_only else Flag.NONE,
            account=self.account_number,
            instrument=self.listing.instrument,
        )


def read_order(
    message: Message, listings: Mapping[str, Listing], settings: ClientSettings
) -> OrderRequest:
    """The order that a NewOrderSingle, or an OrderCancelReplaceRequest, describes.

    Raises:
        Refused: it is no order for this venue.
        BusinessReject: a field is missing that this kind of order needs.
        FieldReject: SelfTradeType is none of its values, or a number has no form of one.
    """
    cl_ord_id = read_cl_ord_id(message)
    symbol = _get(message, Tag.SYMBOL)
    listing = listings.get(symbol)
    if listing is None:
        raise Refused(Why.UNKNOWN_SYMBOL, f"unknown symbol {symbol[:_SHOWN]}")
    for tag, name in _MEANINGFUL.items():
        if tag in message:
            raise Refused(Why.UNSUPPORTED, f"{name} ({tag}) is not supported")
    if message.get(Tag.HANDL_INST) == "3":
        raise Refused(Why.UNSUPPORTED, "HandlInst (21) 3: nobody here handles orders by hand")
    is_market = _read_type(message, cl_ord_id)
    time_in_force = message.get(Tag.TIME_IN_FORCE) or "0"
    if time_in_force not in _TIMES:
        raise Refused(Why.UNSUPPORTED, f"TimeInForce (59) {time_in_force} is not supported")
    if is_market and time_in_force == "1":
        raise Refused(Why.UNSUPPORTED, "a market order cannot rest: TimeInForce (59) is 1")
    account = message.get(Tag.ACCOUNT) or ""
    if account and account not in settings.accounts:
        raise Refused(Why.ACCOUNT, f"account {account[:_SHOWN]} is not one of this session's")
    return OrderRequest(
        cl_ord_id,
        listing,
        read_side(message),
        0 if is_market else read_price(message, listing),
        read_quantity(message, listing),
        is_market,
        time_in_force,
        _read_post_only(message, is_resting=not is_market and time_in_force in "01"),
        account,
        settings.accounts[account] if account else settings.account,
        _read_self_trade(message, settings.self_trade),
    )


def read_cl_ord_id(message: Message) -> str:
    """ClOrdID, tag 11.

    Raises:
        Refused: it is longer than we keep.
    """
    cl_ord_id = _get(message, Tag.CL_ORD_ID)
    if len(cl_ord_id) > MAX_CL_ORD_ID:
        raise Refused(Why.UNSUPPORTED, f"ClOrdID (11) is longer than {MAX_CL_ORD_ID} characters")
    return cl_ord_id


def read_side(message: Message) -> Side:
    """Side, tag 54.

    Raises:
        Refused: it is neither buy nor sell.
    """
    side = _SIDES.get(_get(message, Tag.SIDE))
    if side is None:
        raise Refused(Why.UNSUPPORTED, f"Side (54) {message.get(Tag.SIDE)} is not supported")
    return side


def read_price(message: Message, listing: Listing) -> int:
    """Price, tag 44, in ticks; the book checks its range.

    Raises:
        Refused: it is between two ticks.
        FieldReject: it is no number.
    """
    try:
        ticks = to_ticks(listing, _get(message, Tag.PRICE))
    except GridError as error:
        raise Refused(Why.PRICE, str(error)) from error
    except NumberError as error:
        raise _no_number(Tag.PRICE, error) from error
    if abs(ticks) >= 2**63:
        raise Refused(Why.PRICE)
    return ticks


def read_quantity(message: Message, listing: Listing) -> int:
    """OrderQty, tag 38, in lots.

    Raises:
        Refused: it is not above 0, too large, or no whole number of lots.
        BusinessReject: there is none.
        FieldReject: it is no number.
    """
    if Tag.ORDER_QTY not in message:
        raise missing(Tag.ORDER_QTY, "in every order", _get(message, Tag.CL_ORD_ID))
    try:
        lots = to_lots(listing, _get(message, Tag.ORDER_QTY))
    except GridError as error:
        raise Refused(Why.QUANTITY, str(error)) from error
    except NumberError as error:
        raise _no_number(Tag.ORDER_QTY, error) from error
    if not 0 < lots <= listing.max_quantity:
        most = to_shares(listing, listing.max_quantity)
        raise Refused(
            Why.QUANTITY, f"quantity {message.get(Tag.ORDER_QTY)} is not above 0, and up to {most}"
        )
    return lots


def _read_type(message: Message, cl_ord_id: str) -> bool:
    """Whether it is a market order; else it is a limit order with a price."""
    order_type = _get(message, Tag.ORD_TYPE)
    if order_type not in ("1", "2"):
        raise Refused(Why.UNSUPPORTED, f"OrdType (40) {order_type} is not supported")
    is_market = order_type == "1"
    if is_market and Tag.PRICE in message:
        raise Refused(Why.PRICE, "a market order has no price")
    if not is_market and Tag.PRICE not in message:
        raise missing(Tag.PRICE, "in a limit order", cl_ord_id)
    return is_market


def _read_post_only(message: Message, *, is_resting: bool) -> bool:
    instructions = message.get(Tag.EXEC_INST)
    if instructions is None:
        return False
    if instructions != "6":
        raise Refused(Why.UNSUPPORTED, f"ExecInst (18) {instructions[:_SHOWN]} is not supported")
    if not is_resting:
        raise Refused(Why.UNSUPPORTED, "ExecInst (18) 6 is for limit orders that may rest")
    return True


def _read_self_trade(message: Message, default: SelfTrade) -> SelfTrade:
    word = message.get(Tag.SELF_TRADE_TYPE)
    if word is None:
        return default
    if word not in _SELF_TRADE:
        raise FieldReject(
            Tag.SELF_TRADE_TYPE, SessionRejectReason.VALUE_INCORRECT, "SelfTradeType is N, O or B"
        )
    return _SELF_TRADE[word]


def _get(message: Message, tag: Tag) -> str:
    """A field that the dictionary requires.

    Raises:
        FieldReject: it is not there, because no dictionary was used.
    """
    value = message.get(tag)
    if value is None:
        raise FieldReject(
            tag, SessionRejectReason.REQUIRED_TAG_MISSING, f"{tag.name} ({tag:d}) is missing"
        )
    return value


def _no_number(tag: Tag, error: NumberError) -> FieldReject:
    return FieldReject(tag, SessionRejectReason.INCORRECT_DATA_FORMAT, str(error))
