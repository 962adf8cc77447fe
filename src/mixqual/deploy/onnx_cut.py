"""The parts of a mixture's graph of ONNX: its gate, its experts and what they share.

The graph names the values at which it is cut, and a part is what lies before one value and behind
the others: the nodes that it takes, and their weights. Nothing here needs the library of ONNX.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from mixqual.deploy.manifest import Manifest
from mixqual.deploy.protobuf import Content, bytes_field, fields

INPUT, PROBABILITIES, WEIGHTS = "images", "probabilities", "weights"
"""Names in the graph: images (B, 3, size, size) in, (B, K) calibrated and (B, E) out."""

FEATURES, MIXED, LOGITS = "features", "mixed", "logits"
"""Where experts share stages: what their first ones make, and what the last ones take and make."""

_GRAPH, _METADATA = 7, 14  # fields of ModelProto
_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT, _VALUE = 1, 2, 5, 11, 12, 13  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME, _VALUE_NAME = 8, 1


def branch_name(expert: int) -> str:
    """Where the stages of one expert alone end: in logits, or features if shared stages follow."""
    return f"branch_{expert}"


def cut_names(manifest: Manifest) -> tuple[str, ...]:
    """The values at which the graph of a mixture is cut, in the order in which they are made."""
    return (
        *([FEATURES] if manifest.until else []),
        *map(branch_name, range(len(manifest.experts))),
        *([MIXED, LOGITS] if manifest.from_ else []),
    )


@final
@dataclass(frozen=True)
class _Node:
    content: Content
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@final
@dataclass(frozen=True)
class OnnxGraph:
    """A model that is a mixture, told apart."""

    head: bytes
    """All but the graph and metadata: versions, and the sets of operators."""
    nodes: Sequence[_Node]
    """In an order in which they can be run."""
    weights: Mapping[str, Content]
    values: Mapping[str, Content]
    """Types and shapes by name."""

    def part(self, output: str, cuts: Sequence[str]) -> bytes:
        """The model from the images, or the cuts behind which it lies, to one value."""
        starts = {INPUT, *cuts} - {output}
        made_by = {name: node for node in self.nodes for name in node.outputs}
        wanted, seen, needed = [output], set[str](), set[int]()
        while wanted:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in starts and name in made_by:
                needed.add(id(made_by[name]))
                wanted += made_by[name].inputs
        message = [
            *(bytes_field(_NODE, node.content) for node in self.nodes if id(node) in needed),
            bytes_field(_NAME, output.encode()),
            *(bytes_field(_INITIALIZER, w) for name, w in self.weights.items() if name in seen),
            *(bytes_field(_INPUT, self.values[name]) for name in sorted(starts & seen)),
            bytes_field(_OUTPUT, self.values[output]),
        ]
        return self.head + bytes_field(_GRAPH, *message)


def read_graph(content: bytes) -> OnnxGraph:
    """Tell a serialised ModelProto apart, which may carry metadata."""
    view, head = memoryview(content), []
    graph: Content = b""
    for number, begins, start, stop in fields(view):
        if number == _GRAPH:
            graph = view[start:stop]
        elif number != _METADATA:
            head.append(view[begins:stop])
    nodes, weights, values = [], {}, {}
    for number, _, start, stop in fields(graph):
        value = graph[start:stop]
        if number == _NODE:
            nodes.append(_Node(value, _texts(value, _NODE_INPUT), _texts(value, _NODE_OUTPUT)))
        elif number == _INITIALIZER:
            weights[_texts(value, _TENSOR_NAME)[0]] = value
        elif number in (_INPUT, _OUTPUT, _VALUE):
            values[_texts(value, _VALUE_NAME)[0]] = value
    return OnnxGraph(b"".join(head), nodes, weights, values)


def _texts(message: Content, wanted: int) -> tuple[str, ...]:
    """All texts of one field of a message."""
    return tuple(
        bytes(message[start:stop]).decode()
        for number, _, start, stop in fields(message)
        if number == wanted
    )
