"""Errors that name the offending thing, what was expected and what to try.

Every error a user can cause is an `InputError`; the command line turns it into one message and exit code 2.
"""

from __future__ import annotations


class ScalebridgeError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the command line returns for it."""

    exit_code: int = 1


class InputError(ScalebridgeError):
    """What was given cannot be used. The message says what was given, what was expected, what to try."""

    exit_code = 2


class ImageError(InputError):
    """An image that cannot be read, or whose content is not what the caller says it is."""


class PhaseError(InputError):
    """Labels and laws do not match."""


class LawError(InputError):
    """A material law with impossible properties."""


class UnitError(InputError):
    """A quantity without a number, with an unknown unit, or with a unit of the wrong dimension."""


class SpacingError(InputError):
    """A length is needed and the voxel spacing is unknown."""


class StudyError(InputError):
    """A study file that cannot be understood."""


class OutputError(InputError):
    """Results cannot be written where they should go."""


class ResourceError(InputError):
    """The run needs more memory (or disk) than there is; the message carries the estimate."""


class PercolationError(InputError):
    """A transport path was asked for through a phase that does not connect the two sides."""


class ConvergenceError(ScalebridgeError):
    """An iteration stopped before its tolerance; the message says how far it came and what to try."""
