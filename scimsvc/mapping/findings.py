"""Findings: what is wrong with a profile, at which line and column, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Severity = Literal["error", "warning"]
Rule = Literal[
    "canonical-value",
    "create-refused",
    "custom-attribute-name",
    "exponential-pattern",
    "filter-target",
    "group-without-members",
    "matched-by-expression",
    "no-source",
    "overlapping-rows",
    "plugin-function",
    "roles-without-expression",
    "self-service",
    "several-values",
    "switch-without-default",
    "unknown-directory",
    "unknown-source-attribute",
    "unsupported-by-entra",
]
"""The names of the rules that give warnings, for programs that read findings."""


@dataclass(frozen=True)
class Finding:
    """One problem in a file.

    Line and column count from 1; `text` is the line in the file. An error keeps a profile from being used; a warning says what
    may not be meant.
    """

    path: PurePath
    line: int
    column: int
    message: str
    text: str = ""
    severity: Severity = "error"
    rule: Rule | None = None

    def __str__(self) -> str:
        warning = "warning: " if self.severity == "warning" else ""
        place = f"{self.path}:{self.line}:{self.column}: {warning}{self.message}"
        return f"{place}\n{marked(self.text, self.column)}" if self.text else place


_SHOWN = 100
"""Characters of a line that are shown before and behind what is marked."""


def marked(line: str, column: int) -> str:
    """Return a line, shortened around a column, with a caret under the column. Both lines are indented."""
    start = max(0, column - 1 - _SHOWN)
    before, behind = line[start : column - 1], line[column - 1 : column - 1 + _SHOWN]
    cut = "…" if start else ""
    more = "…" if len(line) > column - 1 + _SHOWN else ""
    # A tab stays a tab, so that the caret is under the marked character.
    blank = "".join("\t" if character == "\t" else " " for character in cut + before)
    return f"    {cut}{before}{behind}{more}\n    {blank}^"


class ProfileError(Exception):
    """Profiles can't be used. `findings` has all findings; the message has those that are errors."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = sorted(findings, key=lambda finding: (str(finding.path), finding.line, finding.column))
        super().__init__("\n".join(str(finding) for finding in self.findings if finding.severity == "error"))
