"""People and machines ask here: HTTP API, worker, notifications, settings, command line."""
