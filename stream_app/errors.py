"""The exceptions of this project, and what the one who catches them must do.

A record that can never succeed is no exception: it is a fault code in a row (``core/faults.py``).
Exceptions are for a broken world:

    StreamAppError                 every error we raise; carries the exit status of the process
    ├── ConfigError        78      stop before connecting: a setting, file or contract is wrong
    ├── UsageError         64      the command line asks for something that cannot be
    ├── UnavailableError   69      a server is not there, at start or in a tool
    ├── RetriableError     75      nothing is lost: put the rows back and try again later
    │   ├── AbortedError   75      the transaction is undone: rewind to the committed offsets
    │   └── DeniedError    75      not allowed until somebody gives the right back: say so, wait
    ├── ModelRunError              the model refuses these rows together: bisect to find which
    ├── DeviceOutOfMemoryError     no room on the device for so many rows at once: halve, retry
    └── FatalError         70      stop without committing; a restart begins where it was
        ├── FencedError    75      the producer was fenced: rebuild it, or stop if a twin is there
        └── DataError      65      too many dead letters, or on_bad_record = "stop": look first

Every message says what was expected, what was found and what to do next. The numbers are those
of sysexits.h, so that a supervisor can tell "do not restart" (64, 65, 78) from "restart" (rest).
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the process tells the one who started it (sysexits.h)."""

    OK = 0
    USAGE = 64
    DATA = 65
    UNAVAILABLE = 69
    SOFTWARE = 70
    TRY_AGAIN = 75
    CONFIG = 78

    @property
    def restart_helps(self) -> bool:
        """Whether the same command can end differently without a person's hand."""
        return self in {self.UNAVAILABLE, self.SOFTWARE, self.TRY_AGAIN}


class StreamAppError(Exception):
    """Any error that this project raises on purpose; ``str`` of it is meant for a person."""

    exit_status = ExitStatus.SOFTWARE


class ConfigError(StreamAppError):
    """A setting, a file, the contract or the model is wrong; nothing was connected or read."""

    exit_status = ExitStatus.CONFIG


class UsageError(StreamAppError):
    """The command line asks for something that cannot be done."""

    exit_status = ExitStatus.USAGE


class UnavailableError(StreamAppError):
    """A server does not answer where the settings say that it is."""

    exit_status = ExitStatus.UNAVAILABLE


class RetriableError(StreamAppError):
    """The step could not be done now; nothing was lost and the same rows may be tried again."""

    exit_status = ExitStatus.TRY_AGAIN


class AbortedError(RetriableError):
    """The transaction failed and must be undone; then rewind to the committed offsets.

    Attributes:
        permanent: The same would happen again until somebody changes something outside.
        heals: Such a change is all it takes, so it is waited for, however long.
    """

    def __init__(self, message: str, *, permanent: bool = False, heals: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.heals = heals


class DeniedError(RetriableError):
    """A right is missing; the same may be tried again, and works once somebody has given it."""


class ModelRunError(StreamAppError):
    """The model fails on these rows; one of them, or all, are the reason: bisect."""


class DeviceOutOfMemoryError(StreamAppError):
    """The device has no memory for this many rows at once: halve the batch and try again."""


class FatalError(StreamAppError):
    """This process cannot go on; nothing was committed that was not delivered."""


class FencedError(FatalError):
    """The producer's epoch is over: a twin took its transactional id, or its time ran out."""

    exit_status = ExitStatus.TRY_AGAIN


class DataError(FatalError):
    """The data, or the deploy, is so bad that a person must look before it goes on."""

    exit_status = ExitStatus.DATA
