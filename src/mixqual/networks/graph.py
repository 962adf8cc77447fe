"""The graph of a classifier, and the places where it can be cut in two.

A network can be cut where exactly one tensor crosses: everything after it needs nothing of what
comes before but that tensor. The graph is traced with torch.fx; its nodes are operations.
"""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
import torchvision
from timm.layers import get_notrace_functions, get_notrace_modules
from torch import fx, nn
from torch.nn import functional

from mixqual.errors import BackboneError
from mixqual.networks.backbones import Classifier

_LAYER_FUNCTIONS = (functional.linear, functional.conv2d, torch.conv2d)


@final
@dataclass(frozen=True)
class Gap:
    """The stretch between two layers, with the places in it where one tensor crosses."""

    tensors: tuple[fx.Node, ...]
    """What crosses: any one of them parts the network in two. In order."""
    before: str
    """Path of the layer before: one with a kernel or a matrix of weights."""
    layer: str
    """Path of the layer after, such as "blocks.5.0.conv_pw"."""


@final
@dataclass(frozen=True)
class TracedClassifier:
    """A classifier with the graph of what it does, normalisation included."""

    classifier: Classifier
    graph: fx.Graph

    @property
    def normalised(self) -> fx.Node:
        """The normalised images, as the backbone gets them."""
        own = []
        for node in self.graph.nodes:
            if _raw_path(node).startswith("backbone"):
                break
            own.append(node)
        images: fx.Node = next(node for node in reversed(own) if node.op == "call_function")
        return images

    def gaps(self) -> list[Gap]:
        """The gaps between layers where the network can be cut, from input to output."""
        found: list[Gap] = []
        places: list[fx.Node] = []
        live: set[fx.Node] = set()
        position = {node: index for index, node in enumerate(self.graph.nodes)}
        images = _depending_on_images(self.graph)
        torn = self._inside_of_reuse(position, images)
        before: str | None = None
        for index, node in enumerate(self.graph.nodes):
            if node not in images:
                continue
            if self._is_layer(node):
                path = module_path(node)
                if before is not None and places:
                    found.append(Gap(tuple(places), before, path))
                before, places = path, []
            live = {other for other in live | {node} if _last_use(other, position) > index}
            if live == {node} and index not in torn and not _is_sequence(node):
                places.append(node)
        return found

    def layers(self) -> list[fx.Node]:
        """The operations with a kernel or a matrix of weights, in order."""
        return [node for node in self.graph.nodes if self._is_layer(node)]

    def segment(self, start: fx.Node | None, end: fx.Node | None) -> fx.GraphModule:
        """The operations after `start` up to `end`, both of them cut places or the network's ends.

        It shares its parameters with the classifier, and has the same names for them.
        """
        part, copies = fx.Graph(), {}
        images = _depending_on_images(self.graph)
        nodes = list(self.graph.nodes)
        first = 0 if start is None else nodes.index(start) + 1
        last = len(nodes) if end is None else nodes.index(end) + 1
        source = nodes[0] if start is None else start
        copies[source] = part.placeholder("features" if start else "images_BCHW")

        def copy(node: fx.Node) -> fx.Node:
            """Copy a node, after whatever constants it needs."""
            if node not in copies:
                for needed in node.all_input_nodes:
                    copy(needed)
                copies[node] = part.node_copy(node, copies.__getitem__)
            return copies[node]

        for node in nodes[first:last]:
            if node in images and node.op not in ("placeholder", "output"):
                copy(node)
        result = nodes[-1].args[0] if end is None else end
        assert isinstance(result, fx.Node)
        part.output(copies[result])
        part.lint()
        return fx.GraphModule(self.classifier, part, class_name="Segment")

    def _inside_of_reuse(self, position: Mapping[fx.Node, int], images: set[fx.Node]) -> set[int]:
        """Positions between two uses of one parameter, which cannot belong to both sides."""
        owned: dict[fx.Node, set[str]] = {}
        uses: dict[str, list[int]] = {}
        names = {name for name, _ in self.classifier.named_parameters()}
        for node in self.graph.nodes:
            own = {str(node.target)} if node.op == "get_attr" else set()
            if node.op == "call_module":
                own = {name for name in names if name.startswith(f"{node.target}.")}
            for source in node.all_input_nodes:
                own |= owned[source] if source not in images else set()
            owned[node] = own
            if node in images:
                for name in own & names:
                    uses.setdefault(name, []).append(position[node])
        return {index for places in uses.values() for index in range(min(places), max(places))}

    def _is_layer(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            module = self.classifier.get_submodule(str(node.target))
            return any(parameter.ndim >= 2 for parameter in module.parameters())
        return node.op == "call_function" and node.target in _LAYER_FUNCTIONS


def trace(classifier: Classifier) -> TracedClassifier:
    """Trace a classifier; raises `BackboneError`, with the reason, if torch.fx cannot.

    Modules that behave differently in training, such as those that drop paths, stay whole, so that
    one graph serves both modes.
    """
    whole: set[type[nn.Module]] = set()
    modes = [(module, module.training) for module in classifier.modules()]
    try:
        while True:
            trained, evaluated = (graph_of(classifier.train(mode), whole) for mode in (True, False))
            path = _first_difference(trained, evaluated)
            if path is None:
                return TracedClassifier(classifier, evaluated)
            while type(classifier.get_submodule(path)).__module__.startswith("torch.nn."):
                path = path.rpartition(".")[0]  # a container, such as all networks have
            kind = type(classifier.get_submodule(path))
            if path in ("", "backbone") or kind in whole:
                raise BackboneError("it does other operations in training than in inference")
            whole.add(kind)
    finally:
        for module, training in modes:
            module.training = training


def graph_of(network: nn.Module, whole: set[type[nn.Module]]) -> fx.Graph:
    """What a network does in the mode that it is in; modules of the kinds in `whole` stay whole.

    Raises `BackboneError`, with the reason, if torch.fx cannot trace it.
    """
    try:
        return _Tracer(whole).trace(network)
    except Exception as error:  # a forward pass written in Python can fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(f"torch.fx cannot trace it ({reason})") from None


def module_path(node: fx.Node) -> str:
    """The path of the module that a node belongs to, without the leading "backbone."."""
    return _raw_path(node).removeprefix("backbone").removeprefix(".")


@final
class _Tracer(fx.Tracer):
    def __init__(self, whole: set[type[nn.Module]]) -> None:
        super().__init__(
            autowrap_modules=(math, torchvision.ops),  # type: ignore[arg-type]
            autowrap_functions=tuple(get_notrace_functions()),
        )
        operations = [kind for kind in vars(torchvision.ops).values() if isinstance(kind, type)]
        self._leaves = (*get_notrace_modules(), *operations, *whole)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self._leaves) or super().is_leaf_module(m, module_qualified_name)


def _first_difference(trained: fx.Graph, evaluated: fx.Graph) -> str | None:
    """The path of the innermost module in which two graphs part, or None if they are the same."""
    for one, other in zip(trained.nodes, evaluated.nodes, strict=False):
        if _words(one) != _words(other):
            return max(_owner(one), _owner(other), key=lambda path: path.count("."))
    return None if len(trained.nodes) == len(evaluated.nodes) else ""


def _raw_path(node: fx.Node) -> str:
    if node.op == "call_module":
        return str(node.target)
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {"": None}
    return next(reversed(list(stack)))


def _owner(node: fx.Node) -> str:
    """The path of the module whose forward pass does this operation."""
    path = _raw_path(node)
    return path.rpartition(".")[0] if node.op == "call_module" else path


def _is_sequence(node: fx.Node) -> bool:
    """Whether a value is taken apart by all that use it, as the pieces of a split are."""
    return all(user.target is operator.getitem for user in node.users)


def _words(node: fx.Node) -> tuple[str, ...]:
    return (node.op, str(node.target), str(node.args), str(node.kwargs))


def _depending_on_images(graph: fx.Graph) -> set[fx.Node]:
    """The nodes whose value depends on the images; the others are constants."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or any(source in found for source in node.all_input_nodes):
            found.add(node)
    return found


def _last_use(node: fx.Node, position: dict[fx.Node, int]) -> int:
    return max((position[user] for user in node.users), default=-1)
