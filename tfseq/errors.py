"""What the user got wrong, apart from what the program got wrong."""


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one line: it names the file, flag or record and says what was expected. Command
    lines print it without a traceback and end with exit code 1; see `tfseq.cli`.
    """
