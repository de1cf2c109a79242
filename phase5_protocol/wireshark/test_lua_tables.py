"""The dissectors say the layouts that the codecs use."""

from __future__ import annotations

from phase5_protocol.itch.layouts import LAYOUTS
from phase5_protocol.wireshark.lua_tables import (
    FLAT_LUA,
    ITCH_LUA,
    flat_table,
    itch_table,
    with_table,
)


def test_the_tables_in_the_lua_files_are_those_of_the_codecs() -> None:
    """Guards against a layout changed in one place: ``lua_tables``, run, renews the files."""
    for path, table in ((ITCH_LUA, itch_table()), (FLAT_LUA, flat_table())):
        text = path.read_text()
        assert with_table(text, table) == text


def test_a_table_has_every_type_and_every_field() -> None:
    """Guards the writer of the tables itself, against an empty table that equals an empty one."""
    table = itch_table()
    for letter, layout in LAYOUTS.items():
        assert f'  {letter} = {{ name = "{layout.name}", length = {layout.length},' in table
    own_fields = sum(len(layout.fields) - 3 for layout in LAYOUTS.values())
    assert table.count("{ ") == len(LAYOUTS) + own_fields
    for field in ('"order_id", 16, "uint64"', '"price", 32, "int64"', '"reserved", 63, "uint8"'):
        assert f"  {{ {field} }},\n" in flat_table()
