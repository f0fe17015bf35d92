"""The library under every Python that it promises, as a zip file."""
