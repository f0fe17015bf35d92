"""Checks of data: a schema learned from a reference, reviewed as a file, held against each batch.

``learn`` makes a *schema*; its ``check`` gives a *result*, whose ``metrics()`` detectors can watch
and whose ``raise_if_failed()`` stops a job. docs/checks.md says what each rule measures.
"""

from lupus.checks.finding import Finding
from lupus.checks.learn import learn
from lupus.checks.result import Result
from lupus.checks.schema import Schema

__all__ = ["Finding", "Result", "Schema", "learn"]
