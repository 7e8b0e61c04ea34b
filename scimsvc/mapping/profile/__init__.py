"""The mapping profile as frozen values: tables, rows, scoping filters, record, policies, custom attributes.

Nothing here reads YAML or reports mistakes; `mapping/reading` does. Start with `model.py`.
"""
