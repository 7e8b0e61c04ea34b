"""What the server tells its operators: log lines and metrics. They never contain an attribute's value."""
