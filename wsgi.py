"""The WSGI application: `gunicorn wsgi:app`."""

from scimsvc.settings import load
from scimsvc.web.app import create_app

app = create_app(load())
