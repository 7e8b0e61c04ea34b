"""The gunicorn worker of scimsvc. Start reading in `connection.py`: its head says what happens to a connection, and why.

`worker` is the loop, `threads` runs requests, `schedule` decides whose request is next, `framing` finds requests in bytes,
`request` parses a head, `listener` closes a listening socket, `errors` and `log` replace gunicorn's own.
"""
