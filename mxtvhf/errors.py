"""The exceptions of the package, named after what the caller should do.

::

    MxtVhfError
    ├── InvalidInput        the input is wrong: quarantine it, do not retry      (CLI exit status 2)
    │   ├── NotOurs         a sound message, but of another mission or burst
    │   ├── NewerVersion    a kept file written by a later version of this software
    │   └── SeveralFaults   a file of settings, or the environment, with a line for each fault
    ├── NothingToDo         a legal input that needs no analysis: stop in good order
    └── Failure             our side or a partner's side failed                  (CLI exit status 1)
        ├── Retriable       may work when tried again (network, 5xx)
        └── GpFailed        the General Program ended its job with an error

Every message names the input and the cause, in one line; that of `SeveralFaults` has a line for each fault.
"""


class MxtVhfError(Exception):
    """Base of all errors that this package raises on purpose."""


class InvalidInput(MxtVhfError):
    """An input that cannot be processed; retrying is useless, the input is kept in quarantine."""


class NotOurs(InvalidInput):
    """A well-formed message that is not for this pipeline (another mission, another burst)."""


class NewerVersion(InvalidInput):
    """A kept file whose ``schema_version`` is higher than this version of mxtvhf can read."""


class SeveralFaults(InvalidInput):
    """Settings of which several may be wrong: one line for each fault."""


class NothingToDo(MxtVhfError):
    """A legal input without anything to analyse (no position, no photons, a retraction)."""


class Failure(MxtVhfError):
    """Processing failed although the input was sound."""


class Retriable(Failure):
    """A failure that may pass by itself: the network, a server that is down or overloaded."""


class GpFailed(Failure):
    """The General Program pipeline reported that its analysis failed; carries its own message."""
