"""The table of messages for C: ``python -m phase5_protocol.itch.c_table`` writes it.

C cannot read ``layouts.py``, and a compiler should see offsets as constants. So the header is
written from the table, committed, and compared with what would be written now by a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from phase5_protocol.itch.fields import COMMON, Field, Kind
from phase5_protocol.itch.layouts import LAYOUTS

PATH: Final = Path(__file__).resolve().parent.parent / "c" / "itch_fields.h"
_HEAD: Final = """\
/* itch_fields.h - every ITCH 5.0 message and field. Written by itch/c_table.py: do not edit.
 *
 * ITCH_EACH_TYPE(TYPE) is TYPE(name, letter, length) for each type, in the order in which types
 * are counted. ITCH_FIELDS_name(FIELD) is FIELD(wire, name, offset, size, kind) for each field
 * behind the type byte, the common ones first; `wire` says how to load it: u16, u32, u48, u64 (big
 * endian), or text.
 */
#ifndef PHASE5_ITCH_FIELDS_H
#define PHASE5_ITCH_FIELDS_H
"""


def c_table() -> str:
    """The text of the header."""
    types = [f"TYPE({one.name}, '{one.letter}', {one.length})" for one in LAYOUTS.values()]
    parts = [_HEAD, _macro("ITCH_EACH_TYPE(TYPE)", types)]
    parts.append(_macro("ITCH_COMMON(FIELD)", _field_lines(COMMON)))
    for layout in LAYOUTS.values():
        own = _field_lines(layout.fields[len(COMMON) :])
        parts.append(_macro(f"ITCH_FIELDS_{layout.name}(FIELD)", ["ITCH_COMMON(FIELD)", *own]))
    return "\n".join([*parts, "#endif\n"])


def wire_of(field: Field) -> str:
    """How C loads a field."""
    return "text" if field.kind is Kind.ALPHA else f"u{8 * field.size}"


def _field_lines(fields: Iterable[Field]) -> list[str]:
    return [
        f"FIELD({wire_of(field)}, {field.name}, {field.offset}, {field.size}, {field.kind})"
        for field in fields
    ]


def _macro(head: str, lines: list[str]) -> str:
    return " \\\n    ".join([f"#define {head}", *lines]) + "\n"


if __name__ == "__main__":
    PATH.write_text(c_table(), encoding="ascii")
