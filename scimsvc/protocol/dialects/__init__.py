"""Dialects: how a client's requests differ from the standard, undone before anything else looks at them.

A dialect is a pure function from a request as sent to the request as the standard has it, an ordered list of
small rules, each naming the documented request it is for. A request that is standard keeps its meaning, save for
an empty text, which is no value, and a role that is a JSON document, so one
server serves every client at once. Nothing about a client's habits stands outside this package.
"""

from scimsvc.protocol.dialects.request import Request

__all__ = ["Request"]
