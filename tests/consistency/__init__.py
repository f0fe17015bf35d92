"""The rules of consistency, end to end where no room's own test holds them: docs/consistency.md."""
