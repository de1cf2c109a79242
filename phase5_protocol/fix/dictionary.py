"""Which fields there are, which messages have them, and whether a message keeps to that.

Dictionaries are files in QuickFIX's XML format, of which there are many; two small ones of our own
(``FIX42.xml``, ``FIX44.xml``: the session's messages, and those of order entry) are used unless one
is given. The root is ``<fix major= minor=>`` with these parts::

    <header>, <trailer>   members: <field name= required="Y|N"/>, <group name= required=>members,
    <messages>            <message name= msgtype=>members             <component name= required=>
    <components>          <component name=>members
    <fields>              <field number= name= type=><value enum=/>

A message is looked at in this order, and the first thing that is wrong is the one reported: header,
body and trailer in their places; required fields; then field by field as they stand: known at all,
once, with a value, of its type, one of the values listed, part of this message; and of a group the
order and the count.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from contract.errors import InputFileError
from phase5_protocol.fix.formats import FORMATS, MULTIPLE, TEXTS, count_of
from phase5_protocol.fix.message import FRAME_TAGS, Message
from phase5_protocol.fix.reasons import SessionRejectReason as Reason

#: Types of messages that the versions define: one that is not in the dictionary in use is
#: unsupported, and not invalid.
DEFINED_TYPES: Final[dict[str, frozenset[str]]] = {
    "FIX.4.2": frozenset("0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghijklm"),
    "FIX.4.4": frozenset("0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghijklmnopqrstuvwxyz")
    | {f"A{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    | {f"B{letter}" for letter in "ABCDEFGH"},
}
#: The highest tag of each version: what is above it (or below 1) is no tag at all.
LAST_TAG: Final = {"FIX.4.2": 446, "FIX.4.4": 956}

_Fields = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a message: the field (None: none in particular) and the reason."""

    tag: int | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A field: its name, its data type, and its values if they are listed."""

    tag: int
    name: str
    type: str
    values: frozenset[str]

    def problem(self, value: str) -> Reason | None:
        """What is wrong with that value, or None."""
        if not value:
            return Reason.TAG_WITHOUT_VALUE
        has_format = FORMATS.get(self.type)
        if has_format is not None and not has_format(value):
            return Reason.INCORRECT_DATA_FORMAT
        if self.values:
            parts = value.split(" ") if self.type in MULTIPLE else [value]
            if not self.values.issuperset(parts):
                return Reason.VALUE_INCORRECT
        return None


@dataclass(slots=True)
class Members:
    """What a message, an entry of a group, or a header is made of, by tag."""

    required: list[int] = field(default_factory=list)
    optional: set[int] = field(default_factory=set)
    #: The field that holds the count, to the members of an entry; also in one of the above.
    groups: dict[int, Members] = field(default_factory=dict)
    #: The first field of an entry.
    first: int = 0

    def add(self, tag: int, is_required: bool) -> None:
        """Let a field belong."""
        self.first = self.first or tag
        if is_required and tag not in self.required:
            self.required.append(tag)
        self.optional.add(tag)

    def __contains__(self, tag: int) -> bool:
        return tag in self.optional


class Dictionary:
    """The fields and messages of one version.

    Attributes:
        version: ``FIX.4.4``, say.
        fields: tag to rule.
        messages: MsgType to members.
        names: MsgType to the name of the message.
    """

    def __init__(self, root: ET.Element, path: object = "dictionary") -> None:
        """Read a dictionary; ``path`` is what errors call it.

        Raises:
            InputFileError: something is missing, or named without being defined; two fields have
                one number or one name; a field's type is none.
        """
        self._path = path
        self._root = root
        major, minor = self._attribute(root, "major"), self._attribute(root, "minor")
        self.version = f"{root.get('type', 'FIX')}.{major}.{minor}"
        self.fields: dict[int, FieldRule] = {}
        self._tags: dict[str, int] = {}
        for rule in self._read_fields():
            self._define(rule)
        self._components = {
            self._attribute(each, "name"): each for each in root.iterfind("components/component")
        }
        self.header = self._members(self._part("header"))
        self.trailer = self._members(self._part("trailer"))
        self.messages: dict[str, Members] = {}
        self.names: dict[str, str] = {}
        for message in root.iterfind("messages/message"):
            msg_type = self._attribute(message, "msgtype")
            self.messages[msg_type] = self._members(message)
            self.names[msg_type] = self._attribute(message, "name")
        self._last_tag = LAST_TAG.get(self.version, 0)

    @classmethod
    def load(cls, path: Path) -> Dictionary:
        """Read a dictionary from a file.

        Raises:
            InputFileError: it cannot be read, is no XML, or is no dictionary.
        """
        try:
            root = ET.fromstring(path.read_bytes())
        except OSError as error:
            raise InputFileError(path, "file", "", str(error), "readable") from error
        except ET.ParseError as error:
            where = "line {}, column {}".format(*error.position)
            raise InputFileError(path, where, "", str(error), "XML") from error
        return cls(root, path)

    @classmethod
    def default(cls, begin_string: str) -> Dictionary:
        """Our own dictionary of a version, ``FIX.4.2`` or ``FIX.4.4``; read once."""
        return _default(begin_string)

    def tag(self, name: str) -> int:
        """The tag of the field of that name; KeyError if there is none."""
        return self._tags[name]

    # --8<-- [start:check]
    def check(self, message: Message) -> Problem | None:
        """What is wrong with a message, or None. O(fields)."""
        members = self.messages.get(message.msg_type)
        if members is None:
            return Problem(None, Reason.INVALID_MSG_TYPE)
        header, body, trailer = self._divide(message.fields)
        for tag, _ in body + trailer:
            if tag in self.header:
                return Problem(tag, Reason.TAG_OUT_OF_ORDER)
        for tag, _ in trailer:
            if tag not in self.trailer:
                return Problem(tag, Reason.TAG_OUT_OF_ORDER)
        parts = ((self.header, header), (members, body), (self.trailer, trailer))
        for part, fields in parts:
            missing = _missing(part, (tag for tag, _ in fields))
            if missing:
                return Problem(missing, Reason.REQUIRED_TAG_MISSING)
        for part, fields in parts:
            problem = self._check_fields(part, fields)
            if problem is not None:
                return problem
        return None

    # --8<-- [end:check]

    def groups(self, message: Message, count_tag: int) -> list[_Fields]:
        """The entries of a group of the body, each with its fields; [] where there is none.

        The message has passed :meth:`check`.
        """
        members = self.messages[message.msg_type].groups[count_tag]
        entries: list[_Fields] = []
        tags = [tag for tag, _ in message.fields]
        if count_tag not in tags:
            return entries
        for tag, value in message.fields[tags.index(count_tag) + 1 :]:
            if tag == members.first:
                entries.append([])
            elif not entries or not _is_within(members, tag):
                break
            entries[-1].append((tag, value))
        return entries

    def _divide(self, fields: _Fields) -> tuple[_Fields, _Fields, _Fields]:
        """Header, body and trailer: up to the first field that is not of the header, and so on."""
        start = 0
        while start < len(fields) and fields[start][0] in self.header:
            start += 1
        end = start
        while end < len(fields) and fields[end][0] not in self.trailer:
            end += 1
        return fields[:start], fields[start:end], fields[end:]

    def _check_fields(self, members: Members, fields: _Fields) -> Problem | None:
        """Header, body or trailer, field by field."""
        seen = set(FRAME_TAGS)
        at = 0
        while at < len(fields):
            tag, value = fields[at]
            problem = self._check_field(members, tag, value, seen)
            if problem is None and self._is_data_without_length(fields, at):
                problem = Problem(tag, Reason.INCORRECT_DATA_FORMAT)
            if problem is not None:
                return problem
            at += 1
            if tag in members.groups:
                at, problem = self._check_group(tag, value, members.groups[tag], fields, at)
                if problem is not None:
                    return problem
        return None

    def _check_field(
        self, members: Members, tag: int, value: str, seen: set[int]
    ) -> Problem | None:
        """One field, which is then seen."""
        rule = self.fields.get(tag)
        if rule is None:
            is_defined = 0 < tag <= self._last_tag
            return Problem(tag, Reason.UNDEFINED_TAG if is_defined else Reason.INVALID_TAG)
        if tag in seen:
            return Problem(tag, Reason.TAG_REPEATED)
        seen.add(tag)
        reason = rule.problem(value)
        if reason is None and tag not in members:
            reason = Reason.TAG_NOT_DEFINED_FOR_MESSAGE
        return None if reason is None else Problem(tag, reason)

    def _is_data_without_length(self, fields: _Fields, at: int) -> bool:
        """Whether this is DATA, and the field before it does not say how long it is."""
        tag, value = fields[at]
        if self.fields[tag].type != "DATA":
            return False
        return at == 0 or (
            self.fields[fields[at - 1][0]].type not in ("LENGTH", "INT")
            or count_of(fields[at - 1][1]) != len(value)
        )

    def _check_group(
        self, count_tag: int, count: str, members: Members, fields: _Fields, at: int
    ) -> tuple[int, Problem | None]:
        """A repeating group that starts at ``at``: where it ends, and what is wrong with it."""
        entries = 0
        while at < len(fields) and fields[at][0] == members.first:
            entries += 1
            seen: set[int] = set()
            while at < len(fields) and fields[at][0] in members:
                tag, value = fields[at]
                if tag == members.first and seen:
                    break
                problem = self._check_field(members, tag, value, seen)
                if problem is not None:
                    return at, problem
                at += 1
                if tag in members.groups:
                    at, problem = self._check_group(tag, value, members.groups[tag], fields, at)
                    if problem is not None:
                        return at, problem
            missing = _missing(members, seen)
            if missing:
                return at, Problem(missing, Reason.REQUIRED_TAG_MISSING)
        if not entries and count_of(count) and at < len(fields) and fields[at][0] in members:
            return at, Problem(fields[at][0], Reason.GROUP_OUT_OF_ORDER)
        if count_of(count) != entries:
            return at, Problem(count_tag, Reason.INCORRECT_GROUP_COUNT)
        return at, None

    def _read_fields(self) -> Iterator[FieldRule]:
        for each in self._root.iterfind("fields/field"):
            name, number = self._attribute(each, "name"), self._attribute(each, "number")
            if not count_of(number):
                raise InputFileError(self._path, f"field {name}", "number", number, "a number")
            values = frozenset(self._attribute(value, "enum") for value in each.iterfind("value"))
            yield FieldRule(int(number), name, self._attribute(each, "type").upper(), values)

    def _define(self, rule: FieldRule) -> None:
        """Let there be a field: of a known type, with a number and a name of its own."""
        where = f"field {rule.name}"
        if rule.type not in FORMATS and rule.type not in MULTIPLE and rule.type not in TEXTS:
            raise InputFileError(self._path, where, "type", rule.type, "a data type of FIX")
        if rule.tag in self.fields:
            other = self.fields[rule.tag].name
            expected = f"a number of its own: {other} has it"
            raise InputFileError(self._path, where, "number", rule.tag, expected)
        if rule.name in self._tags:
            expected = f"a name of its own: field {self._tags[rule.name]} has it"
            raise InputFileError(self._path, where, "name", rule.name, expected)
        self.fields[rule.tag] = rule
        self._tags[rule.name] = rule.tag

    def _part(self, name: str) -> ET.Element:
        part = self._root.find(name)
        if part is None:
            raise InputFileError(self._path, "root", name, None, f"an element <{name}>")
        return part

    def _members(self, element: ET.Element) -> Members:
        members = Members()
        self._fill(members, element, True, ())
        members.required.sort()
        return members

    def _fill(
        self, members: Members, element: ET.Element, is_needed: bool, within: tuple[str, ...]
    ) -> None:
        """Add the members that stand in an element; those of a component as if they stood here."""
        for child in element:
            name = self._attribute(child, "name")
            is_required = is_needed and child.get("required") == "Y"
            if child.tag == "component":
                component = self._components.get(name)
                if component is None or name in within:
                    raise InputFileError(
                        self._path,
                        element.get("name", element.tag),
                        "component",
                        name,
                        "the name of a component that is defined, and not within itself",
                    )
                self._fill(members, component, is_required, (*within, name))
                continue
            tag = self._tags.get(name)
            if tag is None:
                raise InputFileError(
                    self._path,
                    element.get("name", element.tag),
                    child.tag,
                    name,
                    "the name of a field that is defined",
                )
            members.add(tag, is_required)
            if child.tag == "group":
                entry = Members()
                self._fill(entry, child, True, within)
                entry.required.sort()
                members.groups[tag] = entry

    def _attribute(self, element: ET.Element, name: str) -> str:
        value = element.get(name)
        if value is None:
            where = f"<{element.tag} {element.get('name', '')}>"
            raise InputFileError(self._path, where, name, None, "an attribute that is there")
        return value


def dictionary_for(given: Mapping[str, Dictionary] | None, begin_string: str) -> Dictionary:
    """The dictionary given for a version, else our own."""
    return (given or {}).get(begin_string) or Dictionary.default(begin_string)


@cache
def _default(begin_string: str) -> Dictionary:
    name = begin_string.replace(".", "")
    return Dictionary.load(Path(__file__).parent / f"{name}.xml")


def _missing(members: Members, tags: Iterable[int]) -> int:
    """The first required field that is not there, or 0."""
    there = {*FRAME_TAGS, *tags}
    return next((tag for tag in members.required if tag not in there), 0)


def _is_within(members: Members, tag: int) -> bool:
    """Whether a field belongs to an entry, or to a group within it."""
    return tag in members or any(_is_within(each, tag) for each in members.groups.values())
