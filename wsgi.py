"""The WSGI application in a checkout: `gunicorn wsgi:app`."""

from scimsvc.web.wsgi import app

__all__ = ["app"]
