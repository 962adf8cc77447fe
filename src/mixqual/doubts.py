"""What makes the numbers of a measured classifier doubtful, and what may be the cause."""

from mixqual.evaluation import CLEAN_CELL
from mixqual.evaluation.cell_metrics import CellMetrics
from mixqual.evaluation.chance import near_chance
from mixqual.networks.class_order import ClassOrder
from mixqual.networks.classifiers import LoadedClassifier


def doubts(
    measured: CellMetrics, outputs: int, order: ClassOrder, loaded: LoadedClassifier
) -> list[str]:
    """What makes the numbers doubtful: clean images are classified no better than by guesses."""
    clean = measured.metrics[CLEAN_CELL]
    accuracy = clean["class_mean_accuracy"]
    if not near_chance(accuracy, outputs, int(clean["n"])):
        return []
    assumed = list(loaded.assumed)
    if order.by_position:
        assumed.append("the order of the classes (--classes)")
    causes = (
        f"was it taken for granted wrongly: {'; '.join(assumed)}?"
        if assumed
        else "are these images of the kind that the model was trained on?"
    )
    return [
        f"The accuracy on clean images is near that of guesses: {accuracy:.3f} as a mean over the "
        f"classes, where guesses have {1 / outputs:.3f}. Either the model is no better, or it was "
        f"not given what it expects; {causes}"
    ]
