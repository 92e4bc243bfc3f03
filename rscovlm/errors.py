"""Errors that a user can act on: one clear line each, shown without a traceback."""


class RscovlmError(Exception):
    """Something stands in the way of a task; the message says what would be right."""


class UsageError(RscovlmError):
    """A request that cannot be carried out as given."""


class ModelError(RscovlmError):
    """A model that cannot be found, loaded, reached or trusted."""


class DataError(RscovlmError):
    """Training data that cannot be used; the message names the sample."""


class JournalError(RscovlmError):
    """A journal that cannot be used: it is of other work, in use, or damaged."""
