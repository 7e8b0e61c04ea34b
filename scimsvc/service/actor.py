"""The actor that use cases take, so that the journal can name it."""

from __future__ import annotations

from scimsvc.store.actor import SERVER, Actor

__all__ = ["SERVER", "Actor"]
