"""Filters and paths: text to one typed syntax tree, and its evaluation on plain values."""

from scimsvc.protocol.filter.ast import Absent, And, Comparison, Filter, Not, Or, Path, Present, ValuePath, meaning
from scimsvc.protocol.filter.cost import by_attribute, conjuncts, driver, only_attribute, scans, terms
from scimsvc.protocol.filter.evaluate import matches
from scimsvc.protocol.filter.parser import parse_filter, parse_filter_of_several, parse_path

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
