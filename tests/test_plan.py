"""The keys of artifacts: they change with what an artifact depends on, and with nothing else."""

from pathlib import Path

import pytest
from small_elpv import write_study

from mixqual.errors import StudyError
from mixqual.plan import Plan
from mixqual.study_file import load_study_config

NETWORKS = ["clean", "noise", "blur", "all", "all_long"]


def plan(tmp_path: Path, *changes: str, images: str = "f00d") -> Plan:
    study = write_study(tmp_path / "tiny.toml", tmp_path / "none")
    return Plan(load_study_config(study, changes), images)


def keys(of: Plan) -> dict[str, str]:
    """Every key of the first seed."""
    networks = {name: of.network_key(name, 0) for name in NETWORKS}
    return {
        "images": of.images_key,
        "split": of.split_key,
        **networks,
        "val": of.outputs_folder("noise", "val", 0),
        "test": of.outputs_folder("noise", "test", 0),
        "weights": of.weights_key(0),
        "gate": of.gate_key(0),
    }


# What a change of a setting must change: no less, or results would be stale; no more, or a
# changed setting would repeat what does not depend on it.
ALL = {"images", "split", *NETWORKS, "val", "test", "weights", "gate"}
CHANGES = {
    "data.size=64": ALL,
    "data.fast_jpeg=true": ALL,
    "data.fast_jpeg=false": set(),
    "split.seed=1": ALL - {"images"},
    "split.train=9": ALL - {"images"},
    "backbone.name=timm/test_efficientnet_gn": ALL - {"images", "split"},
    "backbone.weights=default": ALL - {"images", "split"},
    "training.lr=0.02": ALL - {"images", "split"},
    "training.batch_size=4": ALL - {"images", "split"},
    "experts.noise.distort={gaussian_noise=0.25}": {
        *("noise", "all_long", "val", "test", "weights", "gate")
    },
    "experts.blur.distort={gaussian_blur=0.25}": {"blur", "all_long", "weights", "gate"},
    "baselines.all.distort={gaussian_blur=0.25}": {"all", "all_long"},
    "baselines.all.patience=4": {"all", "all_long"},
    "baselines.all_long.patience=4": {"all_long"},
    "distortions.gaussian_noise.max=50.0": {
        *("noise", "all", "all_long", "val", "test", "weights", "gate")
    },
    "distortions.gaussian_noise.options={clip=true}": {
        *("noise", "all", "all_long", "val", "test", "weights", "gate")
    },
    "distortions.gaussian_noise.steps=4": {"weights", "gate"},
    "evaluation.noise_draws=3": {"weights", "gate"},
    "evaluation.batch_size=8": {"val", "test", "weights", "gate"},
    "evaluation.bootstrap=500": set(),
    "gate.lr=0.02": {"gate"},
    "gate.penalty=0.02": {"gate"},
    "gate.kind=patch": {"gate"},
    "gate.kind=paper": set(),  # as it is by default
    "training.precision=float32": set(),
    "training.precision=bfloat16": ALL - {"images", "split"},
    # The paper's recipe said in full is what it was; each setting of another one counts.
    "training.recipe=paper": set(),
    "training.optimizer=sgd": set(),
    "training.start=clean": set(),
    "training.distorted=0.75": set(),  # no network here has a list of distortions
    "training.average=0.9": ALL - {"images", "split"},
    "training.horizontal_flip=true": ALL - {"images", "split"},
    "training.start=backbone": ALL - {"images", "split", "clean"},
    "experts.noise.start=all": {"noise", "all_long", "val", "test", "weights", "gate"},
    "experts.blur.training={max_epochs=2}": set(),  # as of the others
    "experts.blur.training={max_epochs=3}": {"blur", "all_long", "weights", "gate"},
    "gate.distort={gaussian_noise=0.5}": {"gate"},
    "gate.distort={gaussian_noise=0.25, gaussian_blur=0.25}": set(),  # as it is by default
    "seeds=[0, 1]": set(),
    "name=other": set(),
    "runtime.threads=2": set(),
    "data.memory_budget_mb=1": set(),
    "data.workers=1": set(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reaches_what_depends_on_it_alone(tmp_path: Path, change: str) -> None:
    before, after = keys(plan(tmp_path)), keys(plan(tmp_path, change))
    assert {name for name in before if before[name] != after[name]} == CHANGES[change]


def test_gates_of_runs_older_than_kinds_of_gates_are_found(tmp_path: Path) -> None:
    """The key is that of version 0.1.0 before `gate.kind` was a setting."""
    assert plan(tmp_path).gate_key(0) == "edb4bd3cff645dd7"


def test_other_images_change_everything(tmp_path: Path) -> None:
    before, after = keys(plan(tmp_path)), keys(plan(tmp_path, images="beef"))
    assert {name for name in before if before[name] != after[name]} == ALL


def test_a_seed_has_networks_of_its_own_on_the_same_split(tmp_path: Path) -> None:
    made = plan(tmp_path)
    of_seeds = [
        {made.network_key(name, seed) for name in NETWORKS} | {made.gate_key(seed)}
        for seed in range(3)
    ]
    assert len(set.union(*of_seeds)) == 3 * 6


def test_keys_differ_between_artifacts(tmp_path: Path) -> None:
    found = keys(plan(tmp_path))
    assert len(set(found.values())) == len(found)


def test_weights_in_a_file_are_known_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    first = keys(plan(tmp_path, f"backbone.weights={path}"))
    again = keys(plan(tmp_path, f"backbone.weights={path}"))
    path.write_bytes(b"two")
    other = keys(plan(tmp_path, f"backbone.weights={path}"))
    assert first == again
    assert {name for name in first if first[name] != other[name]} == ALL - {"images", "split"}


def test_a_kept_head_is_another_start_and_a_new_one_is_as_ever(tmp_path: Path) -> None:
    """The key of a network is that of version 0.1.0 before `backbone.head` was a setting."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    first, new, kept = (
        keys(plan(tmp_path, f"backbone.weights={path}", f"backbone.head={head}"))
        for head in ("auto", "new", "keep")
    )
    assert first == new
    assert first["clean"] == "51e6b477b5b473fc"
    assert {name for name in first if first[name] != kept[name]} == ALL - {"images", "split"}


def test_levels_in_pixels_scale_with_the_crop(tmp_path: Path) -> None:
    found = plan(tmp_path, "data.size=112", "distortions.gaussian_blur.steps=4").levels
    assert found["gaussian_noise"] == (0, 50, 100)
    assert found["gaussian_blur"] == (0, 1.25, 2.5, 3.75, 5)


def test_the_clean_expert_is_trained_first_and_what_goes_on_last(tmp_path: Path) -> None:
    text = write_study(tmp_path / "tiny.toml", tmp_path).read_text()
    text = text.replace("[experts.clean]\n", "").replace(
        "[training]", "[experts.clean]\n[training]"
    )
    text = text.replace("baselines.all]", "baselines.z]").replace(
        'continues = "all"', 'continues = "z"'
    )
    begin, end = text.index("[baselines.z]"), text.index("[baselines.all_long]")
    text = text[:begin] + text[end:] + text[begin:end]
    (tmp_path / "tiny.toml").write_text(text)
    made = Plan(load_study_config(tmp_path / "tiny.toml"), "f00d")
    assert made.start == "clean"
    assert made.networks == ["clean", "noise", "blur", "z", "all_long"]


def test_cells_have_draws_for_what_is_random(tmp_path: Path) -> None:
    made = plan(tmp_path, "evaluation.noise_draws=3")
    assert len(made.val_cells) == 1 + 2 * 3 + 2
    assert len(made.test_cells) == 1 + 2 + 2
    assert {cell.draw for cell in made.test_cells} == {0}


def test_the_gate_sees_half_of_a_batch_distorted_in_equal_shares(tmp_path: Path) -> None:
    schedule = plan(tmp_path).schedule(plan(tmp_path).gate_fractions)
    assert schedule.counts(32) == {"gaussian_noise": 8, "gaussian_blur": 8}


def test_a_continued_baseline_has_its_own_patience(tmp_path: Path) -> None:
    made = plan(tmp_path)
    assert made.config.training_of("all").patience == 1
    assert made.config.training_of("all_long").patience == 2
    assert made.config.training_of("clean").patience == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "distortions.gaussian_blur.max=1001.0",
            r"gaussian_blur\.max = 1001 is out of range: .* to 1000 pixels",
        ),
        ("distortions.fogg={max=1.0}", r"distortions\.fogg: unknown distortion 'fogg'"),
        (
            "distortions.gaussian_noise.options={clip=3}",
            r"distortions\.gaussian_noise: .*true or false, not 3",
        ),
        (
            "distortions.gaussian_noise.options={clip=[1]}",
            r"distortions\.gaussian_noise: .*true or false, not \[1\]",
        ),
        (
            "distortions.gaussian_noise.options={soft=true}",
            r"distortions\.gaussian_noise: gaussian_noise: unusable options",
        ),
    ],
)
def test_unusable_distortions_are_named(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        _ = plan(tmp_path, change).levels
