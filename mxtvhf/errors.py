"""The exceptions of the package, which tell the caller whether to retry.

::

    MxtVhfError
    ├── InvalidInput        the input is wrong: quarantine it, do not retry      (CLI exit status 2)
    │   ├── NotOurs         a valid message of another mission or burst
    │   ├── NewerVersion    a stored file written by a later version of this software
    │   └── SeveralFaults   settings in a file or the environment, with a line for each fault
    ├── NothingToDo         a valid input that needs no analysis: end without an error
    └── Failure             this service or a partner failed                     (CLI exit status 1)
        ├── Retriable       may work when tried again (network, 5xx)
        └── GpFailed        the General Program ended its job with an error

Every message says in one line what is wrong, where, and what is expected or to be done; that of
`SeveralFaults` has a line for each fault. ``docs/reference/error-messages.md`` lists all messages.
"""


class MxtVhfError(Exception):
    """Base class of all errors of this package."""


class InvalidInput(MxtVhfError):
    """An input that cannot be processed, even by a retry; it is kept in the quarantine."""


class NotOurs(InvalidInput):
    """A valid message that is not for this pipeline (another mission, another burst)."""


class NewerVersion(InvalidInput):
    """A stored file whose ``schema_version`` is higher than this version of mxtvhf can read."""


class SeveralFaults(InvalidInput):
    """One or more invalid settings; the message has one line for each."""


class NothingToDo(MxtVhfError):
    """A valid input without anything to analyse (no position, no photons, a retraction)."""


class Failure(MxtVhfError):
    """Processing failed although the input was valid."""


class Retriable(Failure):
    """A failure that a retry may overcome: the network, a server that is down or overloaded."""


class GpFailed(Failure):
    """The General Program pipeline reported a failed analysis; the message includes its reason."""
