"""What the server tells its operators: log lines and metrics. An attribute's value is never among it."""
