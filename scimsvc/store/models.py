"""The tables as Peewee models; the migrations create them."""

from __future__ import annotations

import peewee


class Model(peewee.Model):
    """No database is bound: queries are executed on the one that is passed (see `scimsvc.store.database`)."""


class Tenant(Model):
    """A customer: whose resources are separate from everyone else's, with the mapping profile they follow."""

    id = peewee.AutoField()
    name = peewee.TextField(unique=True)
    profile = peewee.TextField()
    created = peewee.TextField()


class Token(Model):
    """A secret token of a tenant, known only by the SHA-256 of its text. Times are UTC, null where they are not."""

    id = peewee.AutoField()
    tenant = peewee.ForeignKeyField(Tenant)
    hash = peewee.TextField(unique=True)
    scope = peewee.TextField(default="scim")
    subject = peewee.TextField(null=True)
    description = peewee.TextField()
    created = peewee.TextField()
    expires = peewee.TextField(null=True)
    revoked = peewee.TextField(null=True)
    last_used = peewee.TextField(null=True)


class Resource(Model):
    """A resource of any type. `document` is its JSON without `meta` and without what the membership table holds.

    `deleted` is 1 if the resource is deleted and can still be restored, else 0.
    """

    seq = peewee.BigAutoField()
    tenant_id = peewee.IntegerField()
    resource_type = peewee.TextField()
    id = peewee.TextField()
    document = peewee.TextField()
    display = peewee.TextField(null=True)
    version = peewee.BigIntegerField()
    created = peewee.TextField()
    last_modified = peewee.TextField()
    deleted = peewee.IntegerField(default=0)


class AttributeValue(Model):
    """One normalised value of one attribute of a resource; `element` is its place in a multi-valued attribute.

    `attribute` is the number of a resource type's attribute (see `scimsvc.store.querying.index.number`).
    `value` is what is indexed; where the normalised value is too long for an index, `overflow` has all of it.
    """

    tenant_id = peewee.IntegerField()
    resource_seq = peewee.BigIntegerField()
    attribute = peewee.IntegerField()
    element = peewee.IntegerField()
    value = peewee.TextField()
    overflow = peewee.TextField(null=True)
    is_unique = peewee.IntegerField()

    class Meta:
        table_name = "attribute_value"
        primary_key = peewee.CompositeKey("tenant_id", "resource_seq", "attribute", "element")


class Membership(Model):
    """That one resource is a member of a group."""

    tenant_id = peewee.IntegerField()
    group_seq = peewee.BigIntegerField()
    member_seq = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("tenant_id", "group_seq", "member_seq")
