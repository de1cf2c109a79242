"""Who may trade: accounts, and for each the port with its gateway and everything it was told.

A port is there from the start of the day to its end, whether anybody is connected to it or not.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from contract.errors import ConfigurationError
from contract.messages import SelfTrade
from phase5_protocol.listing import Listing
from phase5_protocol.order_entry.gateway import Gateway
from phase5_protocol.order_entry.message_store import (
    DEFAULT_STORE_BYTES,
    DEFAULT_STORE_MESSAGES,
    MessageStore,
)
from phase5_protocol.order_entry.order_terms import directory
from phase5_protocol.order_entry.router import OrderRouter
from phase5_protocol.order_entry.soup_packets import Login


def run_name(now_ns: int) -> str:
    """9 letters and digits that name what begins at that time, and nothing else that ever did.

    Not the day alone: who starts again on the same day has forgotten the numbers that it gave, and
    a client that went on from them would hear another stream under the name of the old one. Two
    names differ if 17 milliseconds lie between them, for 36 years.

    >>> run_name(1_763_676_000_000_000_000)
    '879D5FA46'
    """
    return f"{now_ns >> 24 & (1 << 36) - 1:09X}"


@dataclass(frozen=True, slots=True)
class Account:
    """One user of the venue; the password is not shown.

    Attributes:
        user: up to 6 characters.
        password: 1 to 10 characters.
        number: the account that orders are entered for, not 0.
        session: name of the day's session, 1 to 10 letters and digits; without it, that of the
            ports, which is another one each time.
        self_trade: what becomes of an order that meets another of the same number.
        cancel_on_disconnect: whether its orders are cancelled when the connection ends, however it
            ends; otherwise they stay in the book.
    """

    user: str
    password: str = field(repr=False)
    number: int
    session: str = ""
    self_trade: SelfTrade = SelfTrade.NONE
    cancel_on_disconnect: bool = False

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ConfigurationError: no login could ever carry it, or the number is no account.
        """
        try:
            Login(self.user, self.password, self.session).payload()
        except ValueError as error:
            raise ConfigurationError(f"account of user {self.user!r}: {error}") from None
        if not (self.user and self.password):
            raise ConfigurationError(f"account of user {self.user!r}: user or password is empty")
        if not 0 < self.number < 1 << 32:
            raise ConfigurationError(
                f"account {self.number} of user {self.user!r}: not 1 to 2**32 - 1"
            )


@dataclass(frozen=True, slots=True)
class Port:
    """An account's place at the venue."""

    account: Account
    store: MessageStore
    gateway: Gateway


class Ports:
    """All ports of a venue; open from the start of the day."""

    def __init__(
        self,
        router: OrderRouter,
        listings: Iterable[Listing],
        accounts: Iterable[Account],
        *,
        session: str | None = None,
        max_messages: int = DEFAULT_STORE_MESSAGES,
        max_bytes: int = DEFAULT_STORE_BYTES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open a port for each account; its first message says that the day begins.

        Args:
            router: where orders go.
            listings: what can be traded.
            accounts: who may trade.
            session: of the accounts that name none; None: a new one, so that nobody goes on from
                the numbers of a process that is gone.
            max_messages: how many messages a port keeps for replay.
            max_bytes: how many bytes of them.
            clock_ns: time since 1970.

        Raises:
            ConfigurationError: a user twice, or something else that cannot be.
        """
        self.router = router
        self.session = f"O{run_name(clock_ns())}" if session is None else session
        symbols = directory(listings, router.books)
        self._ports: dict[str, Port] = {}
        for account in accounts:
            if account.user in self._ports:
                raise ConfigurationError(f"user {account.user!r} has two accounts")
            name = account.session or self.session
            store = MessageStore(name, max_messages=max_messages, max_bytes=max_bytes)
            gateway = Gateway(
                router,
                store,
                symbols,
                account=account.number,
                self_trade=account.self_trade,
                clock_ns=clock_ns,
            )
            gateway.start_of_day()
            self._ports[account.user] = Port(account, store, gateway)

    # --8<-- [start:find]
    def find(self, login: Login) -> Port | None:
        """The port of a login, if the password is right.

        It takes as long whether there is no such user or the password is wrong, in its first
        character or its last: the time tells nobody anything.
        """
        port = self._ports.get(login.user)
        password = port.account.password if port else ""
        is_right = hmac.compare_digest(_padded(password), _padded(login.password))
        return port if is_right and port else None

    # --8<-- [end:find]

    def __iter__(self) -> Iterator[Port]:
        """The ports, in the order of the accounts."""
        return iter(self._ports.values())

    def __getitem__(self, user: str) -> Port:
        """The port of a user."""
        return self._ports[user]


def _padded(password: str) -> bytes:
    return password.encode().ljust(10)
