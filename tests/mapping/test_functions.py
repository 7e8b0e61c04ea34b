"""What the functions of expressions do at their edges, which calls they refuse, and that no value breaks them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.functions import FunctionError, Ignored, installed
from scimsvc.mapping.functions.moments import NO_CURRENT_DATE, Moment, read, read_as, write

TEXT = {"t": "John Doe", "e": "", "n": None, "m": ["a", "B", "a"], "i": 7, "b": True}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ('Append([n], "x")', None),
        ('Append([e], "x")', "x"),
        ("Append([t], [n])", "John Doe"),
        ('Append([i], "x")', "7x"),
        ("Left([t], 0)", ""),
        ("Left([t], -1)", "John Doe"),
        ("Left([t], 99)", "John Doe"),
        ("Left([n], 3)", ""),
        ('Left([t], "2")', "Jo"),
        ("Mid([t], 6, 99)", "Doe"),
        ("Mid([t], 9, 1)", ""),
        ("Mid([t], 99, 1)", ""),
        ("Mid([t], 0, 2)", "Jo"),
        ("Mid([t], 1, -1)", ""),
        ('Mid([t], "1", "1")', "J"),
        ("Mid([n], 1, 1)", None),
        ('InStr([t], "x")', 0),
        ('InStr([t], "john")', 0),
        ('InStr([t], "john", 1, vbTextCompare)', 1),
        ('InStr([t], "john", , vbTextCompare)', 1),
        ('InStr([t], "o", 3)', 7),
        ('InStr([t], "o", 99)', 0),
        ('InStr([n], "o")', 0),
        ('InStr("\u0130x", "X", 1, vbTextCompare)', 2),
        ('Split([n], ",")', None),
        ('Split([e], ",")', None),
        ('Split("a,,b", ",")', ["a", "", "b"]),
        ('Split("a, b")', ["a", "b"]),
        ('Split("a; b", ";")', ["a", "b"]),
        ('Split("a", ",")', ["a"]),
        ('StripSpaces(" a b\tc ")', "ab\tc"),
        ('Word("one two", 0, " ")', ""),
        ('Word("one two", 3, " ")', ""),
        ('Word("one", 1, " ")', ""),
        ('Word("one  two", 2, " ")', "two"),
        ('Word("a]b^c", 3, "]^")', "c"),
        ('Word([n], 1, " ")', ""),
        ("ToUpper([n])", None),
        ('ToUpper("straße")', "STRAßE"),
        ('ToLower("İI")', "İi"),
        ('ToLower("İI", "tr-TR")', "i\u0131"),
        ('ToUpper("i\u0131", "tr-TR")', "İI"),
        ('ToUpper("i\u0131", "en-US")', "I\u0131"),
        ('ToLower("ÀÉ", )', "àé"),
        ('PCase("a1b2 c_d")', "A1b2 C_D"),
        ('PCase("ÉCOLE D\'ÉTÉ")', "École D'Été"),
        ('PCase("mary-ann o\'neil", " ")', "Mary-ann O'neil"),
        ('PCase("a b", "")', "A b"),
        ("PCase([n])", None),
        ('NormalizeDiacritics("äöüÄÖÜß")', "aouAOUss"),
        ('NormalizeDiacritics("æøåÆØÅǿ")', "aeoeaAEOEAoe"),
        ('NormalizeDiacritics("łŁıİđþ")', "lLiIđþ"),
        ('NormalizeDiacritics("a\u0304\u0301 œ œ\u0304")', "a œ oe"),
        ('NormalizeDiacritics("Й Ё が é")', "Й Ё が e"),
        ('NormalizeDiacritics("ș ț ǟ ṻ ṳ̄")', "s t a u u"),
        ("NormalizeDiacritics([n])", None),
        ("Count([m])", 3),
        ("Count([t])", 1),
        ("Count([n])", 0),
        ("Item([m], 2)", "B"),
        ("Item([m], 4)", None),
        ("Item([t], 1)", "John Doe"),
        ("Item([n], 1)", None),
        ("RemoveDuplicates([m])", ["a", "B"]),
        ("RemoveDuplicates([n])", None),
        ("RemoveDuplicates(IgnoreFlowIfNullOrEmpty([n]))", None),
        ("Count(IgnoreFlowIfNullOrEmpty([n]))", 0),
        ('RemoveDuplicates(CDate("2021-03-04"))', ["3/4/2021 12:00:00 AM"]),
        ('Switch([t], CDate("2021-03-04"), "x", "y")', "3/4/2021 12:00:00 AM"),
        ('Prepend("Dr. ", [t])', "Dr. John Doe"),
        ('Prepend("Dr. ", [n])', None),
        ("IsNothing([n])", True),
        ('PCase("JOSE\u0301PHINE \u00c9MILE")', "Jose\u0301phine \u00c9mile"),
        ('ToLower("\u03a3\u0391\u03a3")', "\u03c3\u03b1\u03c3"),
        ('DateDiff("ww", CDate("0001-01-01"), CDate("0001-01-14"))', 2),
        ('CDate("16 Mar 2020")', "3/16/2020 12:00:00 AM"),
        ('CDate("March 16, 2020 7:00 PM")', "3/16/2020 7:00:00 PM"),
        ('CDate("Mon, 16 Mar 2020 07:00:00 GMT")', "3/16/2020 7:00:00 AM"),
        ('CDate("3/16/20")', "3/16/2020 12:00:00 AM"),
        ('Join(",", RemoveDuplicates([m]))', "a,B"),
        ("Coalesce([n], [e], [t])", "John Doe"),
        ('Coalesce([n], "")', ""),
        ("Coalesce([n], [e])", ""),
        ("Coalesce([e], [n])", None),
        ("IsNull([e])", False),
        ("IsNull([n])", True),
        ("IsNullOrEmpty([t])", False),
        ("IsPresent([t])", True),
        ("IsPresent([e])", False),
        ("IsPresent([n])", False),
        ("IsString([t])", True),
        ("IsString([m])", False),
        ("IsString([n])", False),
        ("Not([b])", False),
        ('Not("true")', False),
        ("Not([n])", True),
        ('Not("x")', True),
        ("Not(Not([b]))", True),
        ("CBool(2)", True),
        ("CBool(0)", False),
        ('CBool("0")', False),
        ('CBool("False")', False),
        ("CBool([n])", False),
        ('CBool([t] <> "x")', True),
        ("CStr([i])", "7"),
        ("CStr([b])", "True"),
        ("CStr([n])", None),
        ('CStr(BitAnd("&HF", 3))', "3"),
        ("BitAnd(-1, 6)", 6),
        ('ConvertToBase64("")', ""),
        ("ConvertToBase64([n])", None),
        ('ConvertToUTF8Hex("é")', "C3A9"),
        ('IIF([e]="", "yes", "no")', "no"),
        ('IIF([n]<>"x", "yes", "no")', "no"),
        ('IIF("x"=[n], "yes", "no")', "no"),
        ('IIF(StripSpaces([e])="", "yes", "no")', "yes"),
        ('IIF([t]="john doe", "yes", "no")', "no"),
        ('IIF([i]="7", "yes", "no")', "yes"),
        ('IIF([i]=07, "yes", "no")', "yes"),
        ('IIF("07"="7", "yes", "no")', "no"),
        ('IIF("10">"9", "yes", "no")', "yes"),
        ('IIF("b">"a", "yes", "no")', "yes"),
        ('IIF(CDate([n])<Now(), "yes", "no")', "no"),
        ('IIF(CDate([n])<=CDate([n]), "yes", "no")', "no"),
        ('IIF(StripSpaces([e])<"a", "yes", "no")', "no"),
        ('IIF([t]>5, "yes", "no")', "no"),
        ('IIF(5<[t], "yes", "no")', "no"),
        ('IIF(Now()>[t], "yes", "no")', "no"),
        ('IIF([t]>"5", "yes", "no")', "yes"),
        ('IIF([b]="True", "yes", "no")', "yes"),
        ('IIF([b], "yes", "no")', "yes"),
        ("IIF([b], [m], [n])", ["a", "B", "a"]),
        ('IIF(CDate("2021-01-02")>CDate("2021-01-01"), "yes", "no")', "yes"),
        ('IIF(CDate("2021-01-02")="2021-01-02T00:00Z", "yes", "no")', "yes"),
        ("IIF([b], IgnoreAttributeFlow, IgnoreObjectFlow)", Ignored.ATTRIBUTE),
        ('Join("", IgnoreFlowIfNullOrEmpty([n]), "x")', "x"),
        ('Switch(IgnoreFlowIfNullOrEmpty([n]), "d", "", "none")', "none"),
        ('SelectUniqueValue(Append([t], "1"), [e])', "John Doe1"),
    ],
)
def test_function_at_its_edge(expression: str, result: Any):
    value = compile_expression(expression).evaluate(TEXT)
    assert (type(value), value) == (type(result), result)


@pytest.mark.parametrize(
    ("arguments", "source", "result"),
    [
        ('"a", , , "b", , ', "banana", "bbnbnb"),
        ('"A", , , "b", , ', "banana", "banana"),
        ('"a", , , , , ', "banana", "bnn"),
        ('"", , , "b", , ', "banana", "banana"),
        ('"x", , , "b", , ', None, None),
        ('"<n>", , , , , "<n>-<n>"', "a", "a-a"),
        ('"<n>", , , , , "<n>-<n>"', "", "-"),
        ('"<n>", , , , , "<n>-<n>"', None, None),
        (', "n(a)", , "$1$1-", , ', "banana", "baaa-aa-"),
        (', "n(?<x>a)", , "${x}${1}$$$&$0${y}$9", , ', "na", "aa$nana${y}$9"),
        (', "(x)?n", , "[$1]", , ', "an", "a[]"),
        (', "n(?<x>a)", "x", "o", , ', "banana", "banono"),
        (', "n(a)", "1", "o", , ', "banana", "banono"),
        (', "(?<x>x)|here", "x", , [other], ', "", ""),
        (', "(?<x>x)|no", "x", , [other], ', None, ""),
        (', "(?<y>n)(?<x>a)", "x", "${y}", , ', "na", "nn"),
        (', "b(?<x>z)?", "x", "o", , ', "b", "b"),
        (', "(?<x>[0-9]+)", "x", , [other], ', "here", "here"),
        (', "(?<x>[0-9]+)", "x", , [other], ', "", "42"),
        (', "(?<x>[0-9]+)", "x", , [other], ', None, "42"),
        (', "(?<x>[a-z]{9})", "x", , [other], ', "", ""),
        (', "\\\\p{Lu}", , "u", , ', "aÉb", "aub"),
        (', "a", , "", , ', None, None),
    ],
)
def test_replace_in_each_of_its_modes(arguments: str, source: str | None, result: str | None):
    assert compile_expression(f"Replace([source], {arguments})").evaluate({"source": source, "other": "no 42 of 43"}) == result


@pytest.mark.parametrize("pattern", ["(a+)+$", "([a-zA-Z]+)*$", "(a|aa)+$"])
def test_regular_expression_that_would_take_for_ever_is_given_up(pattern: str):
    for group, replacement, other in (("", '""', ""), ("", '"$1"', ""), ('"n"', '"x"', ""), ('"n"', "", "[a]")):
        expression = compile_expression(f'Replace([b], , "(?<n>{pattern})", {group}, {replacement}, {other}, )')
        with pytest.raises(ExpressionError, match=r"the regular expression takes more than 0.1 s for this value"):
            expression.evaluate({"a": "a" * 5000 + "!", "b": "" if other else "a" * 5000 + "!"})


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ('Mid([t], "one", 1)', 10, "start must be an integer, not 'one'"),
        ('Mid([t], 1, "1.5")', 13, "length must be an integer"),
        ('Left([t], "")', 11, "NumChars must be an integer"),
        ('DateAdd("d", 1, "soon")', 17, "dateTime: 'soon' is not a date such as"),
        ('InStr("a", "b", 1, "vbTextCompare")', 20, "compareType must be vbTextCompare or vbBinaryCompare, without quotation"),
        ('InStr("a", "b", 1, vbCompare)', 20, "vbCompare is not known here"),
        ("Append(vbTextCompare, [a])", 8, "vbTextCompare is not known here"),
        ("Append(IgnoreAttributeFlow, [a])", 8, "IgnoreAttributeFlow is not known here"),
        ('Append([a] = "x", "y")', 12, "no comparison"),
        ('Append("", SelectUniqueValue([a], [b]))', 12, "SelectUniqueValue can't be an argument of another function"),
        ("Replace([a])", 1, "Replace needs an oldValue or a regexPattern"),
        ('Replace([a], , , , "x", , )', 1, "Replace needs an oldValue or a regexPattern"),
        ('FormatDateTime([a], , "yyyy")', 1, "FormatDateTime needs an inputFormat and an outputFormat"),
        ('FormatDateTime([a], "yyyy", , "d")', 29, "FormatDateTime needs its argument inputFormat"),
        ("Mid([a], Now(), 1)", 10, "start can't be what Now comes to, a date"),
        ('DateAdd("d", 1, Count([a]))', 17, "dateTime can't be what Count comes to, a number"),
        ('DateDiff("d", IsNull([a]), [b])', 15, "date1 can't be what IsNull comes to, a truth value"),
        ('CDate("Tue, 16 Mar 2020")', 7, "is not a Tue but a Monday"),
        ("RandomString(6)", 1, r"write RandomString\(Length"),
        ("Guid(1)", 1, r"write Guid\(\); here is 1 argument"),
        ('IIF([a] = "x", "y")', 1, r"write IIF\("),
        ("Coalesce([a])", 1, r"write Coalesce\("),
        ("SelectUniqueValue([a])", 1, r"write SelectUniqueValue\("),
        ("Item([a], 0)", 11, "index counts from 1"),
        ('CDate("2021-02-30")', 7, "doesn't exist"),
        ('DateAdd("q", 1, [d])', 9, "interval must be one of yyyy, m, ww"),
        ('DateDiff("day", [d], [e])', 10, "interval must be one of yyyy, m, ww"),
        ('FormatDateTime([d], , "q", "d")', 23, "is not a date format"),
        ('FormatDateTime([d], "yyyy", "q")', 29, "is not a date format"),
        ('FormatDateTime([d], , "yyyy\'", "d")', 23, "without its other part"),
        ('FormatDateTime([d], "Loose", "yyyy", "d")', 21, "'Loose' is not a DateTimeStyles"),
        ('Replace([a], , "(", , "", , )', 16, "the regular expression '\\(' can't be read"),
        ('Replace([a], , "(")', 16, "the regular expression '\\(' can't be read"),
        ('Replace([a], , "(?<f>x)", "g", "", , )', 27, "has no group 'g'; it has: f"),
        ('Replace([a], , "(?:a{1000}){1000}", , "", , )', 16, "character 12: up to here it comes to too much"),
        ('ToUpper([a], "english")', 14, "culture must be a name such as en-US"),
        ("RandomString(3,2,2,0,0)", 1, "their sum 4 must not exceed the Length 3"),
        ("RandomString(257,0,0,0,0)", 1, "Length must be from 1 to 256"),
        ('RandomString(5,1,0,0,0,"0123456789")', 1, "leaves no characters"),
    ],
)
def test_call_that_can_never_work_is_refused(expression: str, column: int, message: str):
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_expression(expression)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("expression", "attributes", "column", "message"),
    [
        ("Left([t], [n])", {"t": "x", "n": "two"}, 1, "NumChars must be an integer, not 'two'"),
        ('Append("x", Item([t], [n]))', {"t": ["x"], "n": 0}, 13, "index counts from 1"),
        ("Item([t], [n])", {"t": ["x"]}, 1, "index must be an integer, not nothing"),
        ("CDate([d])", {"d": "2021-02-30"}, 1, "doesn't exist"),
        ("CDate([d])", {"d": "tomorrow"}, 1, "is not a date"),
        ("CDate([d])", {"d": "2021-01-01T10:00:00+15:00"}, 1, "has an invalid offset"),
        ("CDate([d])", {"d": "13:00 PM"}, 1, "is not a date"),
        ("CDate([d])", {"d": "1/1/2021 13:00:00 PM"}, 1, "no hour that there is"),
        ('FormatDateTime([d], , "yyyy-MM-dd hh:mm", "d")', {"d": "2021-01-01 15:30"}, 1, "no hour that there is"),
        ('FormatDateTime([d], , "M/d/yyyy HH:mm tt", "d")', {"d": "1/1/2021 14:00 AM"}, 1, "none of AM and PM that goes with it"),
        ('FormatDateTime([d], , "M/d/yyyy HH:mm tt", "d")', {"d": "1/1/2021 02:00 PM"}, 1, "none of AM and PM that goes with it"),
        ("CDate([d])", {"d": "0001-01-01+10:00"}, 1, "outside the years"),
        ("DateAdd([i], 1, Now())", {"i": "day"}, 1, "interval must be one of yyyy, m, ww"),
        ('DateAdd("yyyy", 9000, Now())', {}, 1, "outside the years"),
        ('DateAdd("s", 99999999999999999999, Now())', {}, 1, "outside the years"),
        ('DateAdd("d", 99999999, Now())', {}, 1, "outside the years"),
        ("DateFromNum([n])", {"n": "9223372036854775807"}, 1, "outside the years"),
        ("DateFromNum([n])", {"n": "x"}, 1, "value must be an integer"),
        ('FormatDateTime([d], , "yyyy-MM-dd", "d")', {"d": "1/2/2021"}, 1, "is not a date in the format 'yyyy-MM-dd'"),
        ('FormatDateTime([d], , [f], "d")', {"d": "1", "f": "q"}, 1, "is not a date format"),
        ('FormatDateTime([d], [f], "yyyy", "d")', {"d": "2021", "f": "Loose"}, 1, "'Loose' is not a DateTimeStyles"),
        ('Replace([a], , [b], , "", , )', {"a": "x", "b": "("}, 1, "the regular expression '\\(' can't be read"),
        ('Replace([a], , "x", [b], "", , )', {"a": "x", "b": "g"}, 1, "has no group 'g'; it has: none"),
        ("ToUpper([a], [c])", {"a": "x", "c": "english"}, 1, "culture must be a name such as en-US"),
        ('IIF([a], "x", "y")', {"a": "perhaps"}, 1, "expected True, False or a number, not 'perhaps'"),
        ("RandomString(3,2,2,0,[n])", {"n": 0}, 1, "their sum 4 must not exceed the Length 3"),
        ("RandomString([n],0,0,0,0)", {"n": "257"}, 1, "Length must be from 1 to 256"),
        ("BitAnd(&HFFFFFFFFFFFFFFFFFFFF, [n])", {"n": "&HFFFFFFFFFFFFFFFFFFFF"}, 1, "numbers of at most 64 bits"),
        ("BitAnd(1, [n])", {"n": "&H1_0"}, 1, "value2 must be an integer"),
        ("BitAnd(1, [n])", {"n": "&H-5"}, 1, "value2 must be an integer"),
        ("BitAnd(1, [n])", {"n": "1_0"}, 1, "value2 must be an integer"),
        ("BitAnd(1, [n])", {"n": "\N{ARABIC-INDIC DIGIT FIVE}"}, 1, "value2 must be an integer"),
    ],
)
def test_value_that_a_function_can_not_take_is_an_error_at_the_call(
    expression: str, attributes: dict[str, Any], column: int, message: str
):
    compiled = compile_expression(expression)
    with pytest.raises(ExpressionError, match=message) as caught:
        compiled.evaluate(attributes)
    assert caught.value.column == column


@pytest.mark.parametrize("function", ["CDate", "NumFromDate", "DateFromNum"])
@pytest.mark.parametrize("value", [None, "", []])
def test_no_date_gives_no_date(function: str, value: Any):
    assert compile_expression(f"{function}([d])").evaluate({"d": value}) is None
    assert compile_expression('DateAdd("d", 1, CDate([d]))').evaluate({"d": value}) is None
    assert compile_expression('FormatDateTime([d], , "yyyy", "yy")').evaluate({"d": value}) is None


MOMENT = Moment(datetime(2021, 3, 4, 15, 6, 7, 89000), 0, -330)


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("d", "3/4/2021"),
        ("D", "Thursday, March 4, 2021"),
        ("f", "Thursday, March 4, 2021 3:06 PM"),
        ("F", "Thursday, March 4, 2021 3:06:07 PM"),
        ("g", "3/4/2021 3:06 PM"),
        ("G", "3/4/2021 3:06:07 PM"),
        ("m", "March 4"),
        ("o", "2021-03-04T15:06:07.0890000-05:30"),
        ("r", "Thu, 04 Mar 2021 15:06:07 GMT"),
        ("s", "2021-03-04T15:06:07"),
        ("t", "3:06 PM"),
        ("u", "2021-03-04 15:06:07Z"),
        ("U", "Thursday, March 4, 2021 8:36:07 PM"),
        ("Y", "March 2021"),
        ("dd ddd dddd", "04 Thu Thursday"),
        ("M MM MMM MMMM", "3 03 Mar March"),
        ("%y yy yyy yyyy yyyyy", "21 21 2021 2021 02021"),
        ("h hh H HH", "3 03 15 15"),
        ("m mm s ss t tt", "6 06 7 07 P PM"),
        ("f ff fff ffffff", "0 08 089 089000"),
        ("ss.FFF ss.FFFFFFF", "07.089 07.089"),
        ("z zz zzz K", "-5 -05 -05:30 -05:30"),
        ("'at' h \"o'clock\" \\h", "at 3 o'clock h"),
        ("%d", "4"),
        ("yyyyMMddHHmmss.fZ", "20210304150607.0Z"),
        ("g yyyy", "A.D. 2021"),
    ],
)
def test_moment_is_written_in_any_format(format_: str, text: str):
    assert write(MOMENT, format_) == text


def test_fraction_without_digits_takes_its_point_along():
    assert write(MOMENT._replace(clock=datetime(2021, 3, 4)), "ss.FFF|K") == "00|-05:30"
    assert write(MOMENT._replace(offset=None), "K|zzz") == "|+00:00"
    assert write(MOMENT._replace(offset=0), "K|zzz") == "Z|+00:00"


@pytest.mark.parametrize(
    ("text", "format_", "moment"),
    [
        ("20210304", "yyyyMMdd", Moment(datetime(2021, 3, 4))),
        ("4/3/21", "d/M/yy", Moment(datetime(2021, 3, 4))),
        ("4/3/71", "d/M/yy", Moment(datetime(1971, 3, 4))),
        ("March 4, 2021", "MMMM d, yyyy", Moment(datetime(2021, 3, 4))),
        ("thu 4 mar 2021", "ddd d MMM yyyy", Moment(datetime(2021, 3, 4))),
        ("12:00 AM 1", "h:mm tt M", Moment(datetime(datetime.now(UTC).year, 1, 1))),
        ("12:30 PM 2021", "h:mm tt yyyy", Moment(datetime(2021, 1, 1, 12, 30))),
        ("0:30 PM 2021", "h:mm tt yyyy", Moment(datetime(2021, 1, 1, 12, 30))),
        ("0:30 AM 2021", "h:mm tt yyyy", Moment(datetime(2021, 1, 1, 0, 30))),
        ("2021 12:30", "yyyy hh:mm", Moment(datetime(2021, 1, 1, 0, 30))),
        ("2021 14:00 PM", "yyyy HH:mm tt", Moment(datetime(2021, 1, 1, 14))),
        ("Thursday, March 4, 2021 3:06:07 PM", "U", Moment(datetime(2021, 3, 4, 15, 6, 7))),
        ("2021-03-04+05:30", "yyyy-MM-ddzzz", Moment(datetime(2021, 3, 4), 0, 330)),
        ("2021-03-04Z", "yyyy-MM-ddK", Moment(datetime(2021, 3, 4), 0, 0)),
        ("2021-03-04", "yyyy-MM-ddK", Moment(datetime(2021, 3, 4))),
        ("2021-03-04T01:02:03.1234567", "yyyy-MM-ddTHH:mm:ss.fffffff", Moment(datetime(2021, 3, 4, 1, 2, 3, 123456), 7)),
        ("2021-03-04T01:02:03.1", "yyyy-MM-ddTHH:mm:ss.FFF", Moment(datetime(2021, 3, 4, 1, 2, 3, 100000))),
    ],
)
def test_text_is_read_in_any_format(text: str, format_: str, moment: Moment):
    assert read_as(text, format_, frozenset()) == moment


def test_time_without_a_date_is_of_today_unless_a_style_says_otherwise():
    today = datetime.now(UTC).date()
    assert read_as("12:30 PM", "h:mm tt", frozenset()).clock.date() in (today, today + timedelta(days=1))
    assert read_as("12:30 PM", "h:mm tt", frozenset({NO_CURRENT_DATE})) == Moment(datetime(1, 1, 1, 12, 30))
    with pytest.raises(FunctionError, match="is not a fri but a Thursday"):
        read_as("fri 4 mar 2021", "ddd d MMM yyyy", frozenset())


def test_functions_put_into_one_another_do_not_make_much_of_little():
    expression = "[t]"
    for _ in range(20):
        expression = f"Append({expression}, [t])"
    for text in (expression, 'Join("", [t], [t])'):
        with pytest.raises(ExpressionError, match="the result is longer than 100000 characters"):
            compile_expression(text).evaluate({"t": "x" * 60_000})


def test_value_that_is_nested_too_deep_is_an_error():
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    for name in ("CStr", "ToLower", "Redact"):
        with pytest.raises(ExpressionError, match="nested more than 64 deep"):
            compile_expression(f"{name}([x])").evaluate({"x": deep})


def test_roles_come_by_value_or_name_and_not_by_their_number_alone():
    def roles(*assignments: Any) -> Any:
        return compile_expression("AppRoleAssignmentsComplex([a])").evaluate({"a": [*assignments]})

    assert [one["value"] for one in roles({"value": None, "displayName": "A"}, {"value": "b"})] == ["A", "b"]
    assert roles() is None
    assert roles({"appRoleId": "00000000-0000-0000-0000-000000000000"}) is None
    with pytest.raises(ExpressionError, match="an appRoleId alone"):
        roles({"appRoleId": "5d1b0c2e-9d3a-4c7e-8f11-2f6d0a6f1c01", "resourceDisplayName": "App"})


def test_styles_say_which_spaces_may_be_there():
    spaced = "  2021 - 03 - 04 "
    read_it = 'FormatDateTime([d], "{}", "yyyy-MM-dd", "yyyyMMdd")'
    assert compile_expression(read_it.format("AllowWhiteSpaces")).evaluate({"d": spaced}) == "20210304"
    assert compile_expression('FormatDateTime([d], , "yyyy-MM-dd", "yyyyMMdd")').evaluate({"d": " 2021-03-04 "}) == "20210304"
    for styles in ("None", "AllowLeadingWhite", "AllowTrailingWhite"):
        with pytest.raises(ExpressionError, match="is not a date in the format"):
            compile_expression(read_it.format(styles)).evaluate({"d": " 2021-03-04 "})
    adjusted = 'FormatDateTime([d], "AdjustToUniversal", "yyyy-MM-dd HH:mmzzz", "yyyy-MM-dd HH:mmK")'
    assert compile_expression(adjusted).evaluate({"d": "2021-03-04 23:00-02:00"}) == "2021-03-05 01:00Z"


MOMENTS = st.builds(
    Moment, st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(0, 9), st.none() | st.integers(-840, 840)
)


@settings(max_examples=200, deadline=None)
@given(MOMENTS)
def test_moment_that_is_written_and_read_is_the_same(moment: Moment):
    round_trip = "yyyy-MM-ddTHH:mm:ss.fffffffK"
    assert read_as(write(moment, round_trip), round_trip, frozenset()) == moment
    assert read(write(moment, "o")).file_time() == moment.file_time()
    assert read(str(moment)).clock == moment.clock.replace(microsecond=0)


@settings(max_examples=100, deadline=None)
@given(MOMENTS.filter(lambda moment: moment.clock.year > 1601), st.integers(-100_000, 100_000))
def test_dates_are_added_and_subtracted_alike(moment: Moment, days: int):
    number = moment.file_time()
    assert compile_expression("NumFromDate(DateFromNum([n]))").evaluate({"n": number}) == number
    start = datetime(5000, 1, 1)
    end = compile_expression('DateAdd("d", [days], CDate("5000-01-01"))').evaluate({"days": days})
    assert read(end).clock == start + timedelta(days=days)
    assert compile_expression('DateDiff("d", "5000-01-01", [end])').evaluate({"end": end}) == days


TEXTS = st.sampled_from(
    [
        "",
        "a",
        "True",
        "7",
        "-1",
        "&HF",
        "1e5",
        "9" * 40,
        "2021-01-01",
        "1/2/2021 3:04:05 PM",
        "yyyy-MM-dd",
        "d",
        "'",
        "%",
        "é\u0301",
    ]
) | st.text(max_size=6)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXTS | st.none(), max_size=3),
    st.dictionaries(st.sampled_from(["id", "value", "displayName"]), TEXTS, max_size=2),
)


@pytest.mark.parametrize("name", installed().names())
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_value_breaks_a_function(name: str, data: st.DataObject):
    function = installed().get(name)
    assert function
    count = data.draw(st.sampled_from([count for count in range(10) if function.accepts(count)]))
    words = {"compareType": st.sampled_from(["vbTextCompare", "[a]"])}
    arguments = [
        data.draw(words.get(function.parameter(place).type, st.sampled_from(["[a]", "[b]", "[c]", "Now()"])))
        for place in range(count)
    ]
    with suppress(ExpressionError):
        value = compile_expression(f"{name}({', '.join(arguments)})").evaluate({letter: data.draw(VALUES) for letter in "abc"})
        assert value is None or isinstance(value, (str, int, float, list, dict, Ignored))
