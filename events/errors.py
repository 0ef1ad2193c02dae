"""Errors of the domain and the log, by who can correct them.

| error           | who               | what then                                             |
| --------------- | ----------------- | ----------------------------------------------------- |
| Refusal         | the caller        | understood and declined: 4xx in the API's form        |
| Missing         | the caller        | a Refusal: the object in the path is not there, 404   |
| Declined        | the caller        | a Refusal: the card or bank account is no good, 402   |
| LockTimeout     | the caller        | a Refusal: others kept changing the object, 429       |
| ClockAdvancing  | the caller        | a LockTimeout: its test clock is moving, 429          |
| StaleStream     | ourselves         | another writer was first: decide again                |
| ConstraintBroken| ourselves         | a unique name is in use, a limit is reached: 400 |
| AlreadyAnswered | ourselves         | this idempotency key has an answer: replay it         |
| LogUnavailable  | an operator       | the log cannot be reached: 503, worth a retry         |
| DatabaseUnsuitable | an operator    | its encoding, roles or migrations are not ours: 503   |
| BrokenHistory   | an operator       | stored history is not what was written: alert, 500    |
"""


class Refusal(Exception):
    """A request that was understood and declined; `message` is shown to the caller.

    `code` is a code of the API reference or None; `param` names the parameter to blame, `shipping[name]` style.
    """

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Missing(Refusal):
    """The object named in the path does not exist for this account and mode."""

    def __init__(self, kind: str, id: str, *, hint: str = "") -> None:
        super().__init__(f"No such {kind}: '{id}'{hint}", code="resource_missing", param="id")
        self.kind = kind
        self.id = id


class Declined(Refusal):
    """The card or bank account was declined, or is not usable; `decline_code` says why where the issuer does."""

    def __init__(self, message: str, *, code: str, param: str | None = None, decline_code: str | None = None) -> None:
        super().__init__(message, code=code, param=param)
        self.decline_code = decline_code


class LockTimeout(Refusal):
    """Other writers changed the object at each of our tries; the caller may try again."""

    def __init__(self) -> None:
        super().__init__(
            "This object cannot be accessed right now because another API request is currently accessing it. "
            "Please try again.",
            code="lock_timeout",
        )


class ClockAdvancing(LockTimeout):
    """The object's test clock is advancing; the caller may retry once it is ready."""

    def __init__(self) -> None:
        Refusal.__init__(
            self,
            "This object cannot be changed right now because its test clock is advancing. Please try again when the "
            "test clock is ready.",
            code="lock_timeout",
        )


class StaleStream(Exception):
    """Another writer appended to the stream after it was read."""

    def __init__(self, stream: str, expected: int) -> None:
        super().__init__(f"{stream} is not at version {expected}")
        self.stream = stream
        self.expected = expected


class ConstraintBroken(Exception):
    """A rule over many objects forbids it: a unique name is in use, a limit is reached. `constraint` names the rule."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class AlreadyAnswered(Exception):
    """The idempotency key of this append has a stored answer; nothing was appended."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class LogUnavailable(Exception):
    """The log cannot be reached, or was lost while it answered: what was sent may or may not be stored."""


class DatabaseUnsuitable(LogUnavailable):
    """The database is reached and cannot be used as it is: an operator reads the message, and acts.

    `state` is the same in a few words, for /readyz, which strangers may read.
    """

    def __init__(self, message: str, state: str = "not suitable") -> None:
        super().__init__(message)
        self.state = state


class BrokenHistory(Exception):
    """Stored history does not decode, does not unseal or does not chain: it is not what was written."""
