"""What stops a command of the operator: said in three parts, never as a traceback."""

from signaling.errors import OurMistake


class Refusal(OurMistake):
    """The machine, a setting or an argument does not let a command go on.

    `what` happened, `why`, and what to do next (`remedy`). `exit_code` is 1 where the machine is in the way and 2
    where the command or its settings are wrong.
    """

    def __init__(self, what: str, why: str, remedy: str, *, exit_code: int = 1) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.remedy = remedy
        self.exit_code = exit_code

    def as_json(self) -> dict[str, str]:
        """The three parts, for `--json`."""
        return {"error": self.what, "why": self.why, "remedy": self.remedy}


class BadSettings(Refusal):
    """A setting is unknown, malformed, or not safe to run with."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy, exit_code=2)


class PortTaken(Refusal):
    """A port that the server needs is not free."""
