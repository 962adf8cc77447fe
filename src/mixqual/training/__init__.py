"""The one fit loop and its checkpoints."""

from mixqual.training.checkpoints import load_tensors
from mixqual.training.fit import Fitted, fit
from mixqual.training.task import Task, validation_assignment

__all__ = ["Fitted", "Task", "fit", "load_tensors", "validation_assignment"]
