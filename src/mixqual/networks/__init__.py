"""Backbones with their preprocessing and stages, the gate, and the mixture of experts."""

from mixqual.networks.backbones import (
    Classifier,
    backbone_preprocessing,
    blank_classifier,
    build_classifier,
    check_backbone,
    find_backbone,
    load_backbone,
    settle_head,
    weights_to_fetch,
)
from mixqual.networks.conditional import conditional_forward, passing_weights, weighted_forward
from mixqual.networks.first_stages import FirstStages
from mixqual.networks.folding import fold_batch_norms
from mixqual.networks.gate import Gate, SoleGate
from mixqual.networks.mixture import BranchedClassifier, Mixture
from mixqual.networks.preprocessing import Preprocessing
from mixqual.networks.shapes import without_weights
from mixqual.networks.sharing import Parts, Sharing, Stages, stages_of

__all__ = [
    "BranchedClassifier",
    "Classifier",
    "FirstStages",
    "Gate",
    "Mixture",
    "Parts",
    "Preprocessing",
    "Sharing",
    "SoleGate",
    "Stages",
    "backbone_preprocessing",
    "blank_classifier",
    "build_classifier",
    "check_backbone",
    "conditional_forward",
    "find_backbone",
    "fold_batch_norms",
    "load_backbone",
    "passing_weights",
    "settle_head",
    "stages_of",
    "weighted_forward",
    "weights_to_fetch",
    "without_weights",
]
