"""The two 64-byte records: one layout in Python, in numpy and in C, pinned to the byte."""

import json
import os
import re
import shutil
import struct
import subprocess
from dataclasses import asdict, fields
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest

import cbuild
from contract import canonical, messages
from contract.messages import Command, Event
from contract.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    empty_commands,
    empty_events,
    to_command_array,
    to_commands,
    to_event_array,
    to_events,
)

ROOT = Path(__file__).resolve().parent.parent

# The layout, written down once more by hand: offset and struct code of every field.
COMMAND_LAYOUT = {
    "sequence": (0, "Q"),
    "timestamp_ns": (8, "Q"),
    "order_id": (16, "Q"),
    "price": (24, "q"),
    "quantity": (32, "Q"),
    "reserved": (40, "q"),
    "instrument": (48, "I"),
    "account": (52, "I"),
    "kind": (56, "B"),
    "side": (57, "B"),
    "order_type": (58, "B"),
    "time_in_force": (59, "B"),
    "self_trade": (60, "B"),
    "flags": (61, "B"),
    "reserved2": (62, "H"),
}
EVENT_LAYOUT = {
    "sequence": (0, "Q"),
    "timestamp_ns": (8, "Q"),
    "order_id": (16, "Q"),
    "contra_order_id": (24, "Q"),
    "price": (32, "q"),
    "quantity": (40, "Q"),
    "leaves": (48, "Q"),
    "instrument": (56, "I"),
    "kind": (60, "B"),
    "side": (61, "B"),
    "reason": (62, "B"),
    "reserved": (63, "B"),
}
ORDER_LAYOUT = {
    "order_id": (0, "Q"),
    "price": (8, "q"),
    "quantity": (16, "Q"),
    "timestamp_ns": (24, "Q"),
    "account": (32, "I"),
    "self_trade": (36, "B"),
    "flags": (37, "B"),
    "side": (38, "H"),
}
RECORDS = [
    pytest.param(COMMAND_LAYOUT, COMMAND_DTYPE, Command, id="command"),
    pytest.param(EVENT_LAYOUT, EVENT_DTYPE, Event, id="event"),
]

ENUMERATIONS: dict[str, type[IntEnum]] = {
    "SIDE": messages.Side,
    "COMMAND": messages.CommandKind,
    "EVENT": messages.EventKind,
    "ORDER_TYPE": messages.OrderType,
    "TIME_IN_FORCE": messages.TimeInForce,
    "SELF_TRADE": messages.SelfTrade,
    "REASON": messages.Reason,
}


def extremes(code: str) -> tuple[int, int]:
    bits = 8 * struct.calcsize(f"<{code}")
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if code == "q" else (0, 2**bits - 1)


@pytest.mark.parametrize(("layout", "dtype", "record"), RECORDS)
def test_numpy_layout(
    layout: dict[str, tuple[int, str]], dtype: "np.dtype[np.void]", record: type
) -> None:
    """Guards against a field moved, resized or padded in the numpy type."""
    assert dtype.itemsize == messages.RECORD_BYTES == 64
    assert dtype.fields is not None
    assert {name: (dtype.fields[name][1], dtype[name].str) for name in dtype.names or ()} == {
        name: (offset, np.dtype(f"<{code}").str) for name, (offset, code) in layout.items()
    }
    assert {field.name for field in fields(record)} == set(layout)


@pytest.mark.parametrize("record", [Command, Event], ids=["command", "event"])
@pytest.mark.parametrize("end", [0, 1], ids=["smallest", "largest"])
def test_every_field_alone(record: type[Command] | type[Event], end: int) -> None:
    """Guards against two fields swapped: each is written alone and found where it belongs."""
    layout = COMMAND_LAYOUT if record is Command else EVENT_LAYOUT
    dtype = COMMAND_DTYPE if record is Command else EVENT_DTYPE
    for name, (offset, code) in layout.items():
        value = extremes(code)[end]
        packed = record(**{"kind": 0, name: value}).pack()
        expected = bytearray(64)
        struct.pack_into(f"<{code}", expected, offset, value)
        assert packed == expected, name
        assert np.frombuffer(packed, dtype)[name][0] == value
        assert getattr(record.unpack_from(packed), name) == value
        assert getattr(record.unpack_from(b"\xff" * 64 + packed, 64), name) == value


def test_a_number_that_does_not_fit_is_refused() -> None:
    """Guards against numbers cut short on their way into a record."""
    for name, (_, code) in COMMAND_LAYOUT.items():
        for value in (extremes(code)[0] - 1, extremes(code)[1] + 1):
            with pytest.raises(struct.error):
                Command(**{"kind": 1, name: value}).pack()


def test_round_trips() -> None:
    """Guards against a field that goes into an array and does not come out of it."""
    command = Command(*range(1, 16))
    event = Event(*range(1, 13))
    assert len(set(asdict(command).values())) == 15
    assert len(set(asdict(event).values())) == 12
    assert to_commands(to_command_array([command, command])) == [command, command]
    assert to_events(to_event_array([event])) == [event]
    assert to_commands(command.pack()) == [command]
    assert Command.unpack_from(command.pack()) == command
    assert Event.unpack_from(event.pack()) == event
    assert to_command_array([]).shape == to_event_array([]).shape == (0,)
    assert to_commands(to_command_array([])) == []
    assert to_events(b"") == []


def test_arrays_can_be_written_to() -> None:
    """Guards against a read-only array where a caller wants to stamp sequence numbers."""
    array = to_command_array([Command(1)])
    array["sequence"] = 9
    assert to_commands(array)[0].sequence == 9
    assert empty_commands(3).tobytes() == empty_events(3).tobytes() == bytes(192)
    assert array.flags.c_contiguous


def test_words_of_no_meaning_are_shown() -> None:
    """Guards against an exception while printing a record that came from outside."""
    assert "CommandKind(9)" in str(Command(9))
    assert "flags=3" in str(Command(1, flags=3))
    assert "reserved=1,2" in str(Command(1, reserved=1, reserved2=2))
    assert "type=7" in str(Command(1, order_type=7))
    assert "Side(7)" in str(Event(5, side=7))


@pytest.fixture(scope="module")
def c_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Every offset, size and constant as a C compiler sees contract/c/contract.h."""
    layouts = [
        ("command_record", COMMAND_LAYOUT),
        ("event_record", EVENT_LAYOUT),
        ("order_image", ORDER_LAYOUT),
    ]
    lines = []
    for record, layout in layouts:
        lines.append(f'SAY("{record}", sizeof({record}))')
        for name in layout:
            lines.append(f'SAY("{record}.{name}", offsetof({record}, {name}))')
            lines.append(f'SAY("sizeof {record}.{name}", sizeof((({record} *)0)->{name}))')
            lines.append(f'SAY("signed {record}.{name}", SIGNED({record}, {name}))')
    constants = [f"{p}_{member.name}" for p, e in ENUMERATIONS.items() for member in e]
    lines += [f'SAY("{name}", {name})' for name in [*constants, "FLAG_POST_ONLY", "MAX_QUANTITY"]]
    source = tmp_path_factory.mktemp("layout") / "layout.c"
    source.write_text(
        '#include "contract/c/contract.h"\n#include <stdio.h>\n'
        "#define SIGNED(t, f) ((((t){.f = (__typeof__(((t *)0)->f))-1}).f) < 1)\n"
        "#define SAY(name, value) \\\n"
        '    printf("\\"%s\\": %llu,\\n", name, (unsigned long long)(value));\n'
        "int main(void)\n{\n" + "\n".join(lines) + '\nputs("\\"end\\": 0");\nreturn 0;\n}\n'
    )
    compiler = os.environ.get("CC") or shutil.which("cc") or "gcc"
    program = source.with_suffix("")
    flags = [flag for flag in cbuild.compile_flags(native=False) if "-W" not in flag]
    build = [*compiler.split(), *flags, f"-I{ROOT}", str(source), "-o", str(program)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    run = subprocess.run([program], check=True, capture_output=True, text=True)
    facts: dict[str, int] = json.loads("{" + run.stdout + "}")
    return facts


@pytest.mark.parametrize(
    ("record", "layout", "size"),
    [
        ("command_record", COMMAND_LAYOUT, 64),
        ("event_record", EVENT_LAYOUT, 64),
        ("order_image", ORDER_LAYOUT, 40),
    ],
)
def test_c_layout(
    record: str, layout: dict[str, tuple[int, str]], size: int, c_facts: dict[str, int]
) -> None:
    """Guards against a struct that a compiler, or an edit, lays out in another way."""
    assert c_facts[record] == size
    for name, (offset, code) in layout.items():
        assert c_facts[f"{record}.{name}"] == offset, name
        assert c_facts[f"sizeof {record}.{name}"] == struct.calcsize(f"<{code}"), name
        assert bool(c_facts[f"signed {record}.{name}"]) == (code == "q"), name


def test_c_constants(c_facts: dict[str, int]) -> None:
    """Guards against an enumeration that grew in one language only."""
    for prefix, enumeration in ENUMERATIONS.items():
        for member in enumeration:
            assert c_facts[f"{prefix}_{member.name}"] == member.value
    assert c_facts["FLAG_POST_ONLY"] == messages.Flag.POST_ONLY
    assert c_facts["MAX_QUANTITY"] == messages.MAX_QUANTITY == 2**40 - 1


def test_c_has_no_more_constants_than_python() -> None:
    """Guards against a reason that an engine can give and Python has no word for."""
    header = (ROOT / "contract" / "c" / "contract.h").read_text()
    for prefix, enumeration in ENUMERATIONS.items():
        named = {word for word in _identifiers(header) if word.startswith(f"{prefix}_")}
        assert named == {f"{prefix}_{member.name}" for member in enumeration}


def test_the_image_of_an_order_in_python() -> None:
    """Guards against a snapshot written in another layout than C reads."""
    assert canonical.ORDER.size == 40
    assert canonical.HEADER.size == 32
    assert canonical.ORDER.format == "<" + "".join(code for _, code in ORDER_LAYOUT.values())


def _identifiers(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))
