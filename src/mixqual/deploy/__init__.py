"""From a trained mixture to one file that predicts."""

from mixqual.deploy.bundle import read_bundle, write_bundle
from mixqual.deploy.export import export
from mixqual.deploy.manifest import Manifest
from mixqual.deploy.predictor import Prediction, Predictor, load

__all__ = [
    "Manifest",
    "Prediction",
    "Predictor",
    "export",
    "load",
    "read_bundle",
    "write_bundle",
]
