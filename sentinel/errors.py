"""The errors of Sentinel, as one tree; each family has the exit code of its process.

    SentinelError                     1   a bug, when nothing below fits
    ├── FixNeededError                2   settings, permission or a name to correct; repeating is useless
    │   ├── SettingsError                 missing or wrong settings, all listed at once
    │   ├── NotFoundError                 a source, repository, pull request or model that is not there
    │   └── PermissionDeniedError         a token, role or folder that does not allow it
    ├── DataUnusableError            65   data that cannot be used beyond the stated share
    │   ├── RecordError                   one record; counted and kept with its reason
    │   ├── CorruptFileError              a file that is not what it claims to be
    │   └── FingerprintError              features of other code than this
    └── UnavailableError             75   a dependency was gone for longer than its budget; try again

Every text says what could not be done, what was seen, what was expected and what to do next.
"""


class SentinelError(Exception):
    """Stop the process with `exit_code`."""

    exit_code = 1


class FixNeededError(SentinelError):
    """Say what a person has to correct; the same run again would fail again."""

    exit_code = 2


class SettingsError(FixNeededError):
    """List every setting that is missing or wrong."""


class NotFoundError(FixNeededError):
    """Name the thing that is not there."""


class PermissionDeniedError(FixNeededError):
    """Name the permission that is missing."""


class DataUnusableError(SentinelError):
    """Say which data cannot be used, and how much of it."""

    exit_code = 65


class RecordError(DataUnusableError):
    """Say why one record cannot be read; it is kept with this reason."""


class CorruptFileError(DataUnusableError):
    """Name a stored file that is cut short, altered or of another kind."""


class FingerprintError(DataUnusableError):
    """Name the two feature fingerprints that should be equal."""


class UnavailableError(SentinelError):
    """Name the dependency that stayed away longer than its budget."""

    exit_code = 75
