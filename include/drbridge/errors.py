"""What can go wrong, grouped by what happens next.

    DrBridgeError(what, detail, fix)
      RetryLater          try again, with a growing delay
        Unreachable         the other side did not answer, or the network failed
        Busy                the other side asks us to wait (`retry_after` seconds)
        Interrupted         we were cut off in the middle of our own work
        Unstable            a file changed while we looked at it
      Rejected            the other side refused: fail now, answer the sender
        NotKnownThere       what we named does not exist there
        NotAllowed          it exists, but we may not
      BadInput            the file or message is broken: refuse it whole, alert
        UnreadableFile      not text, not whole, not in the agreed encoding or size
        WrongLayout         columns missing, doubled or unknown
        Incomplete          it ends before it should
      Misconfigured       our settings are wrong: fail now, alert the owner
        WrongLogin          we are not let in: not tried again before somebody has corrected it
      NeedsPerson         a look after the work found something to act on: fail now, alert the owner

Bad rows are not errors: they are data (`drbridge.contracts.Problem`).
"""

from __future__ import annotations


class DrBridgeError(Exception):
    """Something went wrong, and this says what to do about it.

    Args:
        what: one sentence for the person on call, without secrets or customer data.
        detail: facts for the log (addresses, status codes, counts).
        fix: the next step, in the imperative.
    """

    def __init__(self, what: str, detail: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.detail = detail
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what, f"({self.detail})" if self.detail else "", f"Next: {self.fix}" if self.fix else ""]
        return " ".join(part for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.what, self.detail, self.fix), self.__dict__)


class RetryLater(DrBridgeError):
    """Nothing is wrong with our data; the moment is bad."""


class Unreachable(RetryLater):
    """The other side did not answer, or the line was cut."""


class Busy(RetryLater):
    """The other side asks us to wait.

    Args:
        retry_after: seconds to keep away, counted from now.
    """

    def __init__(self, what: str, detail: str = "", fix: str = "", retry_after: float = 60.0) -> None:
        super().__init__(what, detail, fix)
        self.retry_after = retry_after


class Interrupted(RetryLater):
    """Our own work was cut off; whoever comes next goes on from the ledger."""


class Unstable(RetryLater):
    """A file changed while we read it; it is looked at again later."""


class Rejected(DrBridgeError):
    """The other side understood and refused."""


class NotKnownThere(Rejected):
    """The other side does not know what we named."""


class NotAllowed(Rejected):
    """The other side knows us and does not allow this."""


class BadInput(DrBridgeError):
    """The file or message cannot be used at all.

    Args:
        code: a short stable word for the reason (`open_quote`, `unknown_column`), kept in the ledger.
        line: the line an editor would show it on, when there is one.
    """

    def __init__(
        self, what: str, detail: str = "", fix: str = "", code: str = "bad_input", line: int | None = None
    ) -> None:
        super().__init__(what, detail, fix)
        self.code = code
        self.line = line


class UnreadableFile(BadInput):
    """Not text, not whole, or not in the agreed encoding or size."""


class WrongLayout(BadInput):
    """Columns are missing, doubled or unknown."""


class Incomplete(BadInput):
    """It ends before it should."""


class Misconfigured(DrBridgeError):
    """Our own settings do not work; no retry will help."""


class WrongLogin(Misconfigured):
    """The other side does not take our login; more tries with it could lock the account."""


class NeedsPerson(DrBridgeError):
    """Nothing failed; what was found calls for a person."""
