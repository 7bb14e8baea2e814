"""What the user got wrong, apart from what the program got wrong."""


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one line: it names the file, flag or record and says what was expected. Command
    lines print it without a traceback and end with exit code 1; see `tfseq.cli`.
    """


_LONGEST_REASON = 300


def reason(error: Exception) -> str:
    """Returns the first line of what a library says of a file, cut short; "" if it says nothing.

    What it says may hold parts of the file.
    """
    first = next(iter(str(error).splitlines()), "")
    return first if len(first) <= _LONGEST_REASON else f"{first[:_LONGEST_REASON]}..."
