"""The one exception that a user's mistake raises."""


class InputError(ValueError):
    """Bad input: the message names the file, line, key or id, what was expected, and how to mend it.

    Commands print the message without a traceback and exit with status 2.
    """


class ToldElsewhere(InputError):
    """What another process of the same training has told already."""
