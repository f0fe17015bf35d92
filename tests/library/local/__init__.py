"""Detection without a server."""
