"""What can go wrong, in a tree small enough to remember.

Every message says what is wrong, where, and what would work. The command line prints it without a traceback
and exits with code 2; library users catch `HalposeError` or one of its branches.
"""


class HalposeError(Exception):
    """Anything that halpose refuses or cannot do."""


class DataError(HalposeError):
    """Recordings or a store are not what they should be."""


class FormatError(DataError):
    """One file could not be read as the format it was taken for."""


class ConfigError(HalposeError):
    """A setting, recipe or option is unknown or impossible."""


class CheckpointError(HalposeError):
    """A run directory or checkpoint is missing, damaged or belongs to something else."""


class TrainingError(HalposeError):
    """Training cannot go on; what was learned so far is kept in the last checkpoint."""


class ExportError(HalposeError):
    """A run cannot be written in another form, or what was written would not give what the run gives."""
