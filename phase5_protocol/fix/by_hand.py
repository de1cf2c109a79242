"""Trade by hand over FIX: ``python -m phase5_protocol.fix.by_hand PORT NAME``.

Reads orders from the keyboard, one a line, and prints what becomes of them::

    buy 10 100.00          a limit order; without a price, a market order; ``ioc`` behind it
    sell 5 99.99 ioc       makes it immediate or cancel
    replace o1 20 100.01   total quantity and price of a live order
    cancel o1
    quit

Orders are named here: o1, o2, ... A replace or cancel gives an order a new name, as FIX wants it.
To the venue they are ``101530123-o1`` and so on, after the time when this was started: it never
takes a name twice, and knows those of yesterday's o1. An order of an earlier run that is still
there is shown by that full name once it is heard of, and answers to it.

It ends with ``quit``, the end of the input, or Ctrl-C, and logs out first; with exit status 1 if it
cannot log on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from contract.errors import ConfigurationError
from phase5_protocol.fix.application import NotLoggedOnError, SessionConfig
from phase5_protocol.fix.clock import format_timestamp
from phase5_protocol.fix.initiator import Initiator
from phase5_protocol.fix.line import CONNECTION_LOST
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.session import Session
from phase5_protocol.typed_lines import read_typed

LOOPBACK: Final = "127.0.0.1"
#: Times in a row that it may fail to log on.
TRIES: Final = 3
_SIDES: Final = {"buy": "1", "sell": "2"}
_WORDS: Final = {
    "0": "new",
    "1": "partial fill",
    "2": "fill",
    "4": "canceled",
    "5": "replaced",
    "8": "rejected",
    "C": "expired",
    "F": "trade",
    "I": "status",
}


class Trader:
    """The client's side: words to messages, messages to words."""

    def __init__(self, symbol: str, run: str = "") -> None:
        """Trade that symbol; ``run`` is put before the names of orders, where others see them."""
        self._symbol = symbol
        self._run = run
        self._count = 0
        #: Name, as it is shown, to ClOrdID and side.
        self._orders: dict[str, tuple[str, str]] = {}

    def on_logon(self, session: Session) -> None:
        """Say that we are on."""
        print(f"logged on as {session.config.sender_comp_id}", flush=True)

    def on_logout(self, session: Session) -> None:
        """Say that we are not, and why."""
        print(f"logged out: {session.last_end}", flush=True)

    def on_message(self, session: Session, message: Message) -> None:
        """Print a report."""
        cl_ord_id, side = message.get(11), message.get(54)
        if cl_ord_id and side:
            self._orders.setdefault(cl_ord_id.removeprefix(self._run), (cl_ord_id, side))
        print(describe(message, self._run), flush=True)

    def on_reject(self, session: Session, message: Message) -> None:
        """Print that they could not read what we sent."""
        print(describe(message, self._run), flush=True)

    def message(self, line: str) -> Message:
        """The message that a line asks for.

        Raises:
            ValueError: it cannot be understood; the message says how it should be.
        """
        words = line.split()
        verb, rest = words[0], words[1:]
        if verb in _SIDES and len(rest) in (1, 2, 3):
            return self._order(_SIDES[verb], rest)
        if verb == "cancel" and len(rest) == 1 and rest[0] in self._orders:
            return Message("F", [*self._names(rest[0]), (38, "1")])
        if verb == "replace" and len(rest) == 3 and rest[0] in self._orders:
            _check(rest[1:])
            return Message("G", [*self._names(rest[0]), (38, rest[1]), (44, rest[2]), *_LIMIT])
        raise ValueError(_USAGE)

    def _order(self, side: str, words: list[str]) -> Message:
        time_in_force = "0"
        if words[-1] == "ioc":
            words, time_in_force = words[:-1], "3"
        if len(words) not in (1, 2):
            raise ValueError(_USAGE)
        _check(words)
        name = self._new_name(side)
        kind = _LIMIT if len(words) == 2 else [(40, "1"), (21, "1")]
        fields = [(11, name), (55, self._symbol), (54, side), (60, _now()), (38, words[0])]
        return Message(
            "D", [*fields, *[(44, each) for each in words[1:]], *kind, (59, time_in_force)]
        )

    def _names(self, of: str) -> list[tuple[int, str]]:
        cl_ord_id, side = self._orders[of]
        return [
            (11, self._new_name(side)),
            (41, cl_ord_id),
            (55, self._symbol),
            (54, side),
            (60, _now()),
        ]

    def _new_name(self, side: str) -> str:
        self._count += 1
        name = f"o{self._count}"
        self._orders[name] = (self._run + name, side)
        return self._run + name


_LIMIT: Final = [(40, "2"), (21, "1")]
_USAGE: Final = "buy|sell QUANTITY [PRICE] [ioc], replace NAME TOTAL PRICE, cancel NAME"


def _check(words: list[str]) -> None:
    """Refuse what is no quantity, or no price behind it; the venue says what else is wrong."""
    if not re.fullmatch("[0-9]{1,18}", words[0]):
        raise ValueError(f"the quantity is {words[0]!r}, not a whole number such as 10")
    for price in words[1:]:
        if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", price):
            raise ValueError(f"the price is {price!r}, not a number such as 100.00")


def describe(message: Message, run: str = "") -> str:
    """A report as one readable line; names of orders without the ``run`` before them."""
    name, text = message.get(11) or message.get(379) or "", message.get(58) or ""
    name = name.removeprefix(run)
    if message.msg_type == "3":
        field = f" (field {message.get(371)})" if 371 in message else ""
        return f"message {message.get(45)} not understood: {text}{field}"
    if message.msg_type != "8":
        what = {"9": "change refused", "j": "not served"}
        return f"{name} {what.get(message.msg_type, message.msg_type)}: {text}".strip()
    line = f"{name} {_WORDS.get(message.get(150) or '', '?')}"
    if 32 in message:
        line += f" {message.get(32)} @ {message.get(31)}"
    line += f", open {message.get(151)}, done {message.get(14)} @ {message.get(6)}"
    return f"{line} ({text})" if text else line


class Desk(Trader):
    """A trader at a keyboard: lines typed, answers printed, and tries to log on."""

    def __init__(self, symbol: str, run: str) -> None:
        """Nothing typed, and not logged on."""
        super().__init__(symbol, run)
        self.is_given_up = False
        #: Lines typed; None at the end of them, and when there is no more use in any.
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._failures = 0
        self._is_reading = False

    def on_logon(self, session: Session) -> None:
        """Begin to read what is typed: what was, before, has waited for this."""
        super().on_logon(session)
        self._failures = 0
        if not self._is_reading:
            self._is_reading = True
            read_typed(self.lines.put_nowait)

    def on_problem(self, text: str) -> None:
        """A try to log on that failed."""
        self._failures += 1
        if text == CONNECTION_LOST:
            # A stranger is told nothing, and so is who speaks FIX to something else.
            text += " (a name that is not known there or is in use, or no port for FIX?)"
        print(f"not logged on: {text}", flush=True)
        if self._failures == TRIES:
            print(f"given up after {TRIES} tries", flush=True)
            self.is_given_up = True
            self.end()

    def end(self) -> None:
        """Read no more lines."""
        self.lines.put_nowait(None)


async def trade(port: int, name: str, venue: str, version: str, symbol: str) -> int:
    """Log on, and trade until the input ends, or Ctrl-C; the exit status."""
    now = time.time()
    run = time.strftime("%H%M%S", time.localtime(now)) + f"{int(now * 1000) % 1000:03d}-"
    desk = Desk(symbol, run)
    # Each time is a new day for the numbers: nothing is kept here.
    config = SessionConfig(
        version, name, venue, is_initiator=True, reset_on_logon=True, logon_timeout_s=5.0
    )
    initiator = Initiator(config, desk, LOOPBACK, port, on_problem=desk.on_problem)
    with contextlib.suppress(NotImplementedError):  # Not everywhere: there Ctrl-C just ends it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, desk.end)
    print(f"connecting to {LOOPBACK}:{port} as {name}", flush=True)
    await initiator.start()
    while (line := await desk.lines.get()) is not None and line.split() != ["quit"]:
        if not line.strip():
            continue
        try:
            initiator.session.send(desk.message(line))
        except (ValueError, NotLoggedOnError) as error:
            print(error, flush=True)
    await initiator.stop()
    return int(desk.is_given_up)


def _now() -> str:
    return format_timestamp(time.time_ns())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m phase5_protocol.fix.by_hand")
    parser.add_argument("port", type=int, help="of the venue, on this machine")
    parser.add_argument("name", help="our CompID, such as ALICE")
    parser.add_argument("--venue", default="MATCHBOOK", help="their CompID")
    parser.add_argument("--version", default="FIX.4.4", choices=("FIX.4.2", "FIX.4.4"))
    parser.add_argument("--symbol", default="MBK")
    given = parser.parse_args(arguments)
    if not 1 <= given.port <= 65535:
        parser.error(f"port {given.port} is not 1 to 65535")
    # One that cannot be a session (a name that is no ASCII) is told so, without a traceback.
    try:
        status = asyncio.run(
            trade(given.port, given.name, given.venue, given.version, given.symbol)
        )
    except ConfigurationError as error:
        parser.error(str(error))
    sys.exit(status)


if __name__ == "__main__":
    main()
