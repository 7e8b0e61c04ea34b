"""What every error answer looks like (RFC 7644 §3.12)."""

from tests.support.client import Answer

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
SCIM_TYPES = {
    *("invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax"),
    *("invalidPath", "noTarget", "invalidValue", "invalidVers", "sensitive"),
    *("invalidCursor", "expiredCursor", "invalidCount"),  # RFC 9865
}


def assert_scim_error(answer: Answer, status: int | None = None, scim_type: str | None = None) -> None:
    """The answer is a SCIM error, where given with that status and scimType."""
    shown = f"{answer.status} {answer.headers} {answer.raw[:500]!r}"
    assert answer.headers["Content-Type"] == "application/scim+json", shown
    body = answer.body
    assert set(body) <= {"schemas", "status", "detail", "scimType"}, shown
    assert body["schemas"] == [ERROR_URN], shown
    assert body["status"] == str(answer.status), shown
    assert isinstance(body["detail"], str), shown
    assert body["detail"].strip(), shown
    assert body.get("scimType") in {None, *SCIM_TYPES}, shown
    assert status in (None, answer.status), shown
    assert scim_type in (None, body.get("scimType")), shown
