"""Backbones with their preprocessing, the gate, and the mixture of experts."""

from mixqual.networks.backbones import (
    Classifier,
    backbone_preprocessing,
    build_classifier,
    check_backbone,
    find_backbone,
    last_linear,
    load_backbone,
)
from mixqual.networks.gate import Gate
from mixqual.networks.mixture import Mixture
from mixqual.networks.preprocessing import Preprocessing

__all__ = [
    "Classifier",
    "Gate",
    "Mixture",
    "Preprocessing",
    "backbone_preprocessing",
    "build_classifier",
    "check_backbone",
    "find_backbone",
    "last_linear",
    "load_backbone",
]
