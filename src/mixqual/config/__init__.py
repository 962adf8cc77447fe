"""The tables of a study file: frozen, validated models.

Every field says its meaning, unit and default. `study_file` makes them of a file.
"""

from mixqual.config.distortions import DistortionConfig, PartConfig
from mixqual.config.images import (
    LONGEST_CLASS,
    MOST_CLASSES,
    DataConfig,
    GrayscaleNoise,
    Share,
    SplitConfig,
)
from mixqual.config.networks import (
    BackboneConfig,
    BaselineConfig,
    ExpertConfig,
    SharingConfig,
)
from mixqual.config.runtime import ClusterConfig, RuntimeConfig
from mixqual.config.study import EvaluationConfig, StudyConfig, with_recipe
from mixqual.config.table import MOST_NETWORKS, Name, Table
from mixqual.config.training import FitConfig, Fractions, GateConfig, TrainingConfig

__all__ = [
    "LONGEST_CLASS",
    "MOST_CLASSES",
    "MOST_NETWORKS",
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
    "Name",
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
