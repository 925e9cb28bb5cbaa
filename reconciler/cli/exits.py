"""Names the exit codes and the error that carries one to the end of the program; it prints nothing itself."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the program's exit status says. `plan --detailed-exitcode` alone follows Terraform instead: 0, 1, 2."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMEOUT = 3
    NOT_FOUND = 4
    CONFLICT = 5
    REFUSED = 6
    PARTIAL = 7
    INTERRUPTED = 130


class Failure(Exception):
    """Ends a verb with one clear message; `remedy` says what to do, `code` is the exit status."""

    def __init__(self, message: str, *, remedy: str = "", code: ExitCode = ExitCode.FAILED) -> None:
        """Keep the parts apart, so that the message can be checked without its remedy."""
        self.message = message
        self.remedy = remedy
        self.code = code
        super().__init__(f"{message}; {remedy}" if remedy else message)
