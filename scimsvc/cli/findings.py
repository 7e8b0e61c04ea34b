"""Findings of `scimsvc mappings check` as text, as JSON, or as annotations that GitHub shows beside the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import orjson

from scimsvc.mapping import Finding

FORMATS = ("text", "json", "github")


def show_findings(findings: Mapping[Path, Sequence[Finding]], format_: str, strict: bool) -> bool:
    """Print the findings of each file. Return whether one is an error, or with `strict` a warning."""
    every = [finding for of_file in findings.values() for finding in of_file]
    if format_ == "json":
        click.echo(orjson.dumps([_in_json(finding) for finding in every], option=orjson.OPT_INDENT_2))
    elif format_ == "github":
        for finding in every:
            click.echo(annotation(finding))
    else:
        for path, of_file in findings.items():
            if not _fails(of_file, strict):
                click.echo(f"{path}: ok")
            for finding in of_file:
                click.echo(str(finding), err=True)
    return _fails(every, strict)


def annotation(finding: Finding) -> str:
    """Return a finding as a workflow command of GitHub Actions: `::error file=a.yaml,line=1,col=2::message`."""
    file, message = _escaped(str(finding.path)).replace(":", "%3A").replace(",", "%2C"), _escaped(finding.message)
    return f"::{finding.severity} file={file},line={finding.line},col={finding.column}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _in_json(finding: Finding) -> dict[str, str | int]:
    return {
        "file": str(finding.path),
        "line": finding.line,
        "column": finding.column,
        "severity": finding.severity,
        "message": finding.message,
        **({"rule": finding.rule} if finding.rule else {}),
    }


def _fails(findings: Sequence[Finding], strict: bool) -> bool:
    return any(strict or finding.severity == "error" for finding in findings)
