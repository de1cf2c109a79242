"""The public benchmark's workload: the same bytes as everybody's."""

import gzip
import hashlib
import lzma
from pathlib import Path

import numpy as np
import pytest

from contract import CommandKind, ConfigurationError, InputFileError, TimeInForce, new, shared_data
from contract import benchmark_text as text
from contract.records import RecordArray, to_command_array
from contract.workload import MESSAGES, SCENARIOS, generate, iter_generate, price_range

CANONICAL_SHA256 = {
    "static": "03c8b352d158f88487b770ab771340d8068336e331423fe214b8bbd38119016a",
    "normal": "37be5c3f9116044188a4c8dcbd589a978e693d1d1bc272b8b87ca1af83855dbb",
    "swing-25": "97d4c42b6611aeac60abf56957a9358a1b07e9dda1b8674d43d381c43cc4c3f8",
    "swing-40": "657cb2f0f17891ea0ac6d17d43ab1953c9f4786ce46cd1d1025adf9174021e85",
    "flash-crash": "d7af7a246246c1b224952a16a1272659cfe7c5658f4416ed5018b1f5fb26ae34",
}

BENCHMARK_FILES = [
    ("small_normal_seed7_n5000.csv.gz", "normal", 5_000, 7),
    ("small_static_seed7_n5000.csv.gz", "static", 5_000, 7),
    ("small_swing-40_seed7_n5000.csv.gz", "swing-40", 5_000, 7),
    ("normal_seed23_n1000000.csv.xz", "normal", 1_000_000, 23),
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_canonical_workload_is_pinned(scenario: str) -> None:
    """Guards against any change of the canonical bytes: a flag, a draw, a field."""
    commands = generate(scenario)
    assert len(commands) == MESSAGES
    assert hashlib.sha256(commands.data).hexdigest() == CANONICAL_SHA256[scenario]


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "scenario", "orders", "seed"), BENCHMARK_FILES)
def test_workload_is_the_benchmarks_own(name: str, scenario: str, orders: int, seed: int) -> None:
    """Guards against a workload that is only like the benchmark's: every message is compared."""
    path = shared_data.find(f"conformance_flash1/{name}")
    if path is None:
        pytest.skip(f"conformance_flash1/{name} is not here; see MATCHBOOK_DATA")
    expected = np.concatenate(list(text.iter_commands(path)))
    commands = generate(scenario, orders, seed)
    commands["timestamp_ns"] = 0  # the files have no times
    assert commands.tobytes() == expected.tobytes()


def test_commands_are_what_the_docstring_says() -> None:
    """Guards the reading of a message as a command: kinds, ids, times and empty fields."""
    commands = generate("flash-crash", orders=3_000, seed=5)
    kinds = commands["kind"]
    news = commands[kinds == CommandKind.NEW]
    assert sorted(news["order_id"]) == list(range(1, 3_001))
    assert set(np.unique(kinds)) == {CommandKind.NEW, CommandKind.CANCEL, CommandKind.REPLACE}
    assert set(np.unique(news["time_in_force"])) == {TimeInForce.GTC, TimeInForce.IOC}
    assert news["quantity"].min() == 1
    assert news["quantity"].max() == 100
    cancels = commands[kinds == CommandKind.CANCEL]
    assert not cancels["price"].any()
    assert not cancels["quantity"].any()
    sides = dict(zip(news["order_id"], news["side"], strict=True))
    replaces = commands[kinds == CommandKind.REPLACE]
    assert all(sides[r["order_id"]] == r["side"] for r in replaces)
    assert not (commands["timestamp_ns"] % 1_000).any()
    assert (np.diff(commands["timestamp_ns"].astype(np.int64)) >= 0).all()
    for field in ("sequence", "instrument", "account", "self_trade", "flags", "reserved"):
        assert not commands[field].any()


@pytest.mark.parametrize("chunk", [1, 7, 1_000, 10_007, 10_008, 1 << 20])
def test_chunks_are_the_whole(chunk: int) -> None:
    """Guards the seams between chunks, also where the last chunk is exactly full."""
    chunks = list(iter_generate("normal", 5_000, 7, chunk))
    assert all(len(piece) == chunk for piece in chunks[:-1])
    assert 0 < len(chunks[-1]) <= chunk
    assert np.concatenate(chunks).tobytes() == generate("normal", 5_000, 7).tobytes()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("calm", 10, 1), "scenario 'calm' is not one of static, normal"),
        (("normal", 0, 1), "orders 0"),
        (("normal", 2**28 + 1, 1), "orders 268435457"),
        (("normal", 10, -1), "seed -1"),
        (("normal", 10, 2**32), "seed 4294967296"),
        (("normal", 10, 1, 0), "chunk 0"),
    ],
)
def test_wrong_requests_are_refused_at_once(arguments: tuple[str, int, int], named: str) -> None:
    """Guards against a crash in C, or an error that comes when the first chunk is asked for."""
    with pytest.raises(ConfigurationError, match=named):
        iter_generate(*arguments)
    if len(arguments) == 3:
        with pytest.raises(ConfigurationError, match=named):
            generate(*arguments)


@pytest.mark.parametrize("orders", [1, 2, 3])
def test_smallest_workloads(orders: int) -> None:
    """Guards the ends: one order is a sell (the buys are the first half, rounded down)."""
    commands = generate("swing-25", orders, seed=0)
    news = commands[commands["kind"] == CommandKind.NEW]
    assert len(news) == orders
    assert (news["side"] == 0).sum() == orders // 2


def test_price_range_counts_prices_only() -> None:
    """Guards against the 0 that stands for no price in a cancel."""
    commands = generate("normal", orders=2_000, seed=3)
    priced = commands[commands["kind"] != CommandKind.CANCEL]
    low, high = price_range(commands)
    assert low == priced["price"].min() > 1_000
    assert high == priced["price"].max()
    with pytest.raises(ConfigurationError, match="no price"):
        price_range(commands[commands["kind"] == CommandKind.CANCEL])


# The text of the same messages.


def small() -> RecordArray:
    """A workload as its text gives it back: without times."""
    commands = generate("swing-40", orders=2_000, seed=11)
    commands["timestamp_ns"] = 0
    return commands


def test_text_there_and_back() -> None:
    """Guards that nothing but the times is lost in the text."""
    commands = small()
    written = text.format_commands(commands)
    assert written.count(b"\n") == len(commands)
    assert text.parse(written).tobytes() == commands.tobytes()
    assert text.parse(written[:-1]).tobytes() == commands.tobytes()
    assert text.parse(written.replace(b"\n", b"\r\n")).tobytes() == commands.tobytes()
    assert len(text.parse(b"")) == 0
    assert text.format_commands(commands[:0]) == b""


@pytest.mark.parametrize("block_bytes", [1, 33, 4_096, 1 << 20])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, lzma.compress])
def test_file_in_blocks(tmp_path: Path, block_bytes: int, packed: type[bytes]) -> None:
    """Guards lines cut by the end of a block, in plain and in packed files."""
    commands = small()[:300]
    path = tmp_path / "flow.csv"
    assert text.write_commands(path, [commands[:100], commands[100:]]) == 300
    path.write_bytes(packed(path.read_bytes()))
    chunks = list(text.iter_commands(path, block_bytes=block_bytes))
    assert np.concatenate(chunks).tobytes() == commands.tobytes()


@pytest.mark.parametrize("packed", [gzip.compress, lzma.compress])
def test_damaged_file(tmp_path: Path, packed: type[bytes]) -> None:
    """Guards against a packed file cut short being taken for its first half."""
    path = tmp_path / "flow.csv"
    path.write_bytes(packed(text.format_commands(small()))[:-100])
    with pytest.raises(InputFileError, match=r"flow\.csv"):
        list(text.iter_commands(path))


@pytest.mark.parametrize(
    ("line", "field", "value", "expected"),
    [
        (b"X,1,B,2,3", "type", "X", "N, C or M"),
        (b"", "type", "", "N, C or M"),
        (b"N,-5,B,2,3", "id", "-5", "an integer from 0"),
        (b"N,5,buy,2,3", "side", "buy", "B or S"),
        (b"M,5,B,2.5,3", "price", "2.5", "an integer from -9223372036854775808"),
        (b"N,5,B,2", "qty", "", "an integer from 0"),
        (b"N,5,B,2,3,G", "flag", "G", "I or nothing"),
        (b"C,5,B", "", "C,5,B", "ends after its last field"),
        (b"C,\xff\x00", "id", "\\xff\x00", "an integer"),
    ],
)
def test_wrong_line_is_named(
    tmp_path: Path, line: bytes, field: str, value: str, expected: str
) -> None:
    """Guards the message: file, line, field, value, and what would be right."""
    path = tmp_path / "flow.csv"
    path.write_bytes(b"C,1\nC,2\r\n" + line + b"\nC,4\n")
    for block_bytes in (3, 1 << 20):
        with pytest.raises(InputFileError) as caught:
            list(text.iter_commands(path, block_bytes=block_bytes))
        error = caught.value
        assert (error.where, error.field, error.value) == ("line 3", field, value)
        assert expected in str(error)
        assert str(path) in str(error)


def test_binary_file_is_refused_early(tmp_path: Path) -> None:
    """Guards against reading gigabytes in search of the first newline."""
    path = tmp_path / "flow.csv"
    path.write_bytes(bytes(1 << 16))
    chunks = text.iter_commands(path, block_bytes=4_096)
    with pytest.raises(InputFileError, match="line 1") as caught:
        next(chunks)
    assert len(str(caught.value)) < 500


def test_text_has_no_words_for_it() -> None:
    """Guards against writing a command as if it were another."""
    commands = to_command_array([new(1, 0, 5, 5), new(2, 0, 5, 5, post_only=True)])
    with pytest.raises(ValueError, match="command 1"):
        text.format_commands(commands)
