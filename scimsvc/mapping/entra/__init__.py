"""What Entra does with an object of its directory: source attributes, requests, and a preview of all it sends.

Nothing here reads a profile or talks to Entra. Start with `preview.py`.
"""
