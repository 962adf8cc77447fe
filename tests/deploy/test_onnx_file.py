"""ONNX files with a manifest: what is written is read, by ONNX's own library too, and no other."""

import json
from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from test_bundle import MANIFEST

from mixqual.deploy import Manifest, onnx_file
from mixqual.deploy.onnx_file import Facts, Parity, read_onnx_file, write_onnx_file
from mixqual.errors import BundleError

FACTS = Facts(input="uint8", parity=Parity(clean=1e-6, distorted=2e-6, weights=0.0, images=40))


def graph() -> onnx.ModelProto:
    """A model of one addition."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "abc"]
    made = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])], "g", values[:2], values[2:]
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    write_onnx_file(path, graph().SerializeToString(), Manifest.model_validate(MANIFEST), FACTS)
    return path


def test_what_is_written_is_read(file: Path) -> None:
    found = read_onnx_file(file)
    assert found.manifest == Manifest.model_validate(MANIFEST)
    assert found.facts == FACTS
    assert found.content == file.read_bytes()


def test_the_library_of_onnx_reads_it_too(file: Path) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["mixqual.manifest"])["classes"] == ["cat", "dög"]
    assert json.loads(metadata["mixqual.facts"])["parity"]["distorted"] == 2e-6
    del model.metadata_props[:]
    assert model == graph()


def test_metadata_that_the_library_writes_is_read(file: Path, tmp_path: Path) -> None:
    onnx.save(onnx.load(file), tmp_path / "saved.onnx")
    assert read_onnx_file(tmp_path / "saved.onnx").manifest == Manifest.model_validate(MANIFEST)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_changed_byte_is_refused(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    """But for white space in the JSON of the checksums, which have none of their own."""
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.onnx"
    path.write_bytes(content)
    was = file.read_bytes()[place : place + 1]
    if was.isspace() and content[place : place + 1].isspace():
        with suppress(BundleError):
            found, whole = read_onnx_file(path), read_onnx_file(file)
            assert (found.manifest, found.facts) == (whole.manifest, whole.facts)
        return
    with pytest.raises(BundleError, match=str(path)):
        read_onnx_file(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_cut_file_is_refused(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = file.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(BundleError):
        read_onnx_file(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"no whole ONNX file|is no ONNX file of"):
        read_onnx_file(path)


class TestRefuses:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match=r"nothing\.onnx is no file"):
            read_onnx_file(tmp_path / "nothing.onnx")

    def test_a_classifier_of_others(self, tmp_path: Path) -> None:
        onnx.save(graph(), tmp_path / "other.onnx")
        with pytest.raises(BundleError, match="is no ONNX file of `mixqual export`"):
            read_onnx_file(tmp_path / "other.onnx")

    def test_fields_behind_the_metadata(self, file: Path, tmp_path: Path) -> None:
        """Protobuf would merge a second graph into the first."""
        (tmp_path / "more.onnx").write_bytes(file.read_bytes() + graph().SerializeToString())
        with pytest.raises(BundleError, match="no whole ONNX file"):
            read_onnx_file(tmp_path / "more.onnx")

    def test_another_format(
        self, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = onnx.load(file)
        for entry in model.metadata_props:
            if entry.key == "mixqual.checksums":
                entry.value = json.dumps({"format": 2, "parts": {}})
        onnx.save(model, tmp_path / "new.onnx")
        with pytest.raises(BundleError, match=r"has format 2, this .* reads 1; update mixqual"):
            read_onnx_file(tmp_path / "new.onnx")

    def test_more_than_a_message_can_hold(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(onnx_file, "MOST_BYTES", 100)
        with pytest.raises(BundleError, match="none is larger than 2 GiB"):
            read_onnx_file(file)
