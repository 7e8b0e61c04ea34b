"""The gunicorn worker of scimsvc. Start reading in `connection`: its head says what happens to a connection, and why.

`worker` is what gunicorn starts, and its head lists the layers it is made of. `threads` runs requests, `schedule` decides whose
request is next, `framing` finds requests in bytes, `request` parses a head, and `response` writes one. `errors` and `log` replace
gunicorn's own; `capacity` chooses the numbers of workers and threads.
"""
