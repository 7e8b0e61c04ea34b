"""From the text of a profile to its values, with a finding for each mistake and each doubt, at its line and column.

Nothing here opens a file. Start with `profile.py`, which reads the top of a profile; each other module reads one block.
"""
