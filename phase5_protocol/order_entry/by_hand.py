"""Trade by hand over OUCH: ``python -m phase5_protocol.order_entry.by_hand PORT USER``.

Reads orders from the keyboard, one a line, and prints what becomes of them::

    buy 10 100.00       a limit order; ``ioc`` behind it makes it immediate or cancel
    sell 5 99.99 ioc
    cancel 1            what is left of order 1
    quit                or Ctrl-C; the orders stay in the book

Orders are numbered 1, 2, ... through the day. What the day has brought this user so far is printed
first: the venue has kept it, and the numbers go on behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from phase5_protocol.order_entry.client import OuchClient
from phase5_protocol.order_entry.ouch50 import (
    Accepted,
    AiqCanceled,
    Canceled,
    CancelOrder,
    EnterOrder,
    Executed,
    Inbound,
    Outbound,
    Rejected,
    RejectReason,
    SystemEvent,
)
from phase5_protocol.order_entry.soup_packets import Ending, Login
from phase5_protocol.typed_lines import read_typed

HOST: Final = "127.0.0.1"
_HELP: Final = "buy|sell QUANTITY PRICE [ioc], cancel NUMBER, quit"
_PRICE: Final = re.compile(r"\d{1,9}(\.\d{1,4})?")
_UNIT: Final = 10_000
#: What was said earlier is over when nothing has come for so long.
_QUIET_S: Final = 0.2
_CANCELED: Final = {
    "U": "by request",
    "I": "nothing more to trade with at once",
    "Q": "self-trade",
    "Z": "by the venue",
    "S": "by supervision",
}


class Trader:
    """Words to messages; numbers orders."""

    def __init__(self, symbol: str) -> None:
        """Trade that symbol."""
        self._symbol = symbol
        self._next = 1

    def hear(self, message: Outbound) -> None:
        """Do not use a number again that the venue knows."""
        self._next = max(self._next, getattr(message, "user_ref_num", 0) + 1)

    def message(self, line: str) -> Inbound:
        """The message that a line asks for.

        Raises:
            ValueError: it cannot be understood; the message says how it should be.
        """
        match line.split():
            case ["buy" | "sell" as verb, quantity, price, *rest] if rest in ([], ["ioc"]):
                return self._order(verb[0].upper(), quantity, price, "3" if rest else "0")
            case ["cancel", number]:
                return CancelOrder(_whole(number), 0)
        raise ValueError(_HELP)

    def _order(self, side: str, quantity: str, price: str, time_in_force: str) -> EnterOrder:
        if not _PRICE.fullmatch(price):
            raise ValueError(f"price {price!r} is not one such as 100.00, of at most 4 decimals")
        whole, _, part = price.partition(".")
        units = int(whole) * _UNIT + int(part.ljust(4, "0"))
        shares, number = _whole(quantity), self._next
        self._next += 1
        name, terms = f"o{number}", ("Y", "A", "N", "N")
        return EnterOrder(number, side, shares, self._symbol, units, time_in_force, *terms, name)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 32):
        raise ValueError(f"{text!r} is not a whole number below 2**32")
    return int(text)


def describe(message: Outbound) -> str:
    """A message of the venue as one readable line."""
    number = getattr(message, "user_ref_num", "")
    match message:
        case SystemEvent(event=event):
            return {"S": "the day begins", "E": "the day ends"}.get(event, f"system event {event}")
        case Accepted(side=side, quantity=quantity, price=price):
            verb = "buy" if side == "B" else "sell"
            return f"{number} Accepted: {verb} {quantity} @ {_dollars(price)}"
        case Executed(quantity=quantity, price=price):
            return f"{number} Executed: {quantity} @ {_dollars(price)}"
        case Canceled(decrement=quantity, reason=reason):
            return f"{number} Canceled: {quantity}, {_CANCELED.get(reason, reason)}"
        case AiqCanceled(decrement=quantity):
            return f"{number} Canceled: {quantity}, it would have traded with the same account"
        case Rejected(reason=reason):
            known = reason in list(RejectReason)
            why = RejectReason(reason).name.replace("_", " ").lower() if known else f"{reason:#x}"
            return f"{number} Rejected: {why}"
    return str(message)


def _dollars(units: int) -> str:
    text = f"{units // _UNIT}.{units % _UNIT:04}"
    return text.removesuffix("00")


async def trade(port: int, login: Login, symbol: str) -> int:
    """Log in, and trade until the input or the connection ends; the exit code."""
    try:
        client = await OuchClient.connect(HOST, port, login)
    except OSError as error:
        # Only a refusal at the login is a ConnectionError and nothing more special.
        what = "not logged in" if type(error) is ConnectionError else "no connection"
        print(f"{what}: user {login.user} at {HOST}:{port}: {error}", file=sys.stderr)
        return 1
    print(f"logged in as {login.user}, session {client.session.session}", flush=True)
    trader = Trader(symbol)
    with suppress(TimeoutError, ConnectionError):
        while True:
            _show(trader, await asyncio.wait_for(client.next(), _QUIET_S))
    print(f"ready: {_HELP}", flush=True)
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lines.put_nowait, "quit")
    read_typed(lambda line: lines.put_nowait("quit" if line is None else line.strip()))
    hearing = asyncio.create_task(_hear(client, trader, lines))
    is_lost = False
    while (line := await lines.get()) != "quit":
        is_lost = is_lost or hearing.done()
        if is_lost:
            break
        if line.strip():
            _say(client, trader, line)
    if not is_lost:
        await client.logout()
    await hearing
    ending = (await client.closed()).ending
    print(f"logged out: {ending}", flush=True)
    return 0 if ending in (Ending.LOGOUT, Ending.END_OF_SESSION) else 1


def _say(client: OuchClient, trader: Trader, line: str) -> None:
    try:
        client.send(trader.message(line))
    except ValueError as error:
        print(error, flush=True)


def _show(trader: Trader, message: Outbound) -> None:
    trader.hear(message)
    print(describe(message), flush=True)


async def _hear(client: OuchClient, trader: Trader, lines: asyncio.Queue[str]) -> None:
    """Print what comes, and wake who waits for the keyboard when nothing more will."""
    with suppress(ConnectionError):
        while True:
            _show(trader, await client.next())
    lines.put_nowait("")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it from the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m phase5_protocol.order_entry.by_hand",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("port", type=int, help="OUCH port of the venue, on this machine")
    parser.add_argument("user", help="such as carol")
    parser.add_argument("--password", default="matchbook", help="(default: %(default)s)")
    parser.add_argument("--symbol", default="MBK", help="what to trade (default: %(default)s)")
    given = parser.parse_args(arguments)
    if not 1 <= given.port <= 65_535:
        parser.error(f"port {given.port} is not 1 to 65535")
    login = Login(given.user, given.password, next_number=1)
    try:
        login.payload()
    except ValueError as error:
        parser.error(str(error))
    with suppress(KeyboardInterrupt):
        return asyncio.run(trade(given.port, login, given.symbol))
    return 0


if __name__ == "__main__":
    sys.exit(main())
