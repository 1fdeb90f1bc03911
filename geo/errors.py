"""Every error that a caller may handle, under one base.

Each class also stands under the built-in that it resembles, so `except ValueError` works where a
caller knows nothing of us. A message names the thing, says what it was, and ends with what to do.
Problems in data are not errors in code: `check_*` functions return those as a table.
"""


class WanggeError(Exception):
    """The base of all errors that are raised on purpose."""


class InputError(WanggeError, ValueError):
    """A file or argument cannot be used at all; the command line ends with exit code 2."""


class RuleError(WanggeError, ValueError):
    """Readable data breaks a hard rule; the command line ends with exit code 1."""


class CrsError(InputError):
    """A layer has no CRS, is in the wrong one, or two layers differ."""


class CoverError(RuleError):
    """Polygons that must form a cover overlap, or are not valid."""


class ColumnError(InputError, KeyError):
    """A required column is missing; the message lists the columns that there are."""

    def __str__(self) -> str:
        return ValueError.__str__(self)


class CodeError(InputError, LookupError):
    """A division, class or grid code that no table knows or that has the wrong shape."""


class StoreError(WanggeError, OSError):
    """The workspace cannot be opened, read or written."""


class StoreBusyError(StoreError, TimeoutError):
    """Another process held the workspace for longer than we are willing to wait."""


class StoreWriteError(StoreError):
    """The disk of the workspace is full, read-only or failing; nothing was changed."""


class SchemaVersionError(StoreError):
    """The workspace was written by a newer version of the program."""


class SettingsError(WanggeError, ValueError):
    """A setting is unknown, has the wrong type, or contradicts another."""
