"""Filters and paths: text to one typed syntax tree, and its evaluation on plain values."""

from scimsvc.protocol.filter.cost import by_attribute, conjuncts, driver, only_attribute, scans, terms
from scimsvc.protocol.filter.evaluate import matches
from scimsvc.protocol.filter.parse import parse_filter, parse_filter_of_several, parse_path
from scimsvc.protocol.filter.typed import Absent, And, Comparison, Filter, Not, Or, Path, Present, ValuePath, meaning

__all__ = [
    "Absent",
    "And",
    "Comparison",
    "Filter",
    "Not",
    "Or",
    "Path",
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
    "scans",
    "terms",
]
