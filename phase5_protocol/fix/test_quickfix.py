"""QuickFIX, as somebody else's reading of the standard, trades at our venue for a day.

Where the ``interop`` extra is not installed these tests are skipped by name; with
MATCHBOOK_INTEROP=1 its absence is a failure.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import os
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from phase1_domain import Engine
from phase5_protocol.fix.conftest import VERSIONS
from phase5_protocol.fix.quickfix_harness import PATIENCE_S, Cable, Peer, Venue, quickfix
from phase5_protocol.fix.requests import ClientSettings

pytestmark = pytest.mark.interop


@pytest.fixture(autouse=True)
def _quickfix_is_here() -> None:
    if importlib.util.find_spec("quickfix") is None:
        if os.environ.get("MATCHBOOK_INTEROP") == "1":
            pytest.fail("QuickFIX is not installed: pip install -e '.[interop]'")
        pytest.skip("QuickFIX is not installed (the interop extra)")


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test, but not for ever."""
    asyncio.run(asyncio.wait_for(test, 8 * PATIENCE_S))


def venue_at(path: Path, **options: Any) -> Venue:
    """A venue whose sessions are kept below the path."""
    settings = ClientSettings({"acc": 5})
    return Venue(Engine(), path / "venue", settings, **options)


def has_no_complaint(peer: Peer) -> bool:
    """Whether QuickFIX found nothing wrong with what it was sent."""
    return not peer.messages("out", "3") and not peer.messages("out", "j")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_day_of_trading(tmp_path: Path, version: str) -> None:
    """Reports that QuickFIX cannot read, an order that becomes another, no reject."""
    run(_day(tmp_path, version))


async def _day(path: Path, version: str) -> None:
    other = VERSIONS[version == VERSIONS[0]]
    fill, part = ("F", "F") if version == "FIX.4.4" else ("2", "1")
    async with (
        venue_at(path) as venue,
        quickfix(path / "a", version, "A", venue.acceptor.port) as a,
        quickfix(path / "b", other, "B", venue.acceptor.port) as b,
    ):
        a.order("a1", "1", 10, "100.00", (1, "acc"))
        new = await a.report("a1", "0")
        assert (new[39], new[151], new[14], new[1]) == ("0", "10", "0", "acc")
        same = [(55, "MBK"), (54, "1"), (60, "20240102-09:31:00")]
        amend = [(40, "2"), (44, "100.50"), (38, "20"), (21, "1"), *same]
        a.send("G", (41, "a1"), (11, "a2"), *amend)
        replaced = await a.report("a2", "5")
        assert (replaced[38], replaced[44], replaced[41]) == ("20", "100.50", "a1")
        b.order("b1", "2", 15, "100.00")
        traded = await a.report("a2", part)
        assert (traded[31], traded[32], traded[14], traded[151]) == ("100.50", "15", "15", "5")
        assert traded[39] == "1"
        a.send("F", (41, "a2"), (11, "a3"), (38, "20"), *same)
        cancelled = await a.report("a3", "4")
        assert (cancelled[39], cancelled[151], cancelled[14]) == ("4", "0", "15")
        a.send("F", (41, "a2"), (11, "a4"), (38, "20"), *same)
        await a.until(lambda: a.messages("in", "9", 11, "a4"))
        a.order("a5", "1", 10, "100.005")
        assert (await a.report("a5", "8"))[58] == "price 100.005 is not a multiple of 0.01"
        a.order("a1", "1", 10, "1.00")
        assert (await a.report("a1", "8"))[103] == "6"
        a.order("a1", "1", 10, "1.00", (97, "Y"))
        await a.until(lambda: [each for each in a.messages("in", "8") if each[17] == "0"])
        a.order("a6", "2", 5, "99.00", (59, "3"))
        await a.report("a6", "4")
        a.send("E", (66, "list"), (394, "1"), (68, "0"))
        await a.until(lambda: a.messages("in", "j"))
        b.order("b2", "2", 5, "99.00")
        await b.report("b2", "0")
        a.order("a7", "1", 5, "101.00", (59, "4"))
        assert (await a.report("a7", fill))[31] == "99.00"
        a.do("logout")
        await a.until(lambda: a.count("logout"))
        assert a.messages("in", "5"), "our Logout answers theirs"
        assert has_no_complaint(a)
        assert has_no_complaint(b)
        assert len(venue.router) == 0
        assert sorted(each[17] for each in a.messages("in", "8") if each[17] != "0") == sorted(
            each[17] for each in venue.sent(f"{version}:V->A", "8") if each[17] != "0"
        )


@pytest.mark.parametrize("version", VERSIONS)
def test_what_happened_while_the_client_was_gone_reaches_it(tmp_path: Path, version: str) -> None:
    """A fill that nobody told; or told twice; a resend without PossDupFlag and OrigSendingTime."""
    run(_gone(tmp_path, version))


async def _gone(path: Path, version: str) -> None:
    async with (
        venue_at(path) as venue,
        Cable(venue.acceptor.port) as cable,
        quickfix(path / "b", version, "B", venue.acceptor.port) as b,
        quickfix(path / "a", version, "A", cable.port) as a,
    ):
        a.order("a1", "1", 10, "100.00")
        a.order("a2", "1", 10, "99.00")
        await a.report("a2", "0")
        a.do("logout")
        await a.until(lambda: a.count("logout"))
        b.order("b1", "2", 15, "99.00")
        await b.report("b1", "F" if version == "FIX.4.4" else "2")
        a.do("logon")
        await a.until(lambda: len(a.messages("in", "8")) == 4)
        late = a.messages("in", "8")[2:]
        assert [(each[11], each[32], each[43]) for each in late] == [
            ("a1", "10", "Y"),
            ("a2", "5", "Y"),
        ]
        assert all(each[122] <= each[52] for each in late)
        assert a.messages("out", "2"), "QuickFIX asked for them"
        # Now the other way: an order that QuickFIX has sent, and that was lost on the way.
        cable.cut_after("up", 1)
        a.order("a3", "2", 1, "98.00")
        traded = await a.report("a3", "F" if version == "FIX.4.4" else "2")
        assert traded[31] == "99.00"
        assert a.messages("in", "2"), "we asked for it"
        assert [each.get(43, "N") for each in a.messages("out", "D", 11, "a3")] == ["N", "Y"]
        await a.until(lambda: len(a.messages("in", "8")) >= 7)
        assert len(venue.sent(f"{version}:V->A", "8")) == len(a.messages("in", "8")) == 7
        assert has_no_complaint(a)


@pytest.mark.parametrize("version", VERSIONS)
def test_sequence_numbers_are_reset_from_either_side(tmp_path: Path, version: str) -> None:
    """A session that hangs in a gap which nobody can fill, or starts anew with half its state."""
    run(_reset(tmp_path, version))


async def _reset(path: Path, version: str) -> None:
    async with venue_at(path) as venue:
        async with quickfix(path / "a", version, "A", venue.acceptor.port) as a:
            a.order("a1", "1", 10, "100.00")
            await a.report("a1", "0")
            a.do("logout")
            await a.until(lambda: a.count("logout"))
            # QuickFIX forgets what it was sent, and asks for it; it skips numbers that it never
            # used, and we ask. Each fills the other's gap.
            a.do("target", number=1)
            a.do("sender", number=50)
            a.do("logon")
            await a.until(lambda: len(a.messages("in", "8", 11, "a1")) == 2)
            a.order("a2", "1", 10, "100.00")
            await a.report("a2", "0")
            assert a.messages("in", "4", 123, "Y"), "our Logon is passed over, not sent again"
            assert a.messages("out", "4", 123, "Y"), "QuickFIX has nothing to send again"
            assert len({each[17] for each in a.messages("in", "8", 11, "a1")}) == 1
            assert int(a.messages("out", "D", 11, "a2")[0][34]) > 50
            assert has_no_complaint(a)
        async with quickfix(path / "c", version, "A", venue.acceptor.port, "ResetOnLogon=Y") as a:
            assert a.messages("in", "A")[0][34] == "1"
            a.order("a1", "1", 10, "100.00")
            assert (await a.report("a1", "8"))[103] == "6", "a new count is no new day"
            a.order("c1", "2", 20, "100.00")
            await a.until(lambda: len(a.messages("in", "8", 11, "c1")) == 3)
            assert len(venue.router) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_fifty_cuts_lose_nothing_and_repeat_nothing(tmp_path: Path, version: str) -> None:
    """R12: a connection cut anywhere, within a message or not, costs or doubles an execution."""
    run(_fifty_cuts(tmp_path, version, seed=12))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("version", VERSIONS)
def test_fifty_cuts_elsewhere(tmp_path: Path, version: str, seed: int) -> None:
    """Places to cut at which the one seed of the short run does not come to."""
    run(_fifty_cuts(tmp_path, version, seed))


def test_cuts_would_show_an_execution_that_is_not_sent_again(tmp_path: Path) -> None:
    """A test that passes whatever is lost: here resends pass over the reports, and it sees."""
    never_again = {"stale_types": frozenset("8"), "stale_after_s": 0.0}
    with pytest.raises(AssertionError, match="heard what was told"):
        run(_fifty_cuts(tmp_path, "FIX.4.4", seed=12, cuts=12, **never_again))


async def _fifty_cuts(path: Path, version: str, seed: int, cuts: int = 50, **options: Any) -> None:
    draw = random.Random(seed)
    session = f"{version}:V->A"
    sent: list[str] = []
    async with (
        venue_at(path, **options) as venue,
        Cable(venue.acceptor.port) as cable,
        quickfix(path / "b", "FIX.4.4", "B", venue.acceptor.port) as b,
        quickfix(path / "a", version, "A", cable.port) as a,
    ):
        for number in range(cuts):
            cable.cut_after(draw.choice(("up", "down")), draw.randrange(1, 1200))
            again = a.count("logon") + 1
            while cable.cuts == number:
                sent.append(f"a{len(sent)}")
                a.order(sent[-1], draw.choice("12"), draw.randint(1, 9), "100.00")
                b.order(f"b{len(sent)}", draw.choice("12"), draw.randint(1, 9), "100.00")
                await b.report(f"b{len(sent)}", "0")
            await a.until(functools.partial(_has_logged_on, a, again))
        a.order("last", "1", 1, "1.00")
        await a.report("last", "0")
        told = venue.sent(session, "8")
        heard = a.messages("in", "8")
        assert cable.cuts == cuts
        ids = [each[17] for each in heard], [each[17] for each in told]
        assert ids[0] == ids[1], "heard what was told"
        assert len({each[17] for each in told}) == len(told)
        new = [each[11] for each in told if each[150] == "0"]
        assert new == [*sent, "last"], "every order once, and in order"
        assert has_no_complaint(a)
        for name in new:
            reports = [each for each in heard if each[11] == name]
            assert sum(int(each.get(32, "0")) for each in reports) == int(reports[-1][14])
        counters = venue.acceptor.sessions[session].counters
        assert counters["resend requests"], "some of what QuickFIX sent was lost"
        assert counters["resent"], "some of what we sent was lost"


def _has_logged_on(peer: Peer, times: int) -> bool:
    return peer.count("logon") >= times
