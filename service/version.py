"""The version of the installed application."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("lupus-server")
except PackageNotFoundError:  # a checkout that was never installed
    VERSION = "0.0.0"
