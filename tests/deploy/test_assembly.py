"""What does not fit together is told, with what it is."""

import re
from pathlib import Path

import pytest
from finished_runs import Run

import mixqual
from mixqual.deploy.assembly import assemble
from mixqual.deploy.bundle import read_bundle
from mixqual.errors import BundleError


@pytest.fixture(scope="module")
def bundles(tree_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    models = ("mix", "tree_blocks.2")
    return {
        model: mixqual.export(tree_run.out, folder / f"{model}.mixqual", model=model).path
        for model in models
    }


@pytest.mark.parametrize("part", ["gate", "expert.noise"])
def test_missing_and_surplus_tensors(bundles: dict[str, Path], part: str) -> None:
    manifest, tensors = read_bundle(bundles["mix"])
    own = sorted(name for name in tensors if name.startswith(f"{part}/"))
    what = "the gate" if part == "gate" else "expert 'noise'"
    for gone in own:
        less = {name: tensor for name, tensor in tensors.items() if name != gone}
        key = re.escape(gone.removeprefix(f"{part}/"))
        with pytest.raises(BundleError, match=f"do not fit {what}: 1 are missing, such as {key}"):
            assemble(manifest, less)
    with pytest.raises(BundleError, match=f"do not fit {what}: 1 are unknown, such as surplus"):
        assemble(manifest, {**tensors, f"{part}/surplus": tensors[own[0]]})


def test_tensors_of_another_branch(bundles: dict[str, Path]) -> None:
    manifest, tensors = read_bundle(bundles["tree_blocks.2"])
    assert any(name.startswith("expert.noise/") for name in tensors)
    wrong = {
        name: tensor.flatten() if name.startswith("expert.noise/") else tensor
        for name, tensor in tensors.items()
    }
    with pytest.raises(BundleError, match="its weights do not fit"):
        assemble(manifest, wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "timm/unknown_net"}, "cannot be built here: backbone 'timm/unknown_net'"),
        ({"until": "blocks.99"}, r"cannot be built here: .* has no branch point 'blocks\.99'"),
    ],
)
def test_networks_that_are_not_known_here(
    bundles: dict[str, Path], change: dict[str, str], message: str
) -> None:
    manifest, tensors = read_bundle(bundles["tree_blocks.2"])
    with pytest.raises(BundleError, match=message):
        assemble(manifest.model_copy(update=change), tensors)
