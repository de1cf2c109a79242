"""Writes the tables of the dissectors from the layouts that the codecs use.

Wireshark loads a dissector where this repository is not, so the Lua files must say the layouts
themselves; that they say the same is a test. After a change of a layout::

    python -m phase5_protocol.wireshark.lua_tables
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Final

from contract.messages import RECORD_BYTES, EventKind, Reason, Side
from contract.records import EVENT_DTYPE
from phase5_protocol.itch.layouts import LAYOUTS

DIRECTORY: Final = Path(__file__).parent
ITCH_LUA: Final = DIRECTORY / "itch50.lua"
FLAT_LUA: Final = DIRECTORY / "matchbook_flat.lua"
BEGIN: Final = "-- table:begin\n"
END: Final = "-- table:end\n"
#: Fields that all ITCH messages have, which the dissector knows by itself.
_COMMON: Final = 3
_TYPES: Final = {"<u8": "uint64", "<i8": "int64", "<u4": "uint32", "|u1": "uint8"}


def itch_table() -> str:
    """``MESSAGES`` of itch50.lua."""
    lines = ["local MESSAGES = {"]
    for letter, layout in LAYOUTS.items():
        lines.append(
            f'  {letter} = {{ name = "{layout.name}", length = {layout.length}, fields = {{'
        )
        for each in layout.fields[_COMMON:]:
            lines.append(f'    {{ "{each.name}", {each.offset}, {each.size}, "{each.kind}" }},')
        lines.append("  } },")
    return "\n".join([*lines, "}", ""])


def flat_table() -> str:
    """``RECORD_BYTES``, ``FIELDS`` and ``WORDS`` of matchbook_flat.lua."""
    lines = [f"local RECORD_BYTES = {RECORD_BYTES}", "local FIELDS = {"]
    assert EVENT_DTYPE.fields is not None
    for name, (dtype, offset, *_) in EVENT_DTYPE.fields.items():
        lines.append(f'  {{ "{name}", {offset}, "{_TYPES[dtype.str]}" }},')
    lines += ["}", "local WORDS = {"]
    words: dict[str, type[IntEnum]] = {"kind": EventKind, "side": Side, "reason": Reason}
    for name, enumeration in words.items():
        pairs = ", ".join(f'[{int(one)}] = "{one.name.lower()}"' for one in enumeration)
        lines.append(f"  {name} = {{ {pairs} }},")
    return "\n".join([*lines, "}", ""])


def with_table(text: str, table: str) -> str:
    """A dissector's source with ``table`` between its marks."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return head + BEGIN + table + END + tail


def main() -> None:
    """Renew both files."""
    for path, table in ((ITCH_LUA, itch_table()), (FLAT_LUA, flat_table())):
        path.write_text(with_table(path.read_text(), table))


if __name__ == "__main__":
    main()
