"""Other projects' unit cases, as data: the matching rules as their authors wrote them down.

The data is not part of this repository; where it is absent these tests are skipped by name. Every
case is either run or stands in ``NOT_APPLICABLE`` with its reason, and the counts are pinned.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from contract import (
    Command,
    Engine,
    Event,
    EventKind,
    Reason,
    Side,
    TimeInForce,
    cancel,
    market,
    mass_cancel,
    new,
    replace,
)
from contract.shared_data import find
from matchbook.engines import REGISTRY, load_engine

pytestmark = pytest.mark.shared_data

_RESTS = "its market orders rest at no price until somebody comes; ours never rest (IOC or FOK)"
_NO_STEPS = "a test of its container's sort order: it holds no command"

#: liquibook's cases that do not say anything about an engine of this contract, and why.
NOT_APPLICABLE: Final = {
    "TestBidsMultimapSortCorrect": _NO_STEPS,
    "TestAsksMultimapSortCorrect": _NO_STEPS,
    "TestMatchMarketOrderBid": _RESTS,
    "TestMatchMarketOrderAsk": _RESTS,
    "TestMatchMultipleMarketOrderBid": _RESTS,
    "TestMatchMultipleMarketOrderAsk": _RESTS,
}
#: Cases whose last depth is several, of steps that are missing; the first of them applies.
PARTIAL: Final = {"TestReplaceSizeDecreaseCancel", "TestReplaceSizeDecreaseTooMuch"}
LIQUIBOOK_DEPTH: Final = 5
SIDES: Final = {"B": Side.BID, "S": Side.ASK, "A": Side.ASK, "bids": Side.BID, "asks": Side.ASK}


def data(name: str) -> Path:
    """The file, or a skip that names it."""
    path = find(f"matching_vectors/{name}")
    if path is None:
        pytest.skip(f"real data: matching_vectors/{name} is not here (see MATCHBOOK_DATA)")
    return path


@pytest.fixture(params=list(REGISTRY))
def engine_name(request: pytest.FixtureRequest) -> str:
    """Every registered engine in turn."""
    return str(request.param)


def open_engine(name: str) -> Engine:
    return load_engine(name)(capacity=1024)


def apply(engine: Engine, command: Command) -> list[Event]:
    """Apply, and hold the engine to its invariants."""
    events = engine.apply(command)
    engine.check()
    return events


def trades(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind == EventKind.TRADE]


# liquibook.


class LiquibookCase:
    """One of its unit tests, played on an engine."""

    def __init__(self, case: dict[str, Any], engine: Engine) -> None:
        self.case = case
        self.engine = engine
        self.ids = {name: number for number, name in enumerate(case["orders"], start=1)}
        self.cancelled: set[int] = set()

    def play(self) -> int:
        """Play all steps; returns how many expectations were checked."""
        return sum(getattr(self, f"_{step['op']}")(step) for step in self.case["steps"])

    def _add(self, step: dict[str, Any]) -> int:
        order = self.case["orders"][step["order"]]
        side, quantity = SIDES[order["side"]], order["qty"]
        number, conditions = self.ids[step["order"]], set(step.get("conditions", []))
        force = TimeInForce.FOK if conditions == {"AON", "IOC"} else TimeInForce.IOC
        if order["price"] == 0:
            command = market(number, side, quantity)
        elif conditions:
            command = new(number, side, order["price"], quantity, time_in_force=force)
        else:
            command = new(number, side, order["price"], quantity)
        events = apply(self.engine, command)
        assert events[0].kind == EventKind.ACCEPTED
        done = trades(events)
        assert bool(done) == step["matched"]
        checked = 1
        if "complete" in step:
            filled = sum(trade.quantity for trade in done)
            assert (filled == quantity) == step["complete"]
            checked += 1
        return checked + self._fills(done, step.get("fills", []))

    def _fills(self, done: list[Event], wanted: list[dict[str, Any]]) -> int:
        """Quantity and cost by order; an order that is not named has no fill."""
        if not wanted:
            return 0
        quantities: defaultdict[int, int] = defaultdict(int)
        costs: defaultdict[int, int] = defaultdict(int)
        for trade in done:
            for number in (trade.order_id, trade.contra_order_id):
                quantities[number] += trade.quantity
                costs[number] += trade.quantity * trade.price
        for fill in wanted:
            number = self.ids[fill["order"]]
            assert quantities.pop(number, 0) == fill["filled_qty_delta"]
            assert costs.pop(number, 0) == fill["filled_cost_delta"]
        assert not quantities
        return len(wanted)

    def _cancel(self, step: dict[str, Any]) -> int:
        """The state is the order's afterwards: it may have been filled or cancelled before."""
        number = self.ids[step["order"]]
        was_live = self.engine.order(number) is not None
        event = apply(self.engine, cancel(number))[0]
        if was_live:
            assert (event.kind, event.reason) == (EventKind.CANCELLED, Reason.USER)
            self.cancelled.add(number)
        else:
            assert (event.kind, event.reason) == (EventKind.REJECTED, Reason.UNKNOWN_ORDER)
        assert step["state"] == ("cancelled" if number in self.cancelled else "complete")
        return 1

    def _replace(self, step: dict[str, Any]) -> int:
        number = self.ids[step["order"]]
        order = self.engine.order(number)
        assert order is not None
        price = step.get("new_price", order.price)
        events = apply(self.engine, replace(number, price, order.quantity + step["size_change"]))
        assert events[0].kind == EventKind.REPLACED
        done = trades(events)
        assert sum(trade.quantity for trade in done) == step.get("match_qty", 0)
        return 1 + self._fills(done, step.get("fills", []))

    def _count(self, step: dict[str, Any]) -> int:
        assert len(self.engine.orders(SIDES[step["side"]])) == step["n"]
        return 1

    def _front(self, step: dict[str, Any]) -> int:
        front = self.engine.orders(SIDES[step["side"]], 1)[0]
        assert front.order_id == self.ids[step["order"]]
        return 1

    def _depth(self, step: dict[str, Any]) -> int:
        for word, levels in zip(("bid", "ask"), self.engine.depth(LIQUIBOOK_DEPTH), strict=True):
            got = [(level.price, level.order_count, level.quantity) for level in levels]
            wanted = [tuple(level) for level in step[word] if level != [0, 0, 0]]
            if self.case["case"] in PARTIAL:
                wanted = wanted[: len(got)]
            assert got == wanted
        return 1


def liquibook_cases() -> list[dict[str, Any]]:
    lines = data("liquibook_cases_dev.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_liquibooks_cases_hold(engine_name: str) -> None:
    played = checked = 0
    for case in liquibook_cases():
        if case["case"] in NOT_APPLICABLE:
            continue
        with open_engine(engine_name) as engine:
            checked += LiquibookCase(case, engine).play()
        played += 1
    assert played == 51
    assert checked == 924  # matches, fills, depths, counts and states


def test_every_case_of_liquibook_is_played_or_named() -> None:
    cases = liquibook_cases()
    names = [case["case"] for case in cases]
    assert len(names) == len(set(names)) == 57
    assert set(NOT_APPLICABLE) <= set(names)
    assert {case["case"] for case in cases if not case["steps"]} == {
        name for name, reason in NOT_APPLICABLE.items() if reason is _NO_STEPS
    }
    left = {case["case"] for case in cases if not case["fully_extracted"]} - set(NOT_APPLICABLE)
    assert left == PARTIAL


@pytest.mark.parametrize("name", [name for name, why in NOT_APPLICABLE.items() if why is _RESTS])
def test_a_case_that_does_not_apply_does_rest_a_market_order(name: str) -> None:
    """The reason is checked: no case may hide behind it."""
    case = next(case for case in liquibook_cases() if case["case"] == name)
    assert any(
        step["op"] == "add" and not step["matched"] and case["orders"][step["order"]]["price"] == 0
        for step in case["steps"]
    )


# The contest's unit tests.


def quantcup_order(
    engine: Engine, traders: dict[int, str], side: str, price: int, quantity: int, trader: str
) -> list[Event]:
    """Enter an order under its count; returns its trades."""
    number = len(traders) + 1
    traders[number] = trader
    return trades(apply(engine, new(number, SIDES[side], price, quantity)))


def test_the_contests_unit_tests_hold(engine_name: str) -> None:
    tests = [
        json.loads(line) for line in data("quantcup_unit_tests.jsonl").read_text().splitlines()
    ]
    assert len(tests) == 12
    for test in tests:
        traders: dict[int, str] = {}
        got: list[Event] = []
        with open_engine(engine_name) as engine:
            for order in test["orders"]:
                got += quantcup_order(engine, traders, *order)
            for number in test.get("cancel", []):
                apply(engine, cancel(number))
            for order in test.get("orders2", []):
                got += quantcup_order(engine, traders, *order)
        named = [
            [traders[t.order_id], traders[t.contra_order_id], t.price, t.quantity] for t in got
        ]
        assert named == test["trades"], test["id"]


# Scenarios of a take-home exercise: acknowledgement, trades, top of book.


def scenario_blocks(text: str) -> dict[str, list[list[str]]]:
    """{scenario: rows of fields}; one expected row lacks a comma, so fields split at spaces too."""
    blocks: dict[str, list[list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#name: scenario"):
            name = line.split()[-1]
            blocks[name] = []
        elif name and line.strip() and not line.startswith("#"):
            blocks[name].append(line.replace(",", " ").split())
    return blocks


def play_scenario(engine: Engine, rows: list[list[str]]) -> list[list[str]]:
    """The rows a scenario's author expects: A, C, T and B."""
    out: list[list[str]] = []
    symbol = ""

    def top() -> list[list[str]]:
        best = (("B", engine.best_bid()), ("S", engine.best_ask()))
        return [[w, str(v.price), str(v.quantity)] if v else [w, "-", "-"] for w, v in best]

    for row in rows:
        before = top()
        if row[0] == "F":
            engine.apply(mass_cancel())
            break
        if row[0] == "C":
            user, number = row[1:]
            apply(engine, cancel(int(user) * 1000 + int(number)))
            out.append(["C", symbol, user, number])
        else:
            _, user, symbol, price, quantity, side, number = row
            own = int(user) * 1000 + int(number)
            command = new(own, SIDES[side], int(price), int(quantity))
            if price == "0":
                command = market(own, SIDES[side], int(quantity))
            out.append(["A", symbol, user, number])
            for trade in trades(apply(engine, command)):
                pair = [trade.order_id, trade.contra_order_id]
                bought, sold = pair if trade.side == Side.BID else reversed(pair)
                ids = [str(n) for own in (bought, sold) for n in divmod(own, 1000)]
                out.append(["T", symbol, *ids, str(trade.price), str(trade.quantity)])
        out += [["B", symbol, *now] for was, now in zip(before, top(), strict=True) if was != now]
    return out


def test_the_scenarios_give_their_acknowledgements_trades_and_tops(engine_name: str) -> None:
    given = scenario_blocks(data("csv_scenarios_input.csv").read_text())
    wanted = scenario_blocks(data("csv_scenarios_expected_odd.csv").read_text())
    assert (len(given), len(wanted)) == (16, 8)
    assert set(wanted) <= set(given)
    for name, rows in given.items():
        with open_engine(engine_name) as engine:
            got = play_scenario(engine, rows)
            assert len(engine) == 0  # the flush at the end of each
        if name in wanted:  # the even ones came without their answers
            assert got == wanted[name], f"scenario {name}"


# Two symbols and orders with names.


def test_the_two_symbol_sample_gives_its_trades_and_what_rests(engine_name: str) -> None:
    expected = data("gemini_sample_expected.txt").read_text().split("\n\n")
    wanted_trades = [line.split() for line in expected[0].split("\n") if line]
    wanted_rest = sorted(line.split() for line in expected[1].split("\n") if line)
    names: dict[int, str] = {}
    engines: dict[str, Engine] = {}
    got_trades = []
    for line in data("gemini_sample_input.txt").read_text().splitlines():
        name, word, symbol, quantity, price = line.split()
        names[len(names) + 1] = name
        engine = engines.setdefault(symbol, open_engine(engine_name))
        side = Side.BID if word == "BUY" else Side.ASK
        for trade in trades(apply(engine, new(len(names), side, int(price), int(quantity)))):
            pair = [names[trade.order_id], names[trade.contra_order_id]]
            got_trades.append(["TRADE", symbol, *pair, str(trade.quantity), str(trade.price)])
    got_rest = sorted(
        [names[o.order_id], ("BUY", "SELL")[o.side], symbol, str(o.quantity), str(o.price)]
        for symbol, engine in engines.items()
        for side in Side
        for o in engine.orders(side)
    )
    assert got_trades == wanted_trades
    assert len(got_trades) == 3
    assert got_rest == wanted_rest
    assert len(got_rest) == 4
