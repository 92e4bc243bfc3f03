"""Errors that a user can act on: one clear line each, shown without a traceback."""


class UsageError(Exception):
    """A request that cannot be carried out as given; the message says what would be right."""


class ModelError(Exception):
    """A model that cannot be found, loaded, reached or trusted; the message says why."""


class DataError(Exception):
    """Training data that cannot be used; the message names the sample and what is wrong."""
