"""HTTP: Flask views that parse a request, call one use case and render its answer.

`app` composes the rooms, and `routes` lists all paths.
"""
