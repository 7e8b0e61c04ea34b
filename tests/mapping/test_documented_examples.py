"""Every documented example of a function, but for those that the documentation gets wrong, has its documented result.

By the document: functions-for-customizing-application-data.md, the Workday and the SuccessFactors guide.
"""

import re
import uuid
from typing import Any

import pytest

from scimsvc.mapping.expression import compile_expression
from scimsvc.mapping.functions import Ignored

HIRED = {"StatusHireDate": "2012-03-16-07:00"}
NOT_LONG_AFTER = 'DateDiff("{}", CDate("8/25/2021 5:41:18 PM"), CDate("2012-03-16-07:00"))'
ONE_DAY = 'DateDiff("{}", CDate("2021-08-24"), CDate("2021-08-25"))'
PHONE = r'Replace([telephoneNumber], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", , "${phoneNumber}", , )'
EITHER_PHONE = r'Replace([telephoneNumber], , "\\+(?<isdCode>\\d* )(?<phoneNumber>\\d{10})", "phoneNumber" , , [mobile], )'
PREFIX = 'IgnoreFlowIfNullOrEmpty(Switch([prefix], "", "3443", "Dr.", "3444", "Prof.", "3445", "Prof. Dr."))'
AND = 'IIF([country]="USA",IIF([state]="CA","True","False"),"False")'
OR = 'IIF([country]="USA","True",IIF([state]="CA","True","False"))'
COMPANY = 'IIF([companyName] = "Company A", "A", IIF([companyName] = "Company B", "B", "External"))'
MAIL = '{}(Join("@", NormalizeDiacritics(StripSpaces(Join(".",  [PreferredFirstName], [PreferredLastName]))), "contoso.com"))'
UNIQUE = (
    'SelectUniqueValue(Join("@", NormalizeDiacritics(StripSpaces(Join(".", [f], [l]))), "contoso.com"), '
    'Join("@", NormalizeDiacritics(StripSpaces(Join(".", Mid([f], 1, 1), [l]))), "contoso.com"))'
)
END = 'NumFromDate(Join("", FormatDateTime([ContractEndDate], ,"yyyy-MM-ddzzz", "yyyy-MM-dd"), " 23:59:59-08:00"))'

REFERENCE: list[tuple[str, dict[str, Any], Any]] = [
    ('Append([userPrincipalName], ".test")', {"userPrincipalName": "John.Doe@contoso.com"}, "John.Doe@contoso.com.test"),
    ("BitAnd(&HF, &HF7)", {}, 7),
    ("CBool([attribute1] = [attribute2])", {"attribute1": "x", "attribute2": "x"}, True),
    ("CDate([StatusHireDate])", {"StatusHireDate": "2020-03-16-07:00"}, "3/16/2020 7:00:00 AM"),
    ('CDate("2021-06-30+08:00")', {}, "6/29/2021 4:00:00 PM"),
    ('CDate("2009-06-15T01:45:30-07:00")', {}, "6/15/2009 8:45:30 AM"),
    ("Coalesce([mail],[userPrincipalName])", {"userPrincipalName": "John.Doe@contoso.com"}, "John.Doe@contoso.com"),
    ('ConvertToBase64("Hello world!")', {}, "SABlAGwAbABvACAAdwBvAHIAbABkACEA"),
    ('ConvertToUTF8Hex("Hello world!")', {}, "48656C6C6F20776F726C6421"),
    ("CStr([dn])", {"dn": "cn=Joe,dc=contoso,dc=com"}, "cn=Joe,dc=contoso,dc=com"),
    ('DateAdd("d", 7, CDate([StatusHireDate]))', HIRED, "3/23/2012 7:00:00 AM"),
    ('DateAdd("d", -10, CDate([StatusHireDate]))', HIRED, "3/6/2012 7:00:00 AM"),
    ('DateAdd("ww", 2, CDate([StatusHireDate]))', HIRED, "3/30/2012 7:00:00 AM"),
    ('DateAdd("m", 10, CDate([StatusHireDate]))', HIRED, "1/16/2013 7:00:00 AM"),
    ('DateAdd("yyyy", 2, CDate([StatusHireDate]))', HIRED, "3/16/2014 7:00:00 AM"),
    ('DateDiff("d", CDate("2021-08-18+08:00"), CDate("2021-08-31+08:00"))', {}, 13),
    (NOT_LONG_AFTER.format("d"), {}, -3449),
    (NOT_LONG_AFTER.format("ww"), {}, -493),
    (NOT_LONG_AFTER.format("m"), {}, -113),
    (NOT_LONG_AFTER.format("yyyy"), {}, -9),
    ('DateDiff("d", CDate("2021-08-31+08:00"), CDate("2021-08-31+08:00"))', {}, 0),
    (ONE_DAY.format("h"), {}, 24),
    (ONE_DAY.format("n"), {}, 1440),
    (ONE_DAY.format("s"), {}, 86400),
    ("DateFromNum(129699324000000000)", {}, "1/1/2012 11:00:00 PM"),
    (
        'FormatDateTime([extensionAttribute1], , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")',
        {"extensionAttribute1": "20150123105347.1Z"},
        "2015-01-23",
    ),
    ("IgnoreFlowIfNullOrEmpty([department])", {}, Ignored.ATTRIBUTE),
    ("IgnoreFlowIfNullOrEmpty([department])", {"department": ""}, Ignored.ATTRIBUTE),
    ("IgnoreFlowIfNullOrEmpty([department])", {"department": "IT"}, "IT"),
    (PREFIX, {"prefix": "1"}, Ignored.ATTRIBUTE),
    (PREFIX, {"prefix": "3444"}, "Prof."),
    ('IIF([country]="USA",[country],[department])', {"country": "USA", "department": "IT"}, "USA"),
    ('IIF([country]="USA",[country],[department])', {"country": "UK", "department": "IT"}, "IT"),
    (AND, {"country": "USA", "state": "CA"}, "True"),
    (AND, {"country": "USA", "state": "NY"}, "False"),
    (AND, {"country": "UK", "state": "CA"}, "False"),
    (OR, {"country": "USA", "state": "NY"}, "True"),
    (OR, {"country": "UK", "state": "CA"}, "True"),
    (OR, {"country": "UK", "state": "NY"}, "False"),
    ('InStr("The quick brown fox","quick")', {}, 5),
    ('InStr("repEated","e",3,vbBinaryCompare)', {}, 7),
    ("IsNull([displayName])", {}, True),
    ("IsNullOrEmpty([displayName])", {}, True),
    ("Item([proxyAddresses], 1)", {"proxyAddresses": ["a", "b"]}, "a"),
    ('Left("John Doe", 3)', {}, "Joh"),
    ("NormalizeDiacritics([givenName])", {"givenName": "Zoë"}, "Zoe"),
    (END, {"ContractEndDate": "2020-12-31-08:00"}, 132539615990000000),
    ("PCase([firstName])", {"firstName": "PABLO GONSALVES (SECOND)"}, "Pablo Gonsalves (Second)"),
    ('PCase([lastName]," \'-")', {"lastName": "PINTO-DE'SILVA"}, "Pinto-De'Silva"),
    ('PCase(Join(" ",[firstName],[lastName]))', {"firstName": "GREGORY", "lastName": "JAMES"}, "Gregory James"),
    ("Redact([userPrincipalName])", {"userPrincipalName": "x"}, "x"),
    ('Redact("StringToBeRedacted")', {}, "StringToBeRedacted"),
    ("RemoveDuplicates([proxyAddresses])", {"proxyAddresses": ["a", "b", "a"]}, ["a", "b"]),
    (
        'Replace([BusinessTitle],"Product Developer", , , "Software Engineer", , )',
        {"BusinessTitle": "Product Developer"},
        "Software Engineer",
    ),
    ('Replace([UserID],"<username>", , , , , "<username>@contoso.com")', {"UserID": "jsmith"}, "jsmith@contoso.com"),
    (PHONE, {"telephoneNumber": "+91 9998887777"}, "9998887777"),
    (
        r'Replace([AddressLineData], ,"(?<streetNumber>^\\d*)","streetNumber", "888", , )',
        {"AddressLineData": "545 Tremont Street"},
        "888 Tremont Street",
    ),
    (
        'Replace([userPrincipalName], , "(?<Suffix>@(.)*)", "Suffix", "", , )',
        {"userPrincipalName": "jsmith@contoso.com"},
        "jsmith",
    ),
    (EITHER_PHONE, {"telephoneNumber": "", "mobile": "+91 8887779999"}, "8887779999"),
    (EITHER_PHONE, {"telephoneNumber": "123", "mobile": "+91 8887779999"}, "123"),
    ('Replace([mailNickname], , "[a-zA-Z_]*", , "", , )', {"mailNickname": "john_doe72"}, "72"),
    (UNIQUE, {"f": "John", "l": "Smith"}, "John.Smith@contoso.com"),
    (
        'Split([extensionAttribute5], ",")',
        {"extensionAttribute5": "PermissionSetOne, PermissionSetTwo"},
        ["PermissionSetOne", "PermissionSetTwo"],
    ),
    *[
        ('Switch(ToLower([statusFlag]), "0", "true", "1", "false", "0")', {"statusFlag": flag}, "1")
        for flag in ("True", "true", "TRUE")
    ],
    (COMPANY, {"companyName": "Company B"}, "B"),
    (COMPANY, {"companyName": "other"}, "External"),
    (MAIL.format("ToLower"), {"PreferredFirstName": "John", "PreferredLastName": "Smith"}, "john.smith@contoso.com"),
    ('Word("The quick brown fox",3," ")', {}, "brown"),
    ('Word("This,string!has&many separators",3,",!&#")', {}, "has"),
    ('Replace([mail], "@contoso.com", , ,"", ,)', {"mail": "john.doe@contoso.com"}, "john.doe"),
    ("Append(Mid([givenName], 1, 3), Mid([surname], 1, 5))", {"givenName": "John", "surname": "Doe"}, "JohDoe"),
    (
        'Join("", 1000, Replace(ConvertToUTF8Hex([objectId]), , "[a-zA-Z_]*", , "", , ))',
        {"objectId": "00aa00aa-bb11-cc22-dd33-44ee44ee44ee"},
        "100030306161303061612626231312636332322646433332343465653434656534346565",
    ),
    ('Replace([preferredLanguage], "-", , , "_", ,  )', {"preferredLanguage": "EN-US"}, "EN_US"),
    ('Switch(IsPresent([jobTitle]), "DefaultValue", "True", [jobTitle])', {"jobTitle": "Boss"}, "Boss"),
    ('Switch(IsPresent([jobTitle]), "DefaultValue", "True", [jobTitle])', {}, "DefaultValue"),
    ("IgnoreFlowIfNullOrEmpty([BusinessTitle])", {"BusinessTitle": ""}, Ignored.ATTRIBUTE),
    ("Not([IsSoftDeleted])", {"IsSoftDeleted": "True"}, False),
    ("Not([IsSoftDeleted])", {"IsSoftDeleted": "False"}, True),
    ("Mid([userPrincipalName], 1, 8)", {"userPrincipalName": "john.doe@contoso.com"}, "john.doe"),
]

NAME = r'Replace([PreferredNameData], , "(?<firstName>[a-zA-Z]+ )(?<lastName>[a-zA-Z]+)", ,"${lastName}", ,)'
ZEROS = r'Replace([WorkerID], , "(?<leadingZeros>^0+)(?<actualValue>[a-zA-Z0-9]+)", , "${actualValue}", ,)'
SUFFIX = (
    'Join(" ",Replace([HereditarySuffix], ,"(?<CountryISOCode>.*)_(?<suffix1>.*)_(?<suffix2>.*)[0-9]", ,'
    '"${suffix1} ${suffix2}", , ),[PreferredLastName])'
)
LOCAL = r'Replace(Replace([tel], , "\\+(?<isdCode>\\d* )(?<phoneNumber>.*)", , "${phoneNumber}", , ), ,"[()\\s-]+", ,"", , )'
ISD = (
    r'Switch(Replace([tel], , "\+(?<isdCode>49|44|43|91|1)(?<phoneNumber>.*)", , "${isdCode}", , ), , '
    '"43","AUT", "49","GER", "91","IND", "1","USA")'
)
EXTENSION = r'Replace([tel], , "(?<phoneNumber>.* )[x](?<extension>.*)", , "${extension}", , )'
REHIRED = 'IIF([StatusRehire]=1, "again", "new")'

WORKDAY: list[tuple[str, dict[str, Any], Any]] = [
    (
        r'Replace([PrimaryWorkTelephone], , "[()\\s-]+", , "", , )',
        {"PrimaryWorkTelephone": "+1 (555) 123-4567"},
        "+15551234567",
    ),
    (r'Replace([mobile], , "[()\\s-]+", , "", , )', {"mobile": "+1 (999) 888-7777"}, "+19998887777"),
    (NAME, {"PreferredNameData": "John Smith"}, "Smith"),
    (ZEROS, {"WorkerID": "00012345"}, "12345"),
    (SUFFIX, {"HereditarySuffix": "NLD_Van_der3", "PreferredLastName": "Hof"}, "Van der Hof"),
    ('Replace(PCase("st john\'s hospital"),"\'S", , ,"\'s", , )', {}, "St John's Hospital"),
    ('PCase("st john\'s hospital")', {}, "St John'S Hospital"),
    (
        'ToLower(NormalizeDiacritics(StripSpaces(Join(".", [first], [last]))))',
        {"first": "José", "last": "García-López"},
        "jose.garcia-lopez",
    ),
    (
        MAIL.format("CStr"),
        {"PreferredFirstName": "María", "PreferredLastName": "José González"},
        "Maria.JoseGonzalez@contoso.com",
    ),
    (LOCAL, {"tel": "+1 737-626-8331"}, "7376268331"),
    (ISD, {"tel": "+493012345678"}, "GER"),
    (ISD, {"tel": "+919876543210"}, "IND"),
    (ISD, {"tel": "+15551234567"}, "USA"),
    (EXTENSION, {"tel": "+1 (206) 291-8163 x8125"}, "8125"),
    (REHIRED, {"StatusRehire": "1"}, "again"),
    (REHIRED, {"StatusRehire": "0"}, "new"),
    ('NumFromDate("2025-12-31T23:59:59-08:00")', {}, 134117279990000000),
    ('NumFromDate(DateAdd("yyyy", 5, CDate("2025-01-15T23:59:59-05:00")))', {}, 135392435990000000),
    ('IIF([a]="x", [Department], IgnoreAttributeFlow)', {"a": "y", "Department": "IT"}, Ignored.ATTRIBUTE),
    ('IIF([a]="x", [Department], IgnoreAttributeFlow)', {"a": "x", "Department": "IT"}, "IT"),
    ('IIF([a]="x", [Department], IgnoreObjectFlow)', {"a": "y"}, Ignored.OBJECT),
    (
        'Join("", [l], ",", [f], " ", Mid([m],1,1), "-", [WorkerID])',
        {"l": "Johnson", "f": "Sarah", "m": "Elizabeth", "WorkerID": "12345"},
        "Johnson,Sarah E-12345",
    ),
    ('Split(Join(",", "a8cc", "{2649}"), ",")', {}, ["a8cc", "{2649}"]),
    ('IgnoreFlowIfNullOrEmpty(IIF(DateDiff("d", Now(), CDate([d])) > 0, "", [upn]))', {"d": "2000-01-01", "upn": "x"}, "x"),
    (
        'IgnoreFlowIfNullOrEmpty(IIF(DateDiff("d", Now(), CDate([d])) > 0, "", [upn]))',
        {"d": "9000-01-01", "upn": "x"},
        Ignored.ATTRIBUTE,
    ),
]

PAD = 'Replace(Join("","{zeros}",[id]), ,"(.*?)(?<id>.{{0,{length}}})$", ,"${{id}}", ,)'
INTERNAL = 'IgnoreFlowIfNullOrEmpty(IIF(InStr([emailAddress],"@contoso.com")=0,"",[emailAddress]))'
END_OR_NEVER = (
    'Switch([endDate], NumFromDate(Join("",FormatDateTime([endDate], ,"M/d/yyyy hh:mm:ss tt","yyyy-MM-dd")," 23:59:59-08:00")), '
    '"", "9223372036854775807")'
)
NAMES = (
    'Join(", ", Join("", Mid([lastName],1,1), ToLower(Mid([lastName],2,64), )), '
    'Join("", Mid(Coalesce([preferredName],[firstName]),1,1), ToLower(Mid(Coalesce([preferredName],[firstName]),2,64), )))'
)
FORMER = (
    'IIF([IsSoftDeleted]="True", Join("_",FormatDateTime(CDate("2025-07-30"), , "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd"),[mail]), '
    "[mail])"
)
COUNTRY_CODE = (
    r'Replace(Replace([mobile], , "\\+(?<isdCode>\\d* )(?<phoneNumber>.*)", , "${isdCode}", , ), ,"[()\\s-]+", ,"", , )'
)

SUCCESSFACTORS: list[tuple[str, dict[str, Any], Any]] = [
    (PAD.format(zeros="0" * 8, length=8), {"id": "12345"}, "00012345"),
    (PAD.format(zeros="0" * 10, length=10), {"id": "567"}, "0000000567"),
    (f'Append("05",{PAD.format(zeros="0" * 6, length=6)})', {"id": "789"}, "05000789"),
    ('Join("",Mid([lastName],1,1),ToLower(Mid([lastName],2,64)))', {"lastName": "JOHNSON"}, "Johnson"),
    ('Replace([firstName]," ", , ,".", , )', {"firstName": "Mary Ann"}, "Mary.Ann"),
    (INTERNAL, {"emailAddress": "john.doe@contoso.com"}, "john.doe@contoso.com"),
    (INTERNAL, {"emailAddress": "john.doe@external.com"}, Ignored.ATTRIBUTE),
    (END_OR_NEVER, {"endDate": ""}, "9223372036854775807"),
    (END_OR_NEVER, {"endDate": "12/31/2025 12:00:00 AM"}, 134117279990000000),
    ('FormatDateTime([endDate], "M/d/yyyy hh:mm:ss tt", "yyyy-MM-dd")', {"endDate": "7/4/2025 09:05:00 PM"}, "2025-07-04"),
    ('DateAdd("d", "10", CDate("2025-07-30"))', {}, "8/9/2025 12:00:00 AM"),
    (NAMES, {"lastName": "JOHNSON", "preferredName": "Mike", "firstName": "Michael"}, "Johnson, Mike"),
    (NAMES, {"lastName": "SMITH", "preferredName": "", "firstName": "Robert"}, "Smith, Robert"),
    (FORMER, {"IsSoftDeleted": "True", "mail": "john.smith@company.com"}, "2025-07-30_john.smith@company.com"),
    (FORMER, {"IsSoftDeleted": True, "mail": "john.smith@company.com"}, "2025-07-30_john.smith@company.com"),
    (FORMER, {"IsSoftDeleted": "False", "mail": "john.smith@company.com"}, "john.smith@company.com"),
    ('IIF(IsNullOrEmpty([telephoneNumber]),"000-000-0000",[telephoneNumber])', {"telephoneNumber": ""}, "000-000-0000"),
    (COUNTRY_CODE, {"mobile": "+44 20 7946 0958"}, "44"),
    ('IgnoreFlowIfNullOrEmpty(IIF(IsPresent([e]), [e], "noemail@contoso.com"))', {"e": ""}, "noemail@contoso.com"),
    ('Append ([a], "x")', {"a": "y"}, "yx"),
    (r'Replace([username],,"(?<id>\\d+).*",,"${id}",,)', {"username": "12ab"}, "12"),
]


@pytest.mark.parametrize(("expression", "attributes", "result"), REFERENCE + WORKDAY + SUCCESSFACTORS)
def test_example_has_its_documented_result(expression: str, attributes: dict[str, Any], result: Any):
    value = compile_expression(expression).evaluate(attributes)
    assert (type(value), value) == (type(result), result)


@pytest.mark.parametrize(
    ("expression", "pattern"),
    [
        ("Now()", r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M"),
        ("RandomString(6,3,0,0,3)", r"(?=(?:\D*\d){3})(?=(?:[^a-z]*[a-z]){3})[a-z0-9]{6}"),
        (
            'RandomString(10,2,2,2,1,"?,")',
            r"(?=(?:\D*\d){2})(?=(?:[a-zA-Z0-9]*[^a-zA-Z0-9?,]){2})(?=(?:[^A-Z]*[A-Z]){2})(?=(?:[^a-z]*[a-z]))[^?,]{10}",
        ),
        ('ToUpper(Replace(ConvertToBase64(Guid()), , "(.*?)(?<id>[a-zA-Z]{4})(.*)", , "D${id}", ,))', r"D.*"),
        ("Redact(RandomString(6,3,0,0,3))", r"[a-z0-9]{6}"),
    ],
)
def test_example_by_chance_has_its_documented_form(expression: str, pattern: str):
    compiled = compile_expression(expression)
    assert not compiled.deterministic
    for _ in range(20):
        assert re.fullmatch(pattern, compiled.evaluate({}), re.ASCII)


def test_guid_is_a_random_one():
    guids = [compile_expression("Guid()").evaluate({}) for _ in range(5)]
    assert all(guid == str(uuid.UUID(guid, version=4)) for guid in guids)
    assert len(set(guids)) == 5


def test_hire_date_within_five_days_is_active():
    active = compile_expression(
        'Switch([Active], , "1", IIF(DateDiff("d", Now(), CDate([StatusHireDate])) > 5, "False", "True"), "0", "False")'
    )
    soon, late = (
        compile_expression(f'FormatDateTime(DateAdd("d", {days}, Now()), , "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd")').evaluate({})
        for days in (3, 20)
    )
    assert active.evaluate({"Active": "1", "StatusHireDate": soon}) == "True"
    assert active.evaluate({"Active": "1", "StatusHireDate": late}) == "False"
    assert active.evaluate({"Active": "0"}) == "False"
