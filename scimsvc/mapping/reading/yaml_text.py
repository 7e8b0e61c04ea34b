"""YAML with places: a profile's text as nodes that know their line and column."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

import yaml

from scimsvc.mapping.findings import Finding, Rule, Severity
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.functions.values import SURROGATE
from scimsvc.mapping.reading import remedies

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_FINDINGS = 1_000
"""Errors, and warnings, that are shown of one file."""
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML."""
_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,9}")


@dataclass
class Source:
    """One file's text, the functions that its expressions may call, and the findings in it so far."""

    path: PurePath
    text: str
    registry: Registry
    findings: list[Finding] = field(default_factory=list)
    _counts: Counter[Severity] = field(default_factory=Counter)

    def complain(self, node: yaml.Node | None, message: str) -> None:
        """Add an error at a node, or at the beginning of the file if there is no node."""
        self._note(*_place(node.start_mark if node else None), message)

    def warn(self, node: yaml.Node | None, rule: Rule, message: str) -> None:
        """Add a warning of a rule at a node, or at the beginning of the file if there is no node."""
        self._note(*_place(node.start_mark if node else None), message, rule)

    def in_expression(self, node: yaml.Node, message: str, column: int, rule: Rule | None = None) -> None:
        """Add an error, or a warning of a rule, at a column, counted from 1, of the expression that a node is."""
        assert isinstance(node, yaml.ScalarNode)
        self._note(*self._line_and_column(written_at(self.text, node, column - 1)), message, rule)

    @property
    def wrong(self) -> bool:
        """Return whether there is an error among the findings."""
        return self._counts["error"] > 0

    def root(self) -> yaml.Node | None:
        """Return the document's node; None, with a finding, if the text is not YAML that a profile may be."""
        if len(self.text.encode("utf-8", "replace")) > MAX_BYTES:
            self._note(1, 1, f"a profile may have {MAX_BYTES} bytes")
            return None
        try:
            depth = 0
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                # An alias makes a small text a huge document, and nothing in a profile needs one.
                if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
                    deep = f"a profile can't be nested more than {MAX_DEPTH} deep"
                    self._note(*_place(event.start_mark), deep if depth > MAX_DEPTH else "a profile can't have aliases")
                    return None
                half = SURROGATE.search(event.value) if isinstance(event, yaml.ScalarEvent) else None
                if half:
                    self._note(*_place(event.start_mark), f"a text can't have U+{ord(half[0]):04X}, half of a character")
            found = None if self.wrong else yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self._no_yaml(error)
            return None
        except yaml.reader.ReaderError as error:
            what = f"{error.reason}: U+{ord(self.text[error.position]):04X}"
            remedy = "; save the file as UTF-8" if self.text[error.position] == "\0" else ""
            self._note(*self._line_and_column(error.position), f"not YAML: {what}{remedy}")
            return None
        if self.wrong:
            return None
        if found is None:
            self._note(1, 1, "the file is empty")
        return found

    def _no_yaml(self, error: yaml.MarkedYAMLError) -> None:
        """Note what YAML's parser says.

        If it complains only at the end of the text, note it at the beginning of the part it was reading.
        """
        mark, context = error.problem_mark, error.context_mark
        if context and (mark is None or not self.text[mark.index :].strip()):
            mark, context = context, None
        begins = f" ({context.line + 1}:{context.column + 1})" if context and mark and context.line != mark.line else ""
        about = f"{error.context}{begins}, " if error.context and error.problem else ""
        problem = f"{about}{error.problem or error.context}"
        line, column = _place(mark)
        odd = remedies.odd_indentation(self._lines, line)
        if odd:
            self._note(*odd)
            return
        hidden = remedies.unclosed_by_comment(self._lines, line) if "a flow " in problem else None
        if hidden:
            self._note(*hidden)
            return
        remedy = remedies.for_yaml(problem, self._lines, line, column, _place(context) if begins else None)
        self._note(line, column, f"not YAML: {problem}{f'; {remedy}' if remedy else ''}")

    def mapping(self, node: yaml.Node | None, what: str, known: Iterable[str]) -> dict[str, yaml.Node]:
        """Return the entries of a mapping by key. Note another type of node, and keys that are unknown or there twice."""
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{what} must be a mapping")
            return {}
        names = list(known)
        entries: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            if not isinstance(key, yaml.ScalarNode):
                self.complain(key, f"a key of {what} must be a string; known are {', '.join(names)}")
            elif name in entries:
                self.complain(key, f"{name} is here twice, first in line {lines[name]}")
            elif name not in names:
                known_are = f"{did_you_mean(name, names)}; known are {', '.join(names)}"
                self.complain(key, f"unknown key {name!r} in {what}{self._remedy_for_key(key, names) or known_are}")
            else:
                entries[name] = value
                lines[name] = key.start_mark.line + 1
        return entries

    def _remedy_for_key(self, key: yaml.ScalarNode, names: Collection[str]) -> str | None:
        """Return how to correct a key that YAML misread because of odd spaces or an expression without quotes, or None."""
        line = key.start_mark.line
        space = remedies.no_space(str(key.value), names)
        if space:
            return f"; {space}"
        remedy = remedies.odd_indentation(self._lines[line : line + 1], 1)
        value = remedies.unquoted(self._lines[line]) if line < len(self._lines) else None
        return f"; {remedy.message}" if remedy else f"; {value}" if value else None

    def sequence(self, node: yaml.Node | None, what: str) -> Iterator[yaml.Node]:
        """Yield the elements of a sequence; nothing, with a finding, if the node is something else."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
            return
        if not isinstance(node, yaml.SequenceNode):
            self.complain(node, f"{what} must be a list")
            return
        for one in node.value:
            if self._counts["error"] > MAX_FINDINGS:
                return
            yield one

    def text_of(self, node: yaml.Node | None, what: str) -> str | None:
        """Return the text of a scalar, as it is written; None if it is missing or, with a finding, not a scalar."""
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            empty = isinstance(node, yaml.ScalarNode) and not node.value
            hidden = remedies.comment(self._lines[node.start_mark.line]) if empty else None
            self.complain(node, f"{what} must be a string{f'; {hidden[1]}' if hidden else _in_brackets(node, what)}")
            return None
        return str(node.value)

    def typed(self, node: yaml.Node | None, kind: type[Any], what: str) -> Any:
        """Return the value of a scalar of a type, int or bool; None if it is missing or, with a finding, of another type."""
        if node is None:
            return None
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if kind is int and plain and _WHOLE_NUMBER.fullmatch(node.value):
            return int(node.value)
        if kind is bool and plain and node.tag.endswith(":bool"):
            return node.value.lower() in ("true", "yes", "on")
        self.complain(node, f"{what} must be {'an integer' if kind is int else 'true or false'}")
        return None

    def _note(self, line: int, column: int, message: str, rule: Rule | None = None) -> None:
        severity: Severity = "warning" if rule else "error"
        self._counts[severity] += 1
        if self._counts[severity] > MAX_FINDINGS + 1:
            return
        if self._counts[severity] > MAX_FINDINGS:
            message = "and more, here and elsewhere"
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        self.findings.append(Finding(self.path, line, column, message, text, severity, rule))

    @cached_property
    def _lines(self) -> list[str]:
        return _BREAK.split(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        """Return the offsets at which the lines begin."""
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    def _line_and_column(self, place: int) -> tuple[int, int]:
        line = bisect_right(self._starts, place)
        return line, place - self._starts[line - 1] + 1


def _place(mark: Any) -> tuple[int, int]:
    """Return line and column of YAML's mark, counted from 1; the beginning of the file if there is no mark."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def end_of(text: str) -> tuple[int, int]:
    """Return line and column of the end of a text, counted from 1."""
    lines = _BREAK.split(text)
    return len(lines), len(lines[-1]) + 1


_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_CONTINUED = re.compile(rf"\\(?:{_BREAK.pattern})[ \t]*")


def written_at(text: str, node: yaml.ScalarNode, offset: int) -> int:
    """Return the offset in a YAML text at which the character of a scalar's value at `offset` is written.

    Quotation marks, escapes, indentation and folded lines are in the text and not in the value.
    """
    place = node.start_mark.index
    if node.style in ("|", ">"):
        header = _BREAK.search(text, place)
        place = header.end() if header and node.value else place
    elif node.style:
        place += 1
    for character in node.value[:offset]:
        place = _next(text, place, character, node.style)
        written = _ESCAPE.match(text, place) if node.style == '"' else None
        written = written or _BREAK.match(text, place)
        place = written.end() if written else place + (2 if node.style == "'" and character == "'" else 1)
    return _next(text, place, node.value[offset], node.style) if offset < len(node.value) else place


def _next(text: str, place: int, character: str, style: str | None) -> int:
    """Return the offset of a character of the value at or after a place, past what is only in the text."""
    while place < len(text):
        continued = _CONTINUED.match(text, place) if style == '"' else None
        end = _BREAK.match(text, place)
        if continued:
            place = continued.end()
        elif text[place] == character or (end and character in " \n") or not (end or text[place] in " \t"):
            break
        else:
            place = end.end() if end else place + 1
    return place


def _in_brackets(node: yaml.Node, what: str) -> str:
    """Return how to write a text that YAML reads as a list, such as `source: [mail]`; an empty string for anything else."""
    entry = node.value[0] if isinstance(node, yaml.SequenceNode) and len(node.value) == 1 else None
    if not isinstance(entry, yaml.ScalarNode):
        return ""
    if what == "expression":
        return f"; put it in single quotes: '[{entry.value}]'"
    return f"; write {what}: {entry.value} without brackets" if what == "source" else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` if a known name is similar, else an empty string."""
    spellings = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), spellings, 1)
    return f", did you mean {spellings[close[0]]!r}?" if close else ""
