"""Real trading sessions and other people's answers, replayed through the engines.

The data is not part of this repository; where it is absent these tests are skipped by name. What
the book says about these sessions stands in ``docs/results/real_data.json``, and is held against
the replay here.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from contract import Command, EventKind, Side, cancel, new
from contract.batching import apply_all
from contract.byte_source import open_bytes
from contract.records import to_command_array
from contract.reports import PUBLISHED_DIGESTS, SMALL_DIGESTS
from contract.shared_data import find
from matchbook.engines import DEFAULT_ENGINE, REGISTRY, load_engine
from matchbook.replay import itch
from matchbook.test_cli import run

pytestmark = pytest.mark.shared_data

ITCH_HOUR: Final = "itch/AAPL_20120621_0930-1030_from_lobster50.itch50.gz"
ITCH_ROWS: Final = "itch/AAPL_20120621_0930-1030_from_lobster50.rows.txt.gz"
HOUR: Final = "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz"
HOUR_LEVEL_1: Final = "lobster/AAPL_2012-06-21_34200000_37800000_orderbook_1_of_message_50.csv.gz"
FIRST_672: Final = "lobster/AAPL_2012-06-21_first672rows_orderbook_50.csv.gz"
AAPL_1: Final = "lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip"
AMZN_1: Final = "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip"
AMZN_5: Final = "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"
NORMAL: Final = "conformance_flash1/normal_seed23_n1000000.csv.xz"

RECEIPT: Final = json.loads(
    (Path(__file__).parents[1] / "docs" / "results" / "real_data.json").read_text()
)["cases"]


def data(name: str) -> Path:
    """The file, or a skip that names it."""
    path = find(name)
    if path is None:
        pytest.skip(f"real data: {name} is not here (see MATCHBOOK_DATA)")
    return path


def replay(engine: str, name: str, *options: object) -> str:
    """The output of a replay that must succeed."""
    result = run("replay", data(name), "--engine", engine, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def fast_or_long(*slow: str) -> list[object]:
    """All engines, those that take long marked so."""
    return [
        pytest.param(name, marks=pytest.mark.long) if name in slow else name for name in REGISTRY
    ]


# Nasdaq ITCH 5.0.


@pytest.mark.parametrize("engine", REGISTRY)
def test_the_itch_hour_is_rebuilt_on_every_row(engine: str) -> None:
    """Best bid and ask, prices and sizes, after each of 91,997 changes of the AAPL book."""
    options = ["--expect", data(HOUR_LEVEL_1), "--rows", data(ITCH_ROWS), "--hash"]
    text = replay(engine, ITCH_HOUR, *options)
    said = RECEIPT["itch_hour"]
    assert (said["rows"], said["messages"]) == (91_997, 92_146)
    assert "as expected: all 91,997 rows equal" in text
    assert "92,146 in " in text
    assert "A 44,399 D 41,005 E 4,067 P 2,201 X 469" in text
    assert re.search(r"anomalies +0 *\n", text)
    assert "55a6a1b6fd9c52c1f49084f2deffabf9" in text


@pytest.mark.parametrize("engine", REGISTRY)
def test_executions_re_enacted_hit_the_order_the_exchange_hit(engine: str) -> None:
    """All but 24 of 4,067; 15 of these hit an order that was entered before ours was shown."""
    options = ["--mode", "match", "--expect", data(HOUR_LEVEL_1), "--rows", data(ITCH_ROWS)]
    text = replay(engine, ITCH_HOUR, *options)
    said = RECEIPT["itch_hour"]
    assert (said["hits"], said["executions"]) == (4_043, 4_067)
    assert said["share"] == said["hits"] / said["executions"]
    assert said["entered_earlier"] + said["passed_over"] == said["misses"] == 24
    assert "4,043 of 4,067 hit the order the exchange hit, 99.41%" in text
    assert f"24; in {said['entered_earlier']} the order hit was entered earlier" in text
    assert "message 2516 (E, offset 81437): 50 shares hit ask 19300157 at 5850100" in text
    assert "as expected: all 91,997 rows equal" in text


def test_original_bytes_of_a_day_are_cut_into_its_first_thousand_messages() -> None:
    path = data("itch/nasdaq_20191230_first1000messages.itch50")
    with open_bytes(path) as stream:
        rows = [row for _, _, row in itch.iter_rows(stream, path)]
    assert Counter(row.letter for row in rows) == {b"R": 993, b"H": 3, b"Y": 3, b"S": 1}
    assert rows[0].letter == b"S"
    assert [row.symbol for row in rows if row.letter == b"R"][:3] == ["A", "AA", "AAAU"]
    text = replay(DEFAULT_ENGINE, "itch/nasdaq_20191230_first1000messages.itch50")
    assert "1,000 in " in text
    assert "0 orders in 0 books" in text


def test_original_messages_give_the_rows_their_venue_would() -> None:
    """A column taken for another would replace an order by the one that replaces it."""
    lines = data("itch/real_message_vectors_psx_20190730.jsonl").read_text().splitlines()
    names = {
        "stock_locate": "locate",
        "order_ref": "reference",
        "original_order_ref": "reference",
        "new_order_ref": "new_reference",
        "executed_shares": "shares",
        "canceled_shares": "shares",
        "shares": "shares",
        "price": "price",
        "stock": "symbol",
        "side": "side",
    }
    seen = ""
    for vector in map(json.loads, lines):
        row = itch.row_of(bytes.fromhex(vector["hex"]))
        assert row.when == vector["timestamp_ns"]
        assert row.letter == vector["type"].encode()
        wanted = {name: value for name, value in vector["expect"].items() if name in names}
        got = {name: getattr(row, names[name]) for name in wanted}
        assert got == wanted | ({"side": wanted["side"].encode()} if "side" in wanted else {})
        seen += vector["type"]
    assert seen == "SRAFECXDU"


# LOBSTER, by the windowed rule: every row.


@pytest.mark.parametrize("engine", REGISTRY)
def test_fifty_levels_follow_every_row(engine: str) -> None:
    text = replay(engine, HOUR, "--expect", data(FIRST_672))
    assert RECEIPT["lobster_aapl_50"]["rows"] == 672
    assert "as expected: 672 rows equal" in text
    assert re.search(r"anomalies +0 *\n", text)


@pytest.mark.parametrize("engine", fast_or_long("phase1", "phase2", "phase3py", "phase4"))
@pytest.mark.parametrize(
    ("name", "rows", "equal"),
    [
        (AMZN_5, AMZN_5, RECEIPT["lobster_amzn_5"]["rows"]),
        (AAPL_1, AAPL_1, RECEIPT["lobster_aapl_1"]["rows"]),
        (AMZN_1, AMZN_1, RECEIPT["lobster_amzn_1"]["rows"]),
        (HOUR, HOUR_LEVEL_1, RECEIPT["lobster_aapl_50"]["hour_rows"]),
    ],
)
def test_the_windowed_rule_holds_on_every_row(
    engine: str, name: str, rows: str, equal: int
) -> None:
    text = replay(engine, name, "--expect", data(rows))
    assert f"as expected: {equal:,} rows equal" in text
    assert re.search(r"anomalies +0 *\n", text)


def test_a_shallow_file_replayed_naively_loses_its_way() -> None:
    """What changes outside the window is not in the file: without rows the book goes wrong."""
    text = replay(DEFAULT_ENGINE, AMZN_1)
    said = RECEIPT["lobster_amzn_1"]
    unknown, crossed = said["naive_unknown_orders"], said["naive_crossed_adds"]
    assert f"{unknown + crossed:,}: {unknown:,} unknown order, {crossed:,} crossed add" in text


def test_runs_of_executions_are_one_aggressor_each() -> None:
    text = replay(DEFAULT_ENGINE, AMZN_5, "--mode", "match", "--expect", data(AMZN_5))
    said = RECEIPT["lobster_amzn_5"]
    share = f"{said['runs_equal']:,} of {said['runs']:,} gave the same fills in the same order"
    assert f"{share}, {said['share']:.2%}" in text
    assert said["share"] == said["runs_equal"] / said["runs"]
    assert f"{said['executions']:,} in these runs" in text
    assert "as expected: 153,617 rows equal" in text


# QuantCup.


def quantcup_feed() -> list[Command]:
    """A limit line is a GTC order whose id is its count among limit lines."""
    commands: list[Command] = []
    limits = 0
    with gzip.open(data("quantcup/feed.csv.gz"), "rt", newline="") as file:
        for row in csv.DictReader(file):
            number = int(row["size_or_orderid"])
            if row["kind"] == "cancel":
                commands.append(cancel(number))
                continue
            limits += 1
            side = Side[row["side"].upper()]
            account = int(row["trader"].removeprefix("ID")) + 1
            commands.append(new(limits, side, int(row["price"]), number, account=account))
    return commands


@pytest.mark.parametrize("engine", REGISTRY)
def test_the_contests_feed_gives_its_trades(engine: str) -> None:
    commands = quantcup_feed()
    assert len(commands) == RECEIPT["quantcup"]["messages"] == 35_759
    with load_engine(engine)() as book:
        events = apply_all(book, to_command_array(commands))
    trades = events[events["kind"] == EventKind.TRADE]
    fields = ("order_id", "contra_order_id", "side", "quantity", "price")
    got = list(zip(*(trades[field].tolist() for field in fields), strict=True))
    with gzip.open(data("quantcup/expected_trades.csv.gz"), "rt", newline="") as file:
        wanted = [
            (
                int(row["aggressor_order_id"]),
                int(row["resting_order_id"]),
                int(Side[row["aggressor_side"].upper()]),
                int(row["qty"]),
                int(row["resting_price"]),
            )
            for row in csv.DictReader(file)
        ]
    assert len(wanted) == RECEIPT["quantcup"]["trades"] == 16_887
    assert got == wanted


# The public benchmark.


@pytest.mark.parametrize("engine", REGISTRY)
@pytest.mark.parametrize("scenario", ["normal", "static", "swing-40"])
def test_the_small_sets_give_their_report_text(engine: str, scenario: str) -> None:
    name = f"conformance_flash1/small_{scenario}_seed7_n5000"
    text = replay(engine, f"{name}.csv.gz", "--expect", data(f"{name}.reports.txt.gz"))
    assert "report lines equal" in text
    digest = SMALL_DIGESTS[scenario, 7]
    assert digest in replay(engine, f"{name}.csv.gz", "--expect", digest)


@pytest.mark.parametrize("engine", fast_or_long("phase1", "phase3py"))
def test_the_normal_workload_gives_the_published_digest(engine: str) -> None:
    text = replay(engine, NORMAL, "--expect", PUBLISHED_DIGESTS["normal"])
    assert "1,996,097 in " in text
    assert "62,474 trade, 931,363 cancelled, 164,857 replaced, 45,949 rejected" in text


def test_a_command_left_out_of_the_workload_changes_the_digest(tmp_path: Path) -> None:
    """The digest test above would be worth nothing if it could not fail."""
    name = "conformance_flash1/small_normal_seed7_n5000"
    with gzip.open(data(f"{name}.csv.gz"), "rt") as file:
        first, *others = file
    assert first.startswith("N,")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("".join(others))
    result = run("replay", wrong, "-e", DEFAULT_ENGINE, "--expect", SMALL_DIGESTS["normal", 7])
    assert result.exit_code == 1
