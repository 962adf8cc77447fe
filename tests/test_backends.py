"""Every backend against the plain network, what `auto` chooses, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended import Command
from small_elpv import cell_set
from torch import Tensor, nn

from mixqual import backends
from mixqual.backends import accelerate, check_backend, pays
from mixqual.config import BackboneConfig
from mixqual.distortions import distortion
from mixqual.errors import StudyError
from mixqual.evaluation import OutputArray, grid_cells, sweep
from mixqual.networks import Classifier, Gate, Preprocessing, build_classifier
from mixqual.runtime import place

CPU = torch.device("cpu")
LITE0 = "timm/tf_efficientnet_lite0"
SIDE, BATCH = 32, 5
CHOICES = ["eager", "compiled", "onnxruntime"]


def built(name: str, seed: int = 0) -> Classifier:
    """A network whose answers depend on the image: its last layer is large."""
    network = build_classifier(BackboneConfig(name=name, weights="random"), 4, seed)
    network.new_parameters()[0].data.mul_(20)
    return place(network, CPU).eval()


def images(count: int, side: int = SIDE) -> Tensor:
    return 255 * torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(count))


def same(network: nn.Module, forward: backends.Forward, count: int, side: int = SIDE) -> None:
    """Probabilities agree within 1e-4 (float32, some fifty layers), in any memory format."""
    with torch.inference_mode():
        expected_BK = network(images(count, side)).softmax(1)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        given_BCHW = images(count, side).contiguous(memory_format=memory_format)
        found_BK = forward(given_BCHW).detach().softmax(1)
        torch.testing.assert_close(found_BK, expected_BK, rtol=0, atol=1e-4)
    assert expected_BK.std() > 1e-2  # or everything would agree with everything


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_every_backend_answers_as_the_network_does(choice: str) -> None:
    network = built(LITE0)
    ready = accelerate(network, torch.zeros(BATCH, 3, SIDE, SIDE), 1, choice)
    assert ready.backend == choice
    for count in (1, 5, 8):
        same(network, ready.forward, count)


def test_the_gate_is_exported_too() -> None:
    gate = place(Gate(3, Preprocessing((0.5,) * 3, (0.2,) * 3, "bilinear")), CPU).eval()
    for choice in ("eager", "onnxruntime"):
        ready = accelerate(gate, torch.zeros(BATCH, 3, SIDE, SIDE), 1, choice)
        with torch.inference_mode():
            for count in (1, 5, 8):
                torch.testing.assert_close(
                    ready.forward(images(count)), gate(images(count)), rtol=0, atol=1e-4
                )


class Small(nn.Module):
    """One convolution, quick to compile."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 4, 3)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.first(images_BCHW / 255).mean((2, 3))


def test_more_networks_are_compiled_than_torch_keeps_programs_of_one_code() -> None:
    """Else the third would be refused: torch raises where a whole program may not be compiled."""
    networks = [place(Small(seed), CPU).eval() for seed in range(4)]
    with torch._dynamo.config.patch(recompile_limit=2):
        ready = [accelerate(net, torch.zeros(2, 3, 8, 8), 1, "compiled") for net in networks]
        for network, each in zip(networks, ready, strict=True):
            with torch.inference_mode():
                expected_BK = network(images(2, 8))
            torch.testing.assert_close(each.forward(images(2, 8)), expected_BK, rtol=0, atol=1e-5)


def test_a_compiled_sweep_says_what_an_eager_one_does(tmp_path: Path) -> None:
    """Twelve images in batches of five: the last, of two, is not what was compiled."""
    photographs, network = cell_set(3, side=16), place(Small(1), CPU).eval()
    levels = {"gaussian_noise": (0.0, 50.0), "gaussian_blur": (0.0, 2.0)}
    cells = grid_cells(levels, {})
    answers = {}
    for backend in ("eager", "compiled"):
        ready = accelerate(network, torch.zeros(5, 3, 16, 16), 1, backend)
        array = OutputArray(tmp_path / backend, len(photographs), 4)
        sweep(
            {backend: lambda images_BCHW, _, ready=ready: ready.forward(images_BCHW).softmax(1)},
            {backend: array},
            photographs,
            cells,
            {name: distortion(name) for name in levels},
            seed=0,
            batch_size=5,
            device=CPU,
        )
        answers[backend] = np.stack([array.read(cell) for cell in cells])
    np.testing.assert_allclose(answers["compiled"], answers["eager"], rtol=0, atol=1e-4)
    right = [
        (a_VNK.argmax(2) == photographs.labels_N.numpy()).mean(1) for a_VNK in answers.values()
    ]
    np.testing.assert_allclose(right[0], right[1], rtol=0, atol=5e-4)


def test_it_pays_for_much_work_only() -> None:
    """By hand: 1.1 times as fast saves an eleventh of the time, which has to be over 60 seconds."""
    macs = 400_000_000  # 125 images a second on two threads: 82,500 images take 660 seconds
    assert not pays("compiled", 82_000, macs, 2)
    assert pays("compiled", 83_000, macs, 2)
    assert pays("compiled", 42_000, macs, 1)
    assert not pays("compiled", 83_000, macs, 4)
    # And 1.25 times as fast a fifth, which has to be over 16 seconds: 10,000 images take 80.
    assert not pays("onnxruntime", 9_900, macs, 2)
    assert pays("onnxruntime", 10_100, macs, 2)


def test_auto_takes_what_pays_and_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    network, example_BCHW = place(Small(0), CPU).eval(), torch.zeros(2, 3, 8, 8)
    enough = int(2 * 660 * 25e9 / (4 * 6 * 6 * 27))  # for both
    assert accelerate(network, example_BCHW, 1000, "auto").backend == "eager"
    assert accelerate(network, example_BCHW, enough, "auto").backend == "onnxruntime"
    monkeypatch.setattr(backends, "_ONNX_PACKAGES", ("no_such_package",))
    assert accelerate(network, example_BCHW, enough, "auto").backend == "compiled"
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert accelerate(network, example_BCHW, enough, "auto").backend == "eager"


class Deciding(Small):
    """Looks at values, which no program of fixed steps can."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BK = super().forward(images_BCHW)
        return features_BK if features_BK.sum().item() > 0 else -features_BK


def test_what_cannot_be_compiled_is_refused_or_runs_eagerly() -> None:
    network, example_BCHW = Deciding(0).eval(), torch.zeros(2, 3, 8, 8)
    for choice in ("compiled", "onnxruntime"):
        with pytest.raises(StudyError, match=f"runtime.backend = '{choice}' cannot run this netw"):
            accelerate(network, example_BCHW, 1, choice)
    ready = accelerate(network, example_BCHW, 10**15, "auto")
    assert ready.backend == "eager"
    torch.testing.assert_close(ready.forward(images(3, 8)), network(images(3, 8)))


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(StudyError, match=r'"compiled" needs a C\+\+ compiler.*choose "auto"'):
        check_backend("compiled")
    monkeypatch.setattr(backends, "_ONNX_PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(
        StudyError, match=r'needs no_such_package, .*pip install "mixqual\[onnx-export\]"'
    ):
        check_backend("onnxruntime")
    for choice in ("auto", "eager"):
        check_backend(choice)


def test_a_study_is_refused_before_any_work(
    command: Command,
    study_file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    path = study_file()
    ended = command("run", path, "--out", tmp_path / "out", "--set", "runtime.backend=compiled")
    assert 'runtime.backend = "compiled" needs a C++ compiler' in ended.refusal()
    assert not (tmp_path / "out").exists()
    ended = command("run", path, "--out", tmp_path / "out", "--set", "runtime.backend=fast")
    assert "runtime.backend" in ended.refusal()
