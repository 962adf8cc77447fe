"""Bundles: what is written is read, and nothing else is."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixqual.deploy import Manifest
from mixqual.deploy.bundle import read_bundle, write_bundle
from mixqual.errors import BundleError

MANIFEST: dict[str, Any] = {
    "name": "tiny",
    "model": "mix",
    "version": "0.1.0",
    "commit": None,
    "seed": 0,
    "classes": ("cat", "dög"),
    "experts": ("clean", "noise"),
    "clean": "clean",
    "backbone": "timm/test_efficientnet",
    "size": 32,
    "interpolation": "bicubic",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "until": None,
    "from": None,
    "distortions": {
        "gaussian_noise": {
            "unit": "grey levels",
            "quantity": "σ",
            "levels": (0.0, 50.0),
            "weights": ((0.7, 0.3), (0.0, 1.0)),
        }
    },
    "trust": {
        "temperature": 1.3,
        "usable": 0.9,
        "retake": 0.4,
        "rule": "a rule",
        "errors": {"usable": 0.1, "doubtful": None, "retake": 0.6},
    },
    "auc": {"mix": 0.7},
}
ALONE: dict[str, Any] = {
    "model": "noise",
    "experts": ("noise",),
    "clean": "noise",
    "gate": "none",
    "distortions": {
        "gaussian_noise": {**MANIFEST["distortions"]["gaussian_noise"], "weights": ((1.0,),) * 2}
    },
}
"""What the manifest of one network says otherwise."""
THRESHOLD = {"tau": 0.1, "experts": 1.0, "auc": 0.7}
TENSORS = {"gate/w": torch.arange(6.0).view(2, 3), "expert.clean/n": torch.tensor(3)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "tiny.mixqual"
    write_bundle(path, Manifest.model_validate(MANIFEST), TENSORS)
    return path


def test_what_is_written_is_read(bundle: Path) -> None:
    manifest, tensors = read_bundle(bundle)
    assert manifest == Manifest.model_validate(MANIFEST)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor)


def test_one_network_is_a_mixture_of_itself(tmp_path: Path) -> None:
    written = Manifest.model_validate({**MANIFEST, **ALONE})
    write_bundle(tmp_path / "one", written, TENSORS)
    manifest, _ = read_bundle(tmp_path / "one")
    assert manifest == written
    assert not manifest.is_mixture
    assert Manifest.model_validate(MANIFEST).is_mixture


def test_equal_contents_give_equal_bytes(bundle: Path, tmp_path: Path) -> None:
    turned = dict(reversed(TENSORS.items()))
    write_bundle(tmp_path / "again", Manifest.model_validate(MANIFEST), turned)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()
    assert list(tmp_path.iterdir()) == [tmp_path / "again"]  # no temporary file stays


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_changed_byte_is_told_or_changes_nothing(
    bundle: Path, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(bundle.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed"
    path.write_bytes(content)
    try:
        manifest, tensors = read_bundle(path)
    except BundleError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - both ends are right
    else:
        assert manifest == Manifest.model_validate(MANIFEST)
        assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_cut_bundle_is_refused(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bundle.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(BundleError):
        read_bundle(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"no whole bundle|is no bundle"):
        read_bundle(path)


def rewritten(bundle: Path, path: Path, **changed: bytes) -> Path:
    """The bundle with members in the place of others, named with _ for . in front of the ending."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.replace(".", "_"), old.read(name)))
    return path


class TestRefuses:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="is no file; give a bundle of `mixqual export`"):
            read_bundle(tmp_path / "nothing")
        with pytest.raises(BundleError, match="is a folder"):
            read_bundle(tmp_path)

    @pytest.mark.parametrize(("version", "cure"), [(2, "update mixqual"), (0, "export it again")])
    def test_other_formats(self, bundle: Path, tmp_path: Path, version: int, cure: str) -> None:
        head = json.dumps({"format": version, "parts": {}}).encode()
        path = rewritten(bundle, tmp_path / "other", checksums_json=head)
        with pytest.raises(BundleError, match=f"has format {version}, this .* reads 1; {cure}"):
            read_bundle(path)

    def test_a_manifest_that_was_changed(self, bundle: Path, tmp_path: Path) -> None:
        path = rewritten(bundle, tmp_path / "other", manifest_json=b"{}")
        with pytest.raises(BundleError, match=r"manifest\.json is not what was written"):
            read_bundle(path)

    def test_members_that_no_bundle_has(self, bundle: Path, tmp_path: Path) -> None:
        path = tmp_path / "more"
        path.write_bytes(bundle.read_bytes())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("../../code.pkl", b"")
        with pytest.raises(BundleError, match="is no bundle: it should hold"):
            read_bundle(path)

    def test_compressed_members(self, bundle: Path, tmp_path: Path) -> None:
        """What is compressed may be a bomb."""
        path = tmp_path / "small"
        with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
        with pytest.raises(BundleError, match="is compressed or encrypted"):
            read_bundle(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"clean": "blur"}, "'blur' is none of the experts"),
            ({"size": 3}, "size: "),
            ({"code": "import os"}, "code: Extra inputs"),
            ({"experts": ("clean", "noise", "blur")}, "each level needs a weight for each expert"),
            ({"gate": "none"}, "only one whole network alone has no gate"),
            ({**ALONE, "until": "blocks.2"}, "only one whole network alone has no gate"),
            ({**ALONE, "threshold": THRESHOLD}, "only one whole network alone has no gate"),
        ],
    )
    def test_manifests_that_do_not_fit(
        self, bundle: Path, tmp_path: Path, change: dict[str, Any], message: str
    ) -> None:
        manifest = json.dumps({**MANIFEST, **change}).encode()
        with zipfile.ZipFile(bundle) as archive:
            head = json.loads(archive.read("checksums.json"))
        digest = hashlib.sha256(manifest).hexdigest()
        head["parts"]["manifest.json"] = {"bytes": len(manifest), "sha256": digest}
        path = rewritten(
            bundle,
            tmp_path / "wrong",
            manifest_json=manifest,
            checksums_json=json.dumps(head).encode(),
        )
        with pytest.raises(BundleError, match=message):
            read_bundle(path)
