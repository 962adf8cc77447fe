"""The tables of a study file: frozen, validated models.

Every field says its meaning, unit and default. `study_file` makes them of a file.
"""

from mixqual.config.distortions import DistortionConfig, PartConfig
from mixqual.config.images import DataConfig, GrayscaleNoise, Share, SplitConfig
from mixqual.config.networks import (
    BackboneConfig,
    BaselineConfig,
    ExpertConfig,
    SharingConfig,
)
from mixqual.config.study import (
    ClusterConfig,
    EvaluationConfig,
    RuntimeConfig,
    StudyConfig,
    with_recipe,
)
from mixqual.config.table import Table
from mixqual.config.training import FitConfig, Fractions, GateConfig, TrainingConfig

__all__ = [
    "BackboneConfig",
    "BaselineConfig",
    "ClusterConfig",
    "DataConfig",
    "DistortionConfig",
    "EvaluationConfig",
    "ExpertConfig",
    "FitConfig",
    "Fractions",
    "GateConfig",
    "GrayscaleNoise",
    "PartConfig",
    "RuntimeConfig",
    "Share",
    "SharingConfig",
    "SplitConfig",
    "StudyConfig",
    "Table",
    "TrainingConfig",
    "with_recipe",
]
