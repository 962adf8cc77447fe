"""Parts of a graph: against those that the library of ONNX extracts."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from test_bundle import MANIFEST

from mixqual.deploy import Manifest
from mixqual.deploy.onnx_cut import cut_names, read_graph


def chain(sources: list[tuple[int, int]]) -> onnx.ModelProto:
    """Additions, each of two values among the images, a constant and the sums before it."""
    names = ["images", "one", *(f"v{n}" for n in range(len(sources)))]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])
        for name in names
        if name != "one"
    ]
    nodes = [
        helper.make_node("Add", [names[a], names[b]], [f"v{n}"]) for n, (a, b) in enumerate(sources)
    ]
    constant = numpy_helper.from_array(np.ones((1, 2), np.float32), "one")
    graph = helper.make_graph(
        nodes, "sums", infos[:1], infos[-1:], [constant], value_info=infos[1:-1]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, int]]:
    count = draw(st.integers(1, 8))
    return [(draw(st.integers(0, n + 1)), draw(st.integers(0, n + 1))) for n in range(count)]


@settings(deadline=None)
@given(graphs(), st.data())
def test_a_part_is_what_the_library_extracts(
    sources: list[tuple[int, int]], data: st.DataObject
) -> None:
    model = chain(sources)
    names = [f"v{n}" for n in range(len(sources))]
    output = data.draw(st.sampled_from(names))
    cuts = data.draw(st.lists(st.sampled_from(names), unique=True))
    part = onnx.load_from_string(read_graph(model.SerializeToString()).part(output, cuts))
    onnx.checker.check_model(part, full_check=True)
    taken = [given.name for given in part.graph.input]
    assert set(taken) <= {"images", *cuts} - {output}
    expected = Extractor(model).extract_model(taken, [output])
    assert list(part.graph.node) == list(expected.graph.node)
    assert list(part.graph.initializer) == list(expected.graph.initializer)
    assert list(part.graph.input) == list(expected.graph.input)
    assert list(part.graph.output) == list(expected.graph.output)
    assert (part.ir_version, part.opset_import) == (model.ir_version, model.opset_import)
    # Nothing that is cut off is in it.
    assert not {name for node in part.graph.node for name in node.output} & set(taken)


@pytest.mark.parametrize(
    ("until", "start", "names"),
    [
        (None, None, ("branch_0", "branch_1")),
        ("a", None, ("features", "branch_0", "branch_1")),
        (None, "b", ("branch_0", "branch_1", "mixed", "logits")),
        ("a", "b", ("features", "branch_0", "branch_1", "mixed", "logits")),
    ],
)
def test_where_it_is_cut(until: str | None, start: str | None, names: tuple[str, ...]) -> None:
    manifest = Manifest.model_validate({**MANIFEST, "until": until, "from": start})
    assert cut_names(manifest) == names
