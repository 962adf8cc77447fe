"""The fit loop against hand-written steps, and against itself when interrupted."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from killable import fit_module, start
from small_elpv import cell_set
from torch import Tensor, nn

from mixqual.config import BackboneConfig, TrainingConfig
from mixqual.data import ImageSet
from mixqual.distortions import Assignment, Schedule, distort, distortion
from mixqual.errors import DataError, RunError
from mixqual.networks import Classifier, build_classifier
from mixqual.seeding import derive_seed
from mixqual.training import Fitted, Task, fit, load_tensors, validation_assignment
from mixqual.training.task import batches

DISTORTIONS = {name: distortion(name) for name in ("gaussian_noise", "gaussian_blur")}
QUARTERS = Schedule(
    {"gaussian_noise": 0.25, "gaussian_blur": 0.25},
    {"gaussian_noise": (0, 100), "gaussian_blur": (0, 1.4)},
)
CONFIG = TrainingConfig(lr=0.01, lr_new=0.05, batch_size=8, max_epochs=3, patience=9)


def cross_entropies(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits_BK, labels_B, reduction="none")


def task(train: ImageSet | None = None, val: ImageSet | None = None) -> Task:
    return Task(
        title="test",
        train=train or cell_set(7),
        val=val or cell_set(3, first=7),
        schedule=QUARTERS,
        distortions=DISTORTIONS,
        targets=lambda labels_B, _: labels_B,
        losses=cross_entropies,
        seed=1,
        val_seed=2,
    )


def classifier(name: str = "test_efficientnet") -> Classifier:
    return build_classifier(BackboneConfig(name=f"timm/{name}", weights="random"), 4, seed=0)


def run(
    directory: Path,
    job: Task,
    config: TrainingConfig = CONFIG,
    *,
    network: Classifier | None = None,
    max_steps: int | None = None,
) -> tuple[Classifier, Fitted]:
    network = network or classifier()
    directory.mkdir(exist_ok=True)
    accelerator = Accelerator(cpu=True)
    fitted = fit(
        network,
        network.new_parameters(),
        job,
        config,
        accelerator,
        directory,
        max_steps=max_steps,
    )
    return network, fitted


def assert_same_weights(a: nn.Module, b: nn.Module) -> None:
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name]), name


def interrupting(job: Task, at_call: int) -> Task:
    """The same task, whose targets raise when they are asked for the `at_call`th time."""
    calls = 0

    def targets(labels_B: Tensor, _: Assignment) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == at_call:
            raise KeyboardInterrupt
        return labels_B

    return replace(job, targets=targets)


class TestStep:
    def test_is_sgd_with_momentum_and_two_learning_rates(self, tmp_path: Path) -> None:
        """Two epochs of one step each, against SGD written out: v = m v + g, p = p - lr v."""
        job = task(train=cell_set(2), val=cell_set(1, first=7))
        config = CONFIG.model_copy(update={"max_epochs": 2, "momentum": 0.8})
        expected = classifier("test_efficientnet_gn")
        head = {id(parameter) for parameter in expected.new_parameters()}
        velocity = {name: torch.zeros_like(p) for name, p in expected.named_parameters()}
        losses: list[float] = []
        for epoch in range(2):
            # The images and their distortions are of the loop's own choice; the rest is not.
            (batch,) = batches(job, 8, 0, epoch)
            images_BCHW, labels_B = job.train.batch(batch.positions_B)
            images_BCHW = distort(images_BCHW, batch.assignment, DISTORTIONS, batch.seed)
            expected.zero_grad()
            loss = -expected(images_BCHW).log_softmax(1)[torch.arange(8), labels_B].mean()
            loss.backward()
            losses.append(loss.item())
            with torch.no_grad():
                for name, parameter in expected.named_parameters():
                    assert parameter.grad is not None
                    velocity[name] = 0.8 * velocity[name] + parameter.grad
                    parameter -= (0.05 if id(parameter) in head else 0.01) * velocity[name]
        network = classifier("test_efficientnet_gn")
        _, fitted = run(tmp_path, job, config, network=network)
        state, numbers = load_tensors(tmp_path / "state.safetensors")
        assert (fitted.steps, fitted.epochs) == (2, 2)
        for name, parameter in expected.named_parameters():
            torch.testing.assert_close(
                state[f"network.{name}"], parameter.detach(), rtol=1e-4, atol=1e-6
            )
        assert [row["train_loss"] for row in numbers["history"]] == pytest.approx(losses, rel=1e-5)

    def test_bfloat16_is_close_to_float32_and_not_the_same(self, tmp_path: Path) -> None:
        """Eight bits of mantissa: losses differ in the third digit, the weights stay float32."""
        seen: list[torch.dtype] = []
        rows = {}
        for precision in ("float32", "bfloat16"):
            network = classifier("test_efficientnet_gn")
            last = network.backbone.classifier
            hook = last.register_forward_hook(
                lambda module, _, output: seen.append(output.dtype) if module.training else None
            )
            slow = {"precision": precision, "lr": 1e-4, "lr_new": 1e-4}  # or rounding would grow
            config = CONFIG.model_copy(update=slow)
            run(tmp_path / precision, task(), config, network=network)
            hook.remove()
            assert {p.dtype for p in network.parameters()} == {torch.float32}
            _, numbers = load_tensors(tmp_path / precision / "state.safetensors")
            rows[precision] = [row["val_loss"] for row in numbers["history"]]
        assert seen == [*[torch.float32] * 9, *[torch.bfloat16] * 9]
        assert rows["bfloat16"] == pytest.approx(rows["float32"], rel=0.02)
        assert rows["bfloat16"] != rows["float32"]

    def test_both_groups_move(self, tmp_path: Path) -> None:
        before = {name: p.detach().clone() for name, p in classifier().named_parameters()}
        network, _ = run(tmp_path, task(), CONFIG.model_copy(update={"max_epochs": 1}))
        moved = {name: not torch.equal(p, before[name]) for name, p in network.named_parameters()}
        assert all(moved.values())

    def test_the_network_sees_exact_fractions_of_every_batch(self, tmp_path: Path) -> None:
        job = task()
        seen: list[Tensor] = []
        assigned: list[Assignment] = []

        class Spy(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = nn.Linear(3, 4)

            def forward(self, images_BCHW: Tensor) -> Tensor:
                if self.training:
                    seen.append(images_BCHW.detach().clone())
                logits_BK: Tensor = self.head(images_BCHW.mean((2, 3)) / 255)
                return logits_BK

        def targets(labels_B: Tensor, assignment: Assignment) -> Tensor:
            assigned.append(assignment)
            return labels_B

        config = CONFIG.model_copy(update={"max_epochs": 2})
        job = replace(job, targets=targets)
        fit(Spy(), [], job, config, Accelerator(cpu=True), tmp_path)
        clean = {image.numpy().tobytes() for image in job.train.batch(range(len(job.train)))[0]}
        batches = [a for a in assigned if len(a.kinds_B) == 8]
        assert len(seen) == len(batches) == 6
        for images_BCHW, assignment in zip(seen, batches, strict=True):
            untouched_B = [image.numpy().tobytes() in clean for image in images_BCHW]
            assert sum(untouched_B) == 4
            assert untouched_B == (assignment.kinds_B == -1).tolist()
            # Noise leaves neighbouring pixels unlike each other; blur does the opposite.
            assert assignment.kinds_B.tolist().count(0) == 2
            assert assignment.kinds_B.tolist().count(1) == 2
            assert len({image.numpy().tobytes() for image in images_BCHW}) == 8
        # Positions and levels are drawn afresh for every batch.
        assert len({tuple(a.kinds_B.tolist()) for a in batches}) > 1
        assert len({level for a in batches for level in a.levels_B.tolist()}) == 6 * 4 + 1

    def test_an_epoch_shows_each_image_at_most_once_and_drops_the_ragged_batch(self) -> None:
        job = task(train=cell_set(7))  # 28 images: 3 batches of 8, 4 images left over
        for epoch in range(3):
            positions = [batch.positions_B.tolist() for batch in batches(job, 8, 0, epoch)]
            assert [len(each) for each in positions] == [8, 8, 8]
            assert len({number for each in positions for number in each}) == 24
        first, second = (
            [batch.positions_B.tolist() for batch in batches(job, 8, 0, epoch)] for epoch in (0, 1)
        )
        assert first != second
        assert [b.positions_B.tolist() for b in batches(job, 8, 2, 0)] == first[2:]


class TestValidation:
    def test_restored_weights_have_the_recorded_loss_which_is_the_lowest(
        self, tmp_path: Path
    ) -> None:
        job = task(val=cell_set(17, first=7))  # 68 images: more than one batch of validation
        network, fitted = run(tmp_path, job)
        assert not network.training
        assignment = validation_assignment(job)
        images_BCHW, labels_B = job.val.batch(range(len(job.val)))
        seed = derive_seed(job.val_seed, "validation")
        images_BCHW = distort(images_BCHW, assignment, DISTORTIONS, seed)
        with torch.inference_mode():
            # Each image alone, so that none can be counted twice or left out.
            losses = [
                nn.functional.cross_entropy(network(image[None]), label[None]).item()
                for image, label in zip(images_BCHW, labels_B, strict=True)
            ]
        assert fitted.val_loss == pytest.approx(sum(losses) / 68, rel=1e-5)
        _, numbers = load_tensors(tmp_path / "state.safetensors")
        history = [row["val_loss"] for row in numbers["history"]]
        assert fitted.val_loss == min(history)
        assert fitted.best_epoch == 1 + history.index(min(history))
        saved, _ = load_tensors(tmp_path / "weights.safetensors")
        assert all(torch.equal(tensor, saved[k]) for k, tensor in network.state_dict().items())

    def test_images_carry_the_mix_of_training_and_the_same_one_every_time(self) -> None:
        job = task(val=cell_set(4, first=7))
        first, again = validation_assignment(job), validation_assignment(replace(job, seed=99))
        assert first.kinds_B.tolist() == again.kinds_B.tolist()
        assert torch.equal(first.levels_B, again.levels_B)
        assert [first.kinds_B.tolist().count(kind) for kind in (-1, 0, 1)] == [8, 4, 4]

    def test_stops_when_patience_is_over(self, tmp_path: Path) -> None:
        """With a rate of all but 0 and targets that worsen, no epoch is better than the first."""
        calls = 0

        def worsening(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return cross_entropies(logits_BK, labels_B) + calls

        job = replace(task(), losses=worsening)
        changes = {"lr": 1e-9, "lr_new": 1e-9, "patience": 3, "max_epochs": 50}
        _, fitted = run(tmp_path, job, CONFIG.model_copy(update=changes))
        assert (fitted.epochs, fitted.best_epoch) == (4, 1)
        assert fitted.steps == 4 * 3

    def test_ends_at_the_last_epoch(self, tmp_path: Path) -> None:
        _, fitted = run(tmp_path, task(), CONFIG.model_copy(update={"max_epochs": 2}))
        assert (fitted.epochs, fitted.steps) == (2, 6)

    @pytest.mark.parametrize(("most", "steps"), [(1, 3), (3, 3), (4, 6), (12, 12)])
    def test_max_steps_ends_with_the_epoch_that_reaches_it(
        self, tmp_path: Path, most: int, steps: int
    ) -> None:
        _, fitted = run(tmp_path, task(), max_steps=most)
        assert fitted.steps == steps


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Fitted]:
    torch.set_num_threads(1)
    return run(tmp_path_factory.mktemp("uninterrupted"), task())


class TestResume:
    """Batches 1 to 3 are calls 1 to 3 of an epoch; validation is one more."""

    @pytest.mark.parametrize(
        "at_call",
        [
            pytest.param(2, id="in the first epoch"),
            pytest.param(4, id="at the first validation"),
            pytest.param(5, id="at an epoch's first step"),
            pytest.param(7, id="in the second epoch"),
            pytest.param(12, id="at the last validation"),
        ],
    )
    @pytest.mark.parametrize("interval", [-1.0, 60.0])
    def test_interrupted_ends_with_the_same_bits(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        uninterrupted: tuple[Classifier, Fitted],
        interval: float,
        at_call: int,
    ) -> None:
        monkeypatch.setattr(fit_module(), "_CHECKPOINT_EVERY", interval)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, interrupting(task(), at_call))
        assert not (tmp_path / "weights.safetensors").exists()
        # With a checkpoint at each step, it goes on at the very step.
        calls: list[int] = []
        job = task()
        counting = replace(job, targets=lambda y_B, _: (calls.append(1), y_B)[1])
        network, fitted = run(tmp_path, counting)
        assert fitted == uninterrupted[1]
        assert_same_weights(network, uninterrupted[0])
        whole_epochs = (at_call - 1) // 4 * 4
        assert len(calls) == 12 - (at_call - 1 if interval < 0 else whole_epochs)

    def test_again_and_again(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        uninterrupted: tuple[Classifier, Fitted],
    ) -> None:
        monkeypatch.setattr(fit_module(), "_CHECKPOINT_EVERY", -1.0)
        for _ in range(11):  # each call of the targets is the second of its run
            with pytest.raises(KeyboardInterrupt):
                run(tmp_path, interrupting(task(), 2))
        network, fitted = run(tmp_path, task())
        assert fitted == uninterrupted[1]
        assert_same_weights(network, uninterrupted[0])

    def test_with_dropout_ends_with_the_same_bits(self, tmp_path: Path) -> None:
        """Dropout draws from the generator of the process: it has to be the step's own."""

        def network() -> Classifier:
            made = classifier()
            made.backbone.drop_rate = 0.5
            return made

        expected, _ = run(tmp_path / "a", task(), network=network())
        without, _ = run(tmp_path / "b", task(), network=classifier())
        torch.rand(7)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "c", interrupting(task(), 6), network=network())
        torch.rand(5)
        resumed, _ = run(tmp_path / "c", task(), network=network())
        assert_same_weights(resumed, expected)
        head = "backbone.classifier.weight"
        assert not torch.equal(without.state_dict()[head], expected.state_dict()[head])

    def test_a_finished_fit_is_not_trained_again(
        self, tmp_path: Path, uninterrupted: tuple[Classifier, Fitted]
    ) -> None:
        run(tmp_path, task())
        network, fitted = run(tmp_path, interrupting(task(), 1))
        assert fitted == uninterrupted[1]
        assert_same_weights(network, uninterrupted[0])

    def test_more_steps_from_its_state_equal_one_longer_fit(self, tmp_path: Path) -> None:
        """As M_all with more steps goes on from M_all (stages copies its state)."""
        longer, fitted_longer = run(tmp_path / "longer", task(), max_steps=15)
        run(tmp_path / "short", task(), CONFIG.model_copy(update={"max_epochs": 2}))
        state, _ = load_tensors(tmp_path / "short" / "state.safetensors")
        assert any(name.startswith("momentum.") for name in state)
        continued, fitted = run(tmp_path / "short", task(), max_steps=15)
        assert fitted == fitted_longer
        assert_same_weights(continued, longer)

    def test_killed_ends_with_the_same_bits(
        self, tmp_path: Path, uninterrupted: tuple[Classifier, Fitted]
    ) -> None:
        process = start(_fit_and_be_killed, str(tmp_path), 7)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert (tmp_path / "state.safetensors").exists()
        network, fitted = run(tmp_path, task())
        assert fitted == uninterrupted[1]
        assert_same_weights(network, uninterrupted[0])

    def test_a_damaged_checkpoint_is_named(self, tmp_path: Path) -> None:
        run(tmp_path, task(), CONFIG.model_copy(update={"max_epochs": 1}))
        path = tmp_path / "state.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(RunError, match=r"state\.safetensors is missing or damaged"):
            run(tmp_path, task())


def _fit_and_be_killed(directory: str, at_call: int) -> None:
    torch.set_num_threads(1)

    def targets(labels_B: Tensor, _: Assignment, calls: list[int] = []) -> Tensor:  # noqa: B006
        calls.append(1)
        if len(calls) == at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        return labels_B

    run(Path(directory), replace(task(), targets=targets))


class TestErrors:
    def test_too_few_images_for_a_batch(self, tmp_path: Path) -> None:
        with pytest.raises(
            DataError, match=r"7 training images do not fill a batch of 8; lower tr"
        ):
            run(tmp_path, task(train=ImageSet(cell_set(7).images, cell_set(7).indices_N[:7])))

    @pytest.mark.parametrize("rate", [1e9, 1e30])
    def test_divergence_names_the_setting(self, tmp_path: Path, rate: float) -> None:
        config = CONFIG.model_copy(update={"lr": rate, "lr_new": rate})
        with pytest.raises(RunError, match=r"diverged: lower training\.lr or training\.lr_new"):
            run(tmp_path, task(), config, network=classifier("test_efficientnet_gn"))


def test_networks_are_let_go(tmp_path: Path) -> None:
    """A study's accelerator sees many networks; it must not keep them all."""
    accelerator = Accelerator(cpu=True)
    network = classifier()
    config = CONFIG.model_copy(update={"max_epochs": 1})
    fit(network, network.new_parameters(), task(), config, accelerator, tmp_path)
    assert accelerator._models == []
    assert accelerator._optimizers == []
