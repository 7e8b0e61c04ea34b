"""The schemas of RFC 7643, declared once: User, Group and EnterpriseUser (§4, §8.7.1) and the common attributes (§3.1).

Everything else that knows an attribute (Marshmallow classes, /Schemas, filters, paths) is derived from this data.
"""

from __future__ import annotations

from typing import Any

from scimsvc.schema.model import Attribute, ResourceType, Schema

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_USER_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def _string(name: str, description: str, **characteristics: Any) -> Attribute:
    return Attribute(name, "string", description, **characteristics)


def _complex(name: str, description: str, *sub_attributes: Attribute, **characteristics: Any) -> Attribute:
    return Attribute(name, "complex", description, sub_attributes=sub_attributes, **characteristics)


def _reference(name: str, description: str, *types: str, **characteristics: Any) -> Attribute:
    return Attribute(name, "reference", description, reference_types=types, case_exact=True, **characteristics)


def _plural(name: str, description: str, *types: str, value: Attribute | None = None) -> Attribute:
    """A multi-valued attribute with the default sub-attributes of RFC 7643 §2.4."""
    return _complex(
        name,
        description,
        value or _string("value", f"The value of one of the {name}."),
        _string("display", "A name to show for the value; readable by people."),
        _string("type", "What the value is for.", canonical_values=types),
        Attribute("primary", "boolean", "Whether this is the preferred value; true at most once."),
        multi_valued=True,
    )


META = _complex(
    "meta",
    "What the service provider keeps about the resource.",
    _string("resourceType", "The name of the resource type.", case_exact=True, mutability="readOnly"),
    Attribute("created", "dateTime", "When the resource was created.", mutability="readOnly"),
    Attribute("lastModified", "dateTime", "When the resource was last changed.", mutability="readOnly"),
    _reference("location", "The URI of the resource.", "uri", mutability="readOnly"),
    _string("version", "The entity tag of the resource.", case_exact=True, mutability="readOnly"),
    mutability="readOnly",
)

COMMON = (
    _reference(
        "schemas",
        "The URNs of the schemas that the resource uses.",
        "uri",
        multi_valued=True,
        mutability="readOnly",
        returned="always",
    ),
    _string(
        "id",
        "The identifier that the service provider gave the resource.",
        case_exact=True,
        mutability="readOnly",
        returned="always",
        uniqueness="global",
    ),
    META,
)

# RFC 7643 §3.1 has externalId outside of every schema. Microsoft's schema discovery test (test 15) wants every
# mapped attribute in /Schemas, so it is declared where clients look for it.
EXTERNAL_ID = _string("externalId", "The identifier that the provisioning client gave the resource.", case_exact=True)

GROUPS = _complex(
    "groups",
    "The groups that the user belongs to; changed through the Group resource alone.",
    _string("value", "The id of the group.", case_exact=True, mutability="readOnly"),
    _reference("$ref", "The URI of the group.", "Group", mutability="readOnly"),
    _string("display", "The name of the group.", mutability="readOnly"),
    _string(
        "type",
        "Whether the user is a member itself or through a nested group.",
        canonical_values=("direct", "indirect"),
        mutability="readOnly",
    ),
    multi_valued=True,
    mutability="readOnly",
)

MEMBERS = _complex(
    "members",
    "The members of the group.",
    _string("value", "The id of the member.", case_exact=True, mutability="immutable"),
    _reference("$ref", "The URI of the member.", "User", "Group", mutability="immutable"),
    _string("type", "The resource type of the member.", canonical_values=("User", "Group"), mutability="immutable"),
    _string("display", "The name of the member.", mutability="readOnly"),
    multi_valued=True,
)

RELATED = frozenset({GROUPS, MEMBERS})
"""What resources are to each other, kept beside their documents."""

USER = Schema(
    USER_URN,
    "User",
    "An account of a person.",
    (
        EXTERNAL_ID,
        _string(
            "userName",
            "The name with which the user signs in; unique among the tenant's users.",
            required=True,
            uniqueness="server",
        ),
        _complex(
            "name",
            "The parts of the user's name.",
            _string("formatted", "The full name, ready to show."),
            _string("familyName", "The family name, or last name."),
            _string("givenName", "The given name, or first name."),
            _string("middleName", "The middle names."),
            _string("honorificPrefix", "The title before the name, such as Ms."),
            _string("honorificSuffix", "The suffix after the name, such as III."),
        ),
        _string("displayName", "The name to show for the user."),
        _string("nickName", "The casual name of the user."),
        _reference("profileUrl", "The address of the user's profile page.", "external"),
        _string("title", "The user's job title."),
        _string("userType", "How the user relates to the organization, such as Employee."),
        _string("preferredLanguage", "The preferred languages, in the form of the Accept-Language header."),
        _string("locale", "The locale for times and numbers, such as en-US."),
        _string("timezone", "The time zone by its Olson name, such as Europe/Berlin."),
        Attribute("active", "boolean", "Whether the user may use the service."),
        _string("password", "The user's clear-text password.", mutability="writeOnly", returned="never"),
        _plural("emails", "The user's e-mail addresses.", "work", "home", "other"),
        _plural("phoneNumbers", "The user's telephone numbers.", "work", "home", "mobile", "fax", "pager", "other"),
        _plural("ims", "The user's instant-messaging addresses.", "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
        _plural(
            "photos",
            "Pictures of the user.",
            "photo",
            "thumbnail",
            value=_reference("value", "The address of one of the photos.", "external"),
        ),
        _complex(
            "addresses",
            "The user's postal addresses.",
            _string("formatted", "The full address, ready to print."),
            _string("streetAddress", "Street, house number and the like."),
            _string("locality", "The city."),
            _string("region", "The state or region."),
            _string("postalCode", "The postal code."),
            _string("country", "The country."),
            _string("type", "What the address is for.", canonical_values=("work", "home", "other")),
            Attribute("primary", "boolean", "Whether this is the preferred address; true at most once."),
            multi_valued=True,
        ),
        GROUPS,
        _plural("entitlements", "What the user is entitled to."),
        _plural("roles", "The user's roles."),
        _plural(
            "x509Certificates",
            "The user's certificates.",
            value=Attribute("value", "binary", "One DER-encoded certificate in Base64.", case_exact=True),
        ),
    ),
)

ENTERPRISE_USER = Schema(
    ENTERPRISE_USER_URN,
    "EnterpriseUser",
    "What an organization adds to a user.",
    (
        _string("employeeNumber", "The number that the organization gave the person."),
        _string("costCenter", "The name of the cost center."),
        _string("organization", "The name of the organization."),
        _string("division", "The name of the division."),
        _string("department", "The name of the department."),
        _complex(
            "manager",
            "The user's manager.",
            _string("value", "The id of the manager's User resource.", case_exact=True),
            _reference("$ref", "The URI of the manager's User resource.", "User", mutability="readOnly"),
            _string("displayName", "The manager's name.", mutability="readOnly"),
        ),
    ),
)

GROUP = Schema(
    GROUP_URN,
    "Group",
    "A group of users and of other groups.",
    (
        EXTERNAL_ID,
        _string("displayName", "The name to show for the group.", required=True),
        MEMBERS,
    ),
)

USER_TYPE = ResourceType("User", "/Users", "User accounts.", USER, (ENTERPRISE_USER,), COMMON)
GROUP_TYPE = ResourceType("Group", "/Groups", "Groups of users.", GROUP, (), COMMON)
