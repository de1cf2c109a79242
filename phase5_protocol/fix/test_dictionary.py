from __future__ import annotations

import gzip
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputFileError
from contract.shared_data import find
from phase5_protocol.fix.dictionary import Dictionary, Problem
from phase5_protocol.fix.formats import FORMATS
from phase5_protocol.fix.message import FRAME_TAGS, Message
from phase5_protocol.fix.reasons import SessionRejectReason as Reason

FIX44 = Dictionary.default("FIX.4.4")
HEADER = [(34, "2"), (49, "A"), (52, "20240101-00:00:00"), (56, "B")]
ORDER = [(11, "x"), (55, "IBM"), (54, "1"), (60, "20240101-00:00:00"), (38, "5"), (40, "1")]


def check(*extra: tuple[int, str], msg_type: str = "D") -> Problem | None:
    return FIX44.check(Message(msg_type, [*HEADER, *ORDER, *extra], "FIX.4.4"))


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ((), None),
        (((59, "9"),), Problem(59, Reason.VALUE_INCORRECT)),
        (((44, "1e5"),), Problem(44, Reason.INCORRECT_DATA_FORMAT)),
        (((58, ""),), Problem(58, Reason.TAG_WITHOUT_VALUE)),
        (((11, "y"),), Problem(11, Reason.TAG_REPEATED)),
        (((35, "D"),), Problem(35, Reason.TAG_OUT_OF_ORDER)),
        (((10, "000"),), Problem(10, Reason.TAG_REPEATED)),
        (((50, "desk"),), Problem(50, Reason.TAG_OUT_OF_ORDER)),
        (((93, "3"), (89, "abc"), (58, "x")), Problem(58, Reason.TAG_OUT_OF_ORDER)),
        (((93, "3"), (89, "abc")), None),
        (((93, "4"), (89, "abc")), Problem(89, Reason.INCORRECT_DATA_FORMAT)),
        (((355, "abc"),), Problem(355, Reason.INCORRECT_DATA_FORMAT)),
        (((150, "0"),), Problem(150, Reason.TAG_NOT_DEFINED_FOR_MESSAGE)),
        (((900, "0"),), Problem(900, Reason.UNDEFINED_TAG)),
        (((957, "0"),), Problem(957, Reason.INVALID_TAG)),
        (((-5, "0"),), Problem(-5, Reason.INVALID_TAG)),
        (((18, "1 G"),), None),
        (((18, "1 ~"),), Problem(18, Reason.VALUE_INCORRECT)),
        # Groups: 453 entries of 448, 447, 452 and the inner group 802 of 523, 803.
        (((453, "1"), (448, "p"), (447, "D"), (452, "1")), None),
        (((453, "2"), (448, "p"), (452, "1"), (448, "q")), None),
        (((453, "0"),), None),
        (((453, "2"), (448, "p")), Problem(453, Reason.INCORRECT_GROUP_COUNT)),
        (((453, "1"), (448, "p"), (448, "q")), Problem(453, Reason.INCORRECT_GROUP_COUNT)),
        (((453, "1"), (447, "D"), (448, "p")), Problem(447, Reason.GROUP_OUT_OF_ORDER)),
        (((453, "1"),), Problem(453, Reason.INCORRECT_GROUP_COUNT)),
        (((453, "1"), (448, "p"), (452, "1"), (452, "1")), Problem(452, Reason.TAG_REPEATED)),
        (((453, "1"), (448, "p"), (452, "x")), Problem(452, Reason.INCORRECT_DATA_FORMAT)),
        (((453, "-1"),), Problem(453, Reason.INCORRECT_DATA_FORMAT)),
        (((448, "p"),), Problem(448, Reason.TAG_NOT_DEFINED_FOR_MESSAGE)),
        (((453, "1"), (448, "p"), (802, "2"), (523, "a"), (523, "b"), (447, "D")), None),
        (
            ((453, "1"), (448, "p"), (802, "1"), (523, "a"), (523, "b")),
            Problem(802, Reason.INCORRECT_GROUP_COUNT),
        ),
    ],
)
def test_check(extra: tuple[tuple[int, str], ...], expected: Problem | None) -> None:
    """A wrong reason, or a wrong field, sends the other side's programmer to the wrong place."""
    assert check(*extra) == expected


def test_required() -> None:
    """An order without what makes it one must not reach the application."""
    for tag, _ in [*HEADER, *ORDER]:
        message = Message("D", [field for field in [*HEADER, *ORDER] if field[0] != tag])
        needed = tag != 38
        expected = Problem(tag, Reason.REQUIRED_TAG_MISSING) if needed else None
        assert FIX44.check(message) == expected, tag
    assert check(msg_type="*") == Problem(None, Reason.INVALID_MSG_TYPE)


def test_groups() -> None:
    """An entry cut at the wrong place gives one party's role to another."""
    fields = [(453, "2"), (448, "p"), (802, "1"), (523, "a"), (452, "1"), (448, "q"), (58, "t")]
    message = Message("D", [*HEADER, *ORDER, *fields])
    assert FIX44.check(message) is None
    assert FIX44.groups(message, 453) == [
        [(448, "p"), (802, "1"), (523, "a"), (452, "1")],
        [(448, "q")],
    ]
    assert FIX44.groups(Message("D", [*HEADER, *ORDER]), 453) == []


FIELDS = st.lists(
    st.tuples(
        st.sampled_from([*sorted(FIX44.fields), 0, -1, 900, 99999]),
        st.sampled_from(["", "0", "1", "2", "Y", "x", "20240101-00:00:00"]),
    ),
    max_size=12,
)


@given(st.sampled_from([*FIX44.messages, "?"]), FIELDS)
def test_any_fields_at_all(msg_type: str, fields: list[tuple[int, str]]) -> None:
    """A message that the dictionary cannot judge must not get an exception out of the session."""
    problem = FIX44.check(Message(msg_type, HEADER + fields))
    if problem is not None and problem.reason is not Reason.REQUIRED_TAG_MISSING:
        there = {tag for tag, _ in fields}
        assert problem.tag is None or problem.tag in there


@pytest.mark.parametrize(
    ("type_name", "good", "bad"),
    [
        ("INT", "0 -5 007", "+5 5.0 - x 1e3 ٣"),
        ("PRICE", "1 1.5 -1.5 .5 1. 002000.00", "+1 . - -. 1,5 1e5 nan inf x 1.2.3"),
        ("CHAR", "1 a", "12"),
        ("BOOLEAN", "Y N", "y 1 YES"),
        ("SEQNUM", "0 12", "-1 x"),
        ("UTCTIMESTAMP", "20240229-23:59:60.123 20240101-00:00:00", "20230229-00:00:00 20240101"),
        ("UTCTIMESTAMP", "20240101-00:00:00.123456789", "20240101-24:00:00 20240101-00:00:00.1x"),
        ("UTCDATEONLY", "20240101", "20241301 2024011 202401011"),
        ("UTCTIMEONLY", "23:59:59.5", "24:00:00 1:00:00"),
        ("MONTHYEAR", "202401 20240115 202401w1", "202413 2024 202401w6"),
        ("DAYOFMONTH", "1 31", "0 32 01"),
    ],
)
def test_formats(type_name: str, good: str, bad: str) -> None:
    """A number that Python reads and FIX does not know ("1_0", "+5", "nan") is nobody's price."""
    assert all(FORMATS[type_name](value) for value in good.split(" "))
    for value in [*bad.split(" "), "", " 1", "1_0", "1\n"]:
        assert not FORMATS[type_name](value) or (type_name == "CHAR" and len(value) == 1), value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<fix", "XML"),
        ("<fix major='4'/>", "minor"),
        ("<fix major='4' minor='4'/>", "header"),
        (
            "<fix major='4' minor='4'><header><field name='X' required='N'/></header>"
            "<trailer/></fix>",
            "'X'",
        ),
        (
            "<fix major='4' minor='4'><header><component name='C' required='N'/></header>"
            "<trailer/><components><component name='C'><component name='C' required='N'/>"
            "</component></components></fix>",
            "'C'",
        ),
        (
            "<fix major='4' minor='4'><header/><trailer/><fields>"
            "<field number='x' name='N' type='INT'/></fields></fix>",
            "number",
        ),
        *(
            (
                "<fix major='4' minor='4'><header/><trailer/><fields>"
                f"<field number='1' name='A' type='INT'/>{field}</fields></fix>",
                complaint,
            )
            for field, complaint in (
                (
                    "<field number='1' name='B' type='INT'/>",
                    "d.xml: field B: number: 1 is .* A has",
                ),
                (
                    "<field number='2' name='A' type='INT'/>",
                    "d.xml: field A: name: 'A' is .* 1 has",
                ),
                ("<field number='2' name='B' type='PRIZE'/>", "d.xml: field B: type: 'PRIZE'"),
                ("<field number='0' name='B' type='INT'/>", "d.xml: field B: number: '0'"),
                ("<field number='²' name='B' type='INT'/>", "d.xml: field B: number"),
            )
        ),
    ],
)
def test_a_broken_dictionary(text: str, complaint: str, tmp_path: Path) -> None:
    """A user's dictionary with a slip must be refused with its place, not half used."""
    path = tmp_path / "d.xml"
    path.write_text(text)
    with pytest.raises(InputFileError, match=complaint):
        Dictionary.load(path)


def test_no_such_dictionary(tmp_path: Path) -> None:
    """A path that is wrong is an operating failure like any other."""
    with pytest.raises(InputFileError, match="readable"):
        Dictionary.load(tmp_path / "none.xml")


#: Where our own dictionary asks for more than QuickFIX's: Symbol in every Instrument.
STRICTER = {"FIX.4.4": {55}, "FIX.4.2": set()}


@pytest.mark.shared_data
@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.4"])
def test_ours_is_a_part_of_quickfix_s(version: str) -> None:
    """A wrong number or type in a dictionary typed by hand refuses what everybody else takes."""
    name = f"fix/quickfix_{version.replace('.', '')}.xml.gz"
    path = find(name)
    if path is None:
        pytest.skip(f"real data: {name} is not here")
    ours = Dictionary.default(version)
    full = Dictionary(ET.fromstring(gzip.decompress(path.read_bytes())), path)
    for tag, rule in ours.fields.items():
        theirs = full.fields[tag]
        assert (rule.name, rule.type) == (theirs.name, theirs.type)
        assert rule.values <= theirs.values
    for msg_type, members in ours.messages.items():
        their = full.messages[msg_type]
        assert ours.names[msg_type] == full.names[msg_type]
        assert members.optional <= their.optional
        assert set(members.required) ^ set(their.required) <= STRICTER[version]
        for count_tag, group in members.groups.items():
            assert group.first == their.groups[count_tag].first
            assert group.optional <= their.groups[count_tag].optional
    assert ours.header.optional == full.header.optional
    assert set(ours.header.required) == set(full.header.required) >= set(FRAME_TAGS[:3])
