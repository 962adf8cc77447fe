"""The errors a user can cause. Each message says what was wrong, where, and what to do.

Commands print these without a traceback; anything else that escapes is a bug in mixqual.
"""


class MixqualError(Exception):
    """Base of every error that is caused by input rather than by a bug."""


class StudyError(MixqualError):
    """A study file has a wrong key, type or value."""


class DataError(MixqualError):
    """Images cannot be used: missing, unreadable, too few, or wrongly arranged."""


class BackboneError(MixqualError):
    """A backbone is unknown, or its weights are missing or do not fit."""


class DistortionError(MixqualError, ValueError):
    """A distortion is unknown, registered twice, or was given unusable options."""


class InvalidImageError(DistortionError):
    """Images given to a distortion have a wrong shape, type or range, or hold NaN."""


class InvalidLevelError(DistortionError):
    """Levels given to a distortion are out of range, NaN, or not one per image."""


class RunError(MixqualError):
    """A run cannot go on: its folder is in use, the disk is full, or a stage's input is damaged."""


class BundleError(MixqualError):
    """A bundle is damaged, was changed, or is of a kind that this version does not read."""


class ServiceError(MixqualError):
    """A service cannot start: a limit, its key or its address cannot be used."""
