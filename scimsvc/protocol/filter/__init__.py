"""Filters and paths: from text to an untyped tree (`parse`), from that to a typed filter (`bind`), and its evaluation."""

from scimsvc.protocol.filter.bind import PathText, parse_filter, parse_filter_of_several, parse_path
from scimsvc.protocol.filter.cost import by_attribute, conjuncts, driver, only_attribute, scans, terms
from scimsvc.protocol.filter.evaluate import matches
from scimsvc.protocol.filter.parse import read_filter
from scimsvc.protocol.filter.syntax import FilterText
from scimsvc.protocol.filter.typed import Absent, And, Comparison, Filter, Not, Or, Path, Present, ValuePath, meaning

__all__ = [
    "Absent",
    "And",
    "Comparison",
    "Filter",
    "FilterText",
    "Not",
    "Or",
    "Path",
    "PathText",
    "Present",
    "ValuePath",
    "by_attribute",
    "conjuncts",
    "driver",
    "matches",
    "meaning",
    "only_attribute",
    "parse_filter",
    "parse_filter_of_several",
    "parse_path",
    "read_filter",
    "scans",
    "terms",
]
