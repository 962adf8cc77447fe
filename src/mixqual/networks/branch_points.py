"""Branch points: the cuts of a backbone, under names that people can read and write.

The paper's names for VGG (conv1_1 ... fc8), names of blocks for all others.
"""

from dataclasses import dataclass
from typing import final

import torchvision
from torch import fx, nn

from mixqual.errors import BackboneError
from mixqual.networks.backbones import Classifier
from mixqual.networks.graph import Gap, TracedClassifier, module_path


@final
@dataclass(frozen=True)
class BranchPoint:
    """A place where a network may be cut, named by the stage that begins there."""

    name: str
    aliases: frozenset[str]
    """Other names: the paths of all modules whose first layer comes next, and that layer's own."""
    tensor: fx.Node
    """What crosses."""


def branch_points(traced: TracedClassifier) -> list[BranchPoint]:
    """All branch points from input to output; the input itself is none."""
    layers = [module_path(node) for node in traced.layers()]
    paper = _paper_names(traced.classifier)
    points = []
    for gap in traced.gaps():
        tensor, starting = _choose(gap)
        small = [path for path in starting if 2 * _count_below(layers, path) < len(layers)]
        name = paper.get(gap.layer, small[0] if small else gap.layer)
        points.append(BranchPoint(name, frozenset({*starting, name}), tensor))
    return points


def find_branch_point(points: list[BranchPoint], name: str, backbone: str) -> BranchPoint:
    """The branch point of a name; raises `BackboneError` listing those there are."""
    for point in points:
        if name in point.aliases:
            return point
    names = ", ".join(point.name for point in points)
    raise BackboneError(f"{backbone} has no branch point {name!r}; it has {names}")


def stage_end(points: list[BranchPoint], name: str, backbone: str) -> fx.Node | None:
    """What leaves the stage of a name: at the first branch point after it and outside of it.

    So "blocks.2" ends with the whole module, though it can be cut within. None stands for the end
    of the network. Raises like `find_branch_point`.
    """
    start = points.index(find_branch_point(points, name, backbone))
    for point in points[start + 1 :]:
        if not any(_is_in(alias, name) for alias in point.aliases):
            return point.tensor
    return None


def _choose(gap: Gap) -> tuple[fx.Node, list[str]]:
    """The place in a gap, and the paths of the modules that begin there, the outermost first.

    It is where the outermost module begins, as a block may start with a normalisation; and the last
    such place, as activation, pooling and flattening belong to the layer before them.
    """
    parts = gap.layer.split(".")
    paths = [".".join(parts[: length + 1]) for length in range(len(parts))]
    new = [path for path in paths if not _is_in(gap.before, path)]
    begins = {
        tensor: [path for path in new if not _is_in(module_path(tensor), path)] or [gap.layer]
        for tensor in gap.tensors
    }
    tensor = max(reversed(gap.tensors), key=lambda place: len(begins[place]))
    return tensor, begins[tensor]


def _is_in(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(f"{ancestor}.")


def _count_below(layers: list[str], path: str) -> int:
    return sum(_is_in(layer, path) for layer in layers)


def _paper_names(classifier: Classifier) -> dict[str, str]:
    """Path of a layer to its name in the paper, for torchvision's VGG networks."""
    backbone = classifier.backbone
    if not isinstance(backbone, torchvision.models.VGG):
        return {}
    names, block, number = {}, 1, 0
    for index, module in enumerate(backbone.features):
        if isinstance(module, nn.Conv2d):
            number += 1
            names[f"features.{index}"] = f"conv{block}_{number}"
        elif isinstance(module, nn.MaxPool2d):
            block, number = block + 1, 0
    for index, module in enumerate(backbone.classifier):
        if isinstance(module, nn.Linear):
            names[f"classifier.{index}"] = f"fc{block}"
            block += 1
    return names
