"""Trading by hand: what is typed, what is shown, and how it begins and ends."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from phase5_protocol.fix.by_hand import TRIES, Trader, describe, main
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.test_acceptor import Venue

PATIENCE_S = 60.0


async def by_hand(
    port: int, name: str, stdin: int | None = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    """The program, as client of ``VENUE``."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "phase5_protocol.fix.by_hand", str(port), name),
        *("--venue", "VENUE"),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(process: asyncio.subprocess.Process) -> str:
    """All that it prints, up to its end."""
    assert process.stdout is not None
    text = (await process.stdout.read()).decode()
    await process.wait()
    return text


def run(scenario: object) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))  # type: ignore[arg-type]


def test_what_is_typed_before_the_logon_is_sent_after_it() -> None:
    """The first order of a script, lost; a Ctrl-C that waits for a line; a Reject nobody sees."""

    async def scenario() -> None:
        async with Venue() as venue:
            process = await by_hand(venue.acceptor.port, "A")
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"buy 10 100.00\nbuy 1 abc\nsell 5\n")
            await venue.application.until(lambda: len(venue.application.messages) == 2)
            names = [message.get(11) or "" for message in venue.application.messages]
            assert [re.fullmatch(r"\d{9}-(o\d)", name)[1] for name in names] == ["o1", "o2"]  # type: ignore[index]
            session = venue.session("A")
            session.send(Message("3", [(45, "2"), (371, "38"), (58, "no such thing")]))
            heard = ""
            while "not understood" not in heard:
                heard += (await process.stdout.readline()).decode()
            assert heard.splitlines() == [
                f"connecting to 127.0.0.1:{venue.acceptor.port} as A",
                "logged on as A",
                "the price is 'abc', not a number such as 100.00",
                "message 2 not understood: no such thing (field 38)",
            ]
            # Its input is still open: only the signal can end it.
            process.send_signal(signal.SIGINT)
            assert await said(process) == "logged out: they logged out\n"
            assert process.returncode == 0
            assert session.last_end == "they logged out"

    run(scenario())


def test_orders_from_a_file(tmp_path: Path) -> None:
    """A file is no terminal, its last line may have no end, and all of it is to be sent."""
    path = tmp_path / "orders"
    path.write_text("buy 1 1.00\n\nsell 2 2.00")

    async def scenario() -> None:
        async with Venue() as venue:
            with path.open() as file:
                process = await by_hand(venue.acceptor.port, "A", file.fileno())
                assert "Error" not in await said(process)
            assert process.returncode == 0
            assert [message.get(38) for message in venue.application.messages] == ["1", "2"]

    run(scenario())


def test_who_cannot_log_on_is_told_why() -> None:
    """A wrong port, or a name that is not known: silence for ever, or a traceback."""

    async def scenario() -> None:
        async with Venue() as venue:
            port = venue.acceptor.port
            unknown = await said(stranger := await by_hand(port, "NOBODY"))
        wrong = await said(lost := await by_hand(port, "A"))
        assert (stranger.returncode, lost.returncode) == (1, 1)
        assert (
            unknown.count("not logged on: the connection was lost (a name that is not known")
            == TRIES
        )
        assert wrong.count("not logged on: ") == TRIES
        assert re.search("not logged on: .*[Cc]onnect", wrong)
        for text in (unknown, wrong):
            assert text.startswith("connecting to")
            assert text.endswith(f"given up after {TRIES} tries\n")

    run(scenario())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("buy 1 abc", "the price is 'abc'"),
        ("buy 10 100,00", "the price is '100,00'"),
        ("buy ten 1", "the quantity is 'ten'"),
        ("buy 1.5", "the quantity is '1.5'"),
        ("buy ٣ 1", "the quantity is"),
        ("buy ioc", "buy.sell QUANTITY"),
        ("buy 1 2 3", "buy.sell QUANTITY"),
        ("replace o1 x 1", "the quantity is 'x'"),
        ("replace o1 1 x", "the price is 'x'"),
        ("cancel o2", "buy.sell QUANTITY"),
    ],
)
def test_what_cannot_be_an_order(line: str, complaint: str) -> None:
    """A field that is refused by the venue's session, and so by nobody who tells; or a name that
    is used up by what was never sent."""
    trader = Trader("MBK")
    trader.message("buy 1 1")
    with pytest.raises(ValueError, match=complaint):
        trader.message(line)
    assert trader.message("buy 1 1").get(11) == "o2"


def test_an_order_of_an_earlier_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Two orders that are both called o1, of which the wrong one is canceled."""
    trader = Trader("MBK", "2-")
    mine = trader.message("buy 10 1.00")
    fields = [(54, "2"), (150, "0"), (151, "5"), (14, "0"), (6, "0")]
    for name in ("1-o1", "2-o1"):
        trader.on_message(None, Message("8", [(11, name), *fields]))  # type: ignore[arg-type]
    assert capsys.readouterr().out.splitlines() == [
        "1-o1 new, open 5, done 0 @ 0",
        "o1 new, open 5, done 0 @ 0",
    ]
    assert mine.get(11) == "2-o1"
    for name, whole, side in (("1-o1", "1-o1", "2"), ("o1", "2-o1", "1")):
        cancel = trader.message(f"cancel {name}")
        assert (cancel.get(41), cancel.get(54)) == (whole, side)


def test_what_is_not_served_has_its_name() -> None:
    """A refusal of one order among many that does not say of which."""
    refusal = Message("j", [(372, "D"), (379, "2-o7"), (58, "closed")])
    assert describe(refusal, "2-") == "o7 not served: closed"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["99999", "A"], "port 99999 is not"), (["1", "Zoë"], "sender_comp_id is 'Zoë'")],
)
def test_what_cannot_be_connected(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback, or a wait without end."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err
