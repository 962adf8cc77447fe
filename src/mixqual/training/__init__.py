"""The one fit loop, its recipes and its checkpoints."""

from mixqual.training.augmentation import NOTHING, Augmentation
from mixqual.training.checkpoints import discard_damaged_state, load_tensors
from mixqual.training.fit import Fitted, fit
from mixqual.training.recipe import validations
from mixqual.training.task import Task, validation_assignment

__all__ = [
    "NOTHING",
    "Augmentation",
    "Fitted",
    "Task",
    "discard_damaged_state",
    "fit",
    "load_tensors",
    "validation_assignment",
    "validations",
]
