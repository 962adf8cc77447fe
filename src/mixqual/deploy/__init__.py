"""A mixture, or one network, in one file, and what predicts with it.

`export`, `bundle`, `assembly` and `torch_runner` need torch, and are imported by their own names.
"""

from mixqual.deploy.loading import load
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.predictor import Prediction, Predictor

__all__ = ["Manifest", "Prediction", "Predictor", "load"]
