"""Errors that a user can act on, and that a command shows as one line."""


class InputError(Exception):
    """User input (a file, an option, a key) that cannot be used. The message names it and says what to do."""


class TrainingError(Exception):
    """Training failed. The message names the step and says what to try."""


class ServiceError(Exception):
    """A scheduler or a remote that the work needs is gone. The message names it and says what to do."""
