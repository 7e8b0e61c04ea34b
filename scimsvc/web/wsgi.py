"""The WSGI application, with the settings of the working folder; the import makes it."""

from __future__ import annotations

from scimsvc.settings import load
from scimsvc.web.app import create_app

app = create_app(load())
