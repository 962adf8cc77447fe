"""Bundles: what is written is read, and nothing else is."""

import hashlib
import json
import math
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixqual.config import BackboneConfig
from mixqual.deploy import Manifest, load
from mixqual.deploy.assembly import Kind, check_fit, mixture_tensors
from mixqual.deploy.bundle import read_bundle, write_bundle
from mixqual.errors import BundleError
from mixqual.networks import Gate, Preprocessing, blank_classifier

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


def read(path: Path) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """A bundle whose tensors are of no network."""
    return read_bundle(path, lambda manifest, kinds: None)


TENSORS = {"gate/w": torch.arange(6.0).view(2, 3), "expert.clean/n": torch.tensor(3)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "tiny.mixqual"
    write_bundle(path, Manifest.model_validate(MANIFEST), TENSORS)
    return path


def test_what_is_written_is_read(bundle: Path) -> None:
    manifest, tensors = read(bundle)
    assert manifest == Manifest.model_validate(MANIFEST)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor)


def test_one_network_is_a_mixture_of_itself(tmp_path: Path) -> None:
    written = Manifest.model_validate({**MANIFEST, **ALONE})
    write_bundle(tmp_path / "one", written, TENSORS)
    manifest, _ = read(tmp_path / "one")
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
        manifest, tensors = read(path)
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
        read(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"no whole bundle|is no bundle"):
        read(path)


def rewritten(bundle: Path, path: Path, **changed: bytes) -> Path:
    """The bundle with members in the place of others, named with _ for . in front of the ending."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.replace(".", "_"), old.read(name)))
    return path


class TestRefuses:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="is no file; give a file of `mixqual export`"):
            read(tmp_path / "nothing")
        with pytest.raises(BundleError, match="is a folder"):
            read(tmp_path)

    @pytest.mark.parametrize(("version", "cure"), [(2, "update mixqual"), (0, "export it again")])
    def test_other_formats(self, bundle: Path, tmp_path: Path, version: int, cure: str) -> None:
        head = json.dumps({"format": version, "parts": {}}).encode()
        path = rewritten(bundle, tmp_path / "other", checksums_json=head)
        with pytest.raises(BundleError, match=f"has format {version}, this .* reads 1; {cure}"):
            read(path)

    def test_a_manifest_that_was_changed(self, bundle: Path, tmp_path: Path) -> None:
        path = rewritten(bundle, tmp_path / "other", manifest_json=b"{}")
        with pytest.raises(BundleError, match=r"manifest\.json is not what was written"):
            read(path)

    def test_members_that_no_bundle_has(self, bundle: Path, tmp_path: Path) -> None:
        path = tmp_path / "more"
        path.write_bytes(bundle.read_bytes())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("../../code.pkl", b"")
        with pytest.raises(BundleError, match="is no bundle: it should hold"):
            read(path)

    def test_compressed_members(self, bundle: Path, tmp_path: Path) -> None:
        """What is compressed may be a bomb."""
        path = tmp_path / "small"
        with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
        with pytest.raises(BundleError, match="is compressed or encrypted"):
            read(path)

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
            read(path)


# Hostile manifests: refused by what they say, before anything is made of it

Change = dict[str, Any]


def packed(path: Path, manifest: Change, weights: bytes) -> Path:
    """A bundle of any manifest and weights, with checksums that agree."""
    parts = {"manifest.json": json.dumps(manifest).encode(), "weights.safetensors": weights}
    told = {
        name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        for name, part in parts.items()
    }
    head = json.dumps({"format": 1, "parts": told}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in {"checksums.json": head, **parts}.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    return path


def changed(path: Path, manifest: Change, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """A bundle whose manifest says something else."""
    weights = safetensors.torch.save(TENSORS if tensors is None else tensors)
    return packed(path, {**MANIFEST, **manifest}, weights)


def grid(**values: Any) -> Change:
    told = MANIFEST["distortions"]["gaussian_noise"]
    return {"distortions": {"gaussian_noise": {**told, **values}}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": 10**5}, "size"),
        ({"size": 10**30}, "size"),
        ({"size": -1}, "size"),
        ({"classes": tuple(map(str, range(10**6)))}, "classes"),
        ({"classes": ("cat", "cat")}, "two classes are called 'cat'"),
        ({"classes": ("cat", "")}, "classes"),
        ({"classes": ("cat", "x" * 10**5)}, "classes"),
        ({"experts": ("clean", "clean")}, "two experts are called 'clean'"),
        ({"experts": ("clean", "")}, "experts"),
        ({"experts": ("clean", "clean/backbone")}, "another begins with"),
        ({"std": (0.5, 0.0, 0.5)}, "std"),
        ({"std": (0.5, -1.0, 0.5)}, "std"),
        ({"mean": (1e30, 0.5, 0.5)}, "mean"),
        ({"mean": (math.nan, 0.5, 0.5)}, "mean"),
        (grid(weights=((1.5, -0.5), (0.0, 1.0))), "weights"),
        (grid(weights=((0.5, 0.4), (0.0, 1.0))), "must add up to one"),
        (grid(levels=(0.0, math.inf)), "levels"),
        ({"backbone": "b" * 10**6}, "backbone"),
        ({"auc": {"mix": 2.0}}, "auc"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_at_once(tmp_path: Path, change: Change, field: str) -> None:
    path = changed(tmp_path / "hostile.mixqual", change)
    began = time.process_time()
    with pytest.raises(BundleError) as raised:
        load(path)
    assert time.process_time() - began < 1
    assert field in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def whole_tensors() -> dict[str, torch.Tensor]:
    """Those of the mixture that the manifest tells of."""
    network = blank_classifier(BackboneConfig(name=MANIFEST["backbone"], weights="random"), 2)
    state = network.state_dict()
    preprocessing = Preprocessing(MANIFEST["mean"], MANIFEST["std"], "bicubic")
    return mixture_tensors(
        {name: {k: t.clone() for k, t in state.items()} for name in MANIFEST["experts"]},
        Gate(2, preprocessing).state_dict(),
        None,
    )


def test_the_mixture_of_these_tests_can_be_loaded(tmp_path: Path) -> None:
    predictor = load(changed(tmp_path / "sound.mixqual", {}, whole_tensors()))
    assert predictor.manifest.classes == MANIFEST["classes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "timm/vit_giant_patch14_dinov2"}, "takes|do not fit"),
        ({"backbone": "torchvision/vgg16"}, "do not fit"),
        ({"classes": tuple(map(str, range(10**5)))}, "do not fit"),
    ],
    ids=["giant", "vgg16", "classes"],
)
def test_a_network_that_the_weights_are_not_of_is_never_built(
    tmp_path: Path, change: Change, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = changed(tmp_path / "giant.mixqual", change, whole_tensors())
    built: list[torch.Tensor] = []
    monkeypatch.setattr(torch, "empty", noting(torch.empty, built))
    with pytest.raises(BundleError, match=message):
        load(path)
    assert max((t.numel() for t in built if not t.is_meta), default=0) < 10**6


def test_a_network_whose_structure_is_computed_is_compared_by_shapes(tmp_path: Path) -> None:
    """One of 2.6 GB, of which no weight is made (see tests/networks/test_shapes.py)."""
    change = {"backbone": "torchvision/regnet_y_128gf"}
    manifest = Manifest.model_validate({**MANIFEST, **change})
    kinds = {name: Kind(t.dtype, tuple(t.shape)) for name, t in whole_tensors().items()}
    with pytest.raises(BundleError, match="do not fit expert"):
        check_fit(manifest, kinds)


def noting(
    make: Callable[..., torch.Tensor], made: list[torch.Tensor]
) -> Callable[..., torch.Tensor]:
    """The same function, but what it makes is kept."""

    def noted(*arguments: Any, **options: Any) -> torch.Tensor:
        made.append(make(*arguments, **options))
        return made[-1]

    return noted


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.to(torch.float64), "float64"),
        (lambda t: t.to(torch.float16), "float16"),
        (lambda t: t[..., :1].contiguous(), "is torch.float32 of"),
        (lambda t: torch.full_like(t, math.nan), "NaN or infinite"),
        (lambda t: torch.full_like(t, math.inf), "NaN or infinite"),
        (lambda t: torch.full_like(t, 3e38), "not finite"),
    ],
    ids=["float64", "float16", "shape", "nan", "infinite", "overflow"],
)
def test_weights_that_cannot_answer_are_refused(
    tmp_path: Path, spoil: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    tensors = whole_tensors()
    name = next(n for n, t in tensors.items() if n.endswith("weight") and t.ndim == 4)
    path = changed(tmp_path / "bad.mixqual", {}, {**tensors, name: spoil(tensors[name])})
    with pytest.raises(BundleError, match=message):
        load(path)


def test_a_tensor_of_no_part_is_refused(tmp_path: Path) -> None:
    tensors = {**whole_tensors(), "expert.other/w": torch.zeros(3)}
    with pytest.raises(BundleError, match=r"expert\.other/w is of no part"):
        load(changed(tmp_path / "more.mixqual", {}, tensors))


# Archives with more in them than their parts


@pytest.mark.parametrize("place", ["before", "behind", "comment"])
def test_bytes_of_no_part_are_refused(bundle: Path, tmp_path: Path, place: str) -> None:
    path = tmp_path / "more.mixqual"
    content = bundle.read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + content if place == "before" else content)
    if place == "behind":
        path.write_bytes(content + b"more")
    elif place == "comment":
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b"more"
    with pytest.raises(BundleError, match=r"bytes before, between or behind|no whole bundle"):
        read(path)


def test_bytes_between_parts_are_refused(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "between.mixqual"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            new.writestr(zipfile.ZipInfo(member.filename), old.read(member))
            new.fp.write(b"between")
            new.start_dir = new.fp.tell()
    with pytest.raises(BundleError, match="bytes before, between or behind"):
        read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors", "checksums.json"])
def test_two_parts_of_one_name_are_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "twice.mixqual"
    path.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), archive.read(name))
    with pytest.raises(BundleError, match="is no bundle: it should hold"):
        read(path)


def test_weights_that_claim_more_than_there_is_are_not_read(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    weights = len(header).to_bytes(8, "little") + header.encode()
    path = packed(tmp_path / "claims.mixqual", MANIFEST, weights)
    with pytest.raises(BundleError, match="its tensors do not fill it"):
        read(path)


# What is no file


@pytest.mark.parametrize("ending", ["mixqual", "onnx"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"pipe.{ending}"
    os.mkfifo(path)
    with pytest.raises(BundleError, match="is no regular file"):
        load(path)


@pytest.mark.parametrize("ending", ["mixqual", "onnx"])
def test_what_never_ends_is_not_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"zero.{ending}"
    path.symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="is no regular file"):
        load(path)


@pytest.mark.parametrize("ending", ["mixqual", "onnx"])
def test_a_file_of_holes_is_refused_at_once(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"sparse.{ending}"
    with path.open("wb") as file:
        file.truncate(2**31 - 1)
    began = time.process_time()
    with pytest.raises(BundleError, match="is no whole"):
        load(path)
    assert time.process_time() - began < 1


def test_a_name_that_is_too_long_is_told_in_one_line() -> None:
    with pytest.raises(BundleError, match=r"cannot be read \(File name too long"):
        load("x" * 300)
