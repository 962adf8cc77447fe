"""Names that stand in results, and that both what computes and what draws them has to know."""

AVERAGE, HELD_OUT = "average", "held_out_average"
"""The means over the distortions that experts are trained on, and over those that none is, where
the name of a distortion may stand."""

CLEAN = "clean"
"""Images without a distortion, where the name of a distortion may stand."""

BEYOND, NEVER = "beyond", "never"
"""Where a level may stand up to which accuracy is kept: at the last level that was tested it still
is, and not even on clean images it is."""

MIX = "mix"
"""The paper's M_mix."""

ENSEMBLES = ("avg", "max", "hardmix", MIX)
"""Models made of all experts."""

CEILINGS = ("mix_true", "best_expert")
"""Bounds that use what no deployed model knows: the distortion and level of each image."""

UNSEEN = "mix_unseen"
"""The mixture without the experts that were trained on the distortion it is tested on."""

CONDITIONAL = "conditional"
"""M_mix in its conditional mode, where the name of a model may stand."""


def level_key(level: float) -> str:
    """A level as the key that results have for it."""
    return format(level, "g")
