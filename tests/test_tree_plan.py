"""Trees of a study: which there are, what they are called, and what their artifacts depend on."""

from pathlib import Path

import pytest
from small_elpv import TREES, with_trees, write_study

from mixqual.errors import BackboneError, StudyError
from mixqual.plan import Plan
from mixqual.study_file import load_study_config
from mixqual.tree_plan import Tree, trees_of, with_canonical_stages

ONE = '[sharing]\nuntil = "blocks.2"'
BASELINES = ("[baselines.all]\ndistort = { gaussian_noise = 0.25, gaussian_blur = 0.25 }\n", "")
LONGER = ('[baselines.all_long]\ncontinues = "all"\npatience = 2\n', "")


def plan(
    tmp_path: Path,
    trees: str,
    *overrides: str,
    changes: tuple[tuple[str, str], ...] = (),
    images: str = "f00d",
) -> Plan:
    """The plan of the tiny study with trees, as the study names their stages."""
    study = write_study(tmp_path / "tiny.toml", tmp_path / "none", with_trees(trees), *changes)
    return Plan(load_study_config(study, overrides), images)


def trees(tmp_path: Path, text: str, *overrides: str) -> list[Tree]:
    return trees_of(plan(tmp_path, text, *overrides))


def canonical(tmp_path: Path, text: str, *overrides: str) -> list[Tree]:
    """The trees with listed names for their stages."""
    made = plan(tmp_path, text, *overrides)
    return trees_of(Plan(with_canonical_stages(made.config), "f00d"))


# Which trees there are


def test_a_study_without_sharing_has_no_trees(tmp_path: Path) -> None:
    assert trees(tmp_path, "") == []


def test_every_until_meets_every_from(tmp_path: Path) -> None:
    text = """
    [[sharing]]
    until = ["a", "b"]
    from = ["x", "y", "z"]

    [[sharing]]
    from = ["x", "y"]

    [[sharing]]
    until = "c"
    """
    found = [(tree.sharing.until, tree.sharing.from_) for tree in trees(tmp_path, text)]
    assert found == [
        *(("a", "x"), ("a", "y"), ("a", "z"), ("b", "x"), ("b", "y"), ("b", "z")),
        *((None, "x"), (None, "y"), ("c", None)),
    ]


def test_names_and_kinds(tmp_path: Path) -> None:
    text = """
    [[sharing]]
    until = "conv4_1"

    [[sharing]]
    from = "fc6"

    [[sharing]]
    until = "conv4_1"
    from = "fc6"
    weights = "resolve"
    control = false
    """
    tree, inverted, both = trees(tmp_path, text)
    assert (tree.name, tree.sharing.kind) == ("tree_conv4_1", "treenet")
    assert (inverted.name, inverted.sharing.kind) == ("inverted_fc6", "inverted")
    assert (both.name, both.sharing.kind) == ("tree_conv4_1_inverted_fc6_resolved", "both")
    assert [t.ceiling for t in (tree, inverted, both)] == [
        *("tree_conv4_1_true", "inverted_fc6_true", "tree_conv4_1_inverted_fc6_resolved_true")
    ]
    assert [t.control for t in (tree, inverted, both)] == [
        *("all_tree_conv4_1", "all_inverted_fc6", None)
    ]
    assert tree.branches == ["noise", "blur", "all_tree_conv4_1"]
    assert both.branches == both.experts == ["noise", "blur"]


def test_the_control_is_like_the_first_baseline_that_does_not_continue(tmp_path: Path) -> None:
    (tree,) = trees_of(plan(tmp_path, ONE, changes=(LONGER, ("[baselines.all]", "[baselines.z]"))))
    assert tree.control == "z_tree_blocks.2"
    assert tree.twin("z_tree_blocks.2") == "z"
    assert tree.fractions("z_tree_blocks.2") == {"gaussian_noise": 0.25, "gaussian_blur": 0.25}
    assert tree.fractions("noise") == {"gaussian_noise": 0.5}
    before = '[baselines.first]\ncontinues = "all"\n\n[baselines.all]'
    (tree,) = trees_of(plan(tmp_path, ONE, changes=(("[baselines.all]", before),)))
    assert tree.control == "all_tree_blocks.2"


def test_without_baselines_there_is_no_control(tmp_path: Path) -> None:
    (tree,) = trees_of(plan(tmp_path, ONE, changes=(LONGER, BASELINES)))
    assert tree.control is None
    assert tree.branches == ["noise", "blur"]


def test_branches_are_trained_like_the_networks_unless_told(tmp_path: Path) -> None:
    (like,) = trees(tmp_path, ONE)
    assert like.training == like.plan.config.training
    (own,) = trees(tmp_path, ONE, "sharing.training={lr=0.5, batch_size=4}")
    assert (own.training.lr, own.training.batch_size) == (0.5, 4)


# Keys


def keys(tree: Tree, seed: int = 0) -> dict[str, str]:
    control = str(tree.control)
    return {
        "noise": tree.branch_key("noise", seed),
        "blur": tree.branch_key("blur", seed),
        "control": tree.branch_key(control, seed),
        "weights": tree.weights_key(seed),
        "gate": tree.gate_key(seed),
        "test": tree.outputs_folder("test", seed),
        "val": tree.outputs_folder("val", seed),
        "control test": tree.control_folder("test", seed),
    }


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one if one[name] != other[name]}


# What a change of a setting must change: no less, or results would be stale; no more, or a
# changed setting would repeat what does not depend on it.
BRANCHES = {"noise", "blur", "control"}
SWEPT = {"test", "val"}
MIXED = {"weights", "gate", *SWEPT}
ALL = BRANCHES | MIXED | {"control test"}
CHANGES = {
    "data.size=64": ALL,
    "split.seed=1": ALL,
    "backbone.name=timm/test_efficientnet_gn": ALL,
    "backbone.weights=default": ALL,
    "training.lr=0.02": ALL,  # M_clean's
    "experts.noise.distort={gaussian_noise=0.25}": {"noise", *MIXED},
    "experts.blur.distort={gaussian_blur=0.25}": {"blur", *MIXED},
    "baselines.all.distort={gaussian_blur=0.25}": {"control", "control test"},
    "distortions.gaussian_noise.max=50.0": {"noise", "control", *MIXED, "control test"},
    "distortions.gaussian_noise.options={clip=true}": {
        *("noise", "control", *MIXED, "control test")
    },
    "distortions.gaussian_noise.steps=4": MIXED,
    "evaluation.noise_draws=3": MIXED,
    "evaluation.batch_size=8": MIXED | {"control test"},
    "gate.lr=0.02": {"gate", *SWEPT},
    "gate.distort={gaussian_noise=0.5}": {"gate", *SWEPT},
    "sharing.until=blocks.3": BRANCHES | SWEPT | {"control test"},
    "sharing.from=conv_head": BRANCHES | SWEPT | {"control test"},
    "sharing.training={lr=0.02}": BRANCHES | SWEPT | {"control test"},
    "sharing.weights=reuse": set(),  # as it is by default
    "evaluation.bootstrap=500": set(),
    "baselines.all_long.patience=4": set(),
    "seeds=[0, 1]": set(),
    "name=other": set(),
    "runtime.threads=2": set(),
    "data.memory_budget_mb=1": set(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reaches_what_depends_on_it_alone(tmp_path: Path, change: str) -> None:
    (before,), (after,) = trees(tmp_path, ONE), trees(tmp_path, ONE, change)
    assert differing(keys(before), keys(after)) == CHANGES[change]


def test_weights_of_its_own_leave_the_branches_as_they_are(tmp_path: Path) -> None:
    (reused,), (own,) = trees(tmp_path, ONE), trees(tmp_path, ONE, "sharing.weights=resolve")
    assert differing(keys(reused), keys(own)) == MIXED


def test_reused_weights_and_gate_are_those_of_the_plan(tmp_path: Path) -> None:
    for tree in trees(tmp_path, '[sharing]\nuntil = ["blocks.2", "blocks.3"]\nfrom = "conv_head"'):
        assert tree.weights_key(0) == tree.plan.weights_key(0)
        assert tree.gate_key(0) == tree.plan.gate_key(0)


def test_resolved_weights_and_gates_are_each_tree_s_own(tmp_path: Path) -> None:
    stages = 'until = ["blocks.2", "blocks.3"]\nweights = "resolve"'
    one, other = trees(tmp_path, f"[sharing]\n{stages}")
    keys_of_both = [one.plan.weights_key(0), one.weights_key(0), other.weights_key(0)]
    assert len(set(keys_of_both)) == 3
    assert len({one.plan.gate_key(0), one.gate_key(0), other.gate_key(0)}) == 3


def test_without_a_control_the_branches_are_the_same(tmp_path: Path) -> None:
    (with_one,), (without,) = trees(tmp_path, ONE), trees(tmp_path, ONE, "sharing.control=false")
    for expert in ("noise", "blur"):
        assert without.branch_key(expert, 0) == with_one.branch_key(expert, 0)
    assert without.outputs_folder("test", 0) == with_one.outputs_folder("test", 0)


def test_other_trees_do_not_matter(tmp_path: Path) -> None:
    (alone,) = trees(tmp_path, ONE)
    many = '[sharing]\nuntil = ["blocks.1", "blocks.2"]'
    of_many = {tree.name: tree for tree in trees(tmp_path, many)}
    assert keys(of_many["tree_blocks.2"]) == keys(alone)
    assert (
        differing(keys(of_many["tree_blocks.1"]), keys(alone)) == CHANGES["sharing.until=blocks.3"]
    )


def test_a_plan_without_trees_has_the_same_networks(tmp_path: Path) -> None:
    plain, shared = plan(tmp_path, ""), plan(tmp_path, ONE)
    for name in plain.networks:
        assert shared.network_key(name, 0) == plain.network_key(name, 0)
    assert shared.gate_key(0) == plain.gate_key(0)


def test_a_seed_has_branches_of_its_own(tmp_path: Path) -> None:
    (tree,) = trees(tmp_path, ONE, "sharing.weights=resolve")
    of_seeds = [keys(tree, seed) for seed in range(3)]
    for name in of_seeds[0]:
        assert len({found[name] for found in of_seeds}) == 3


def test_keys_differ_between_artifacts(tmp_path: Path) -> None:
    found = [value for tree in trees(tmp_path, ONE) for value in keys(tree).values()]
    assert len(set(found)) == len(found)


def test_other_images_change_everything(tmp_path: Path) -> None:
    (before,) = trees_of(plan(tmp_path, ONE))
    (after,) = trees_of(plan(tmp_path, ONE, images="beef"))
    assert differing(keys(before), keys(after)) == ALL


def test_weights_are_in_the_order_of_the_experts(tmp_path: Path) -> None:
    """Two experts that change their places keep their branches, and not their mixture."""
    own = ONE + '\nweights = "resolve"'
    noise = "[experts.noise]\ndistort = { gaussian_noise = 0.5 }\n\n"
    blur = "[experts.blur]\ndistort = { gaussian_blur = 0.5 }\n\n"
    (before,) = trees(tmp_path, own)
    (after,) = trees_of(plan(tmp_path, own, changes=((noise, ""), (blur, blur + noise))))
    assert list(after.plan.config.experts) == ["clean", "blur", "noise"]
    assert differing(keys(before), keys(after)) == MIXED


# What is swept


def test_what_stands_in_the_arrays_of_a_sweep(tmp_path: Path) -> None:
    (tree,) = trees(tmp_path, ONE)
    assert tree.swept("test", 0) == {
        tree.outputs_folder("test", 0): ("tree_blocks.2", "tree_blocks.2_true"),
        tree.control_folder("test", 0): ("all_tree_blocks.2",),
    }
    (alone,) = trees(tmp_path, ONE, "sharing.control=false")
    assert list(alone.swept("test", 0)) == [tree.outputs_folder("test", 0)]
    mixture = {tree.outputs_folder("val", 0): ("tree_blocks.2",)}
    control = {tree.control_folder("val", 0): ("all_tree_blocks.2",)}
    assert tree.swept("val", 0) == mixture | control
    assert alone.swept("val", 0) == mixture


# Names of stages


def test_an_alias_is_the_stage_that_is_listed(tmp_path: Path) -> None:
    """`blocks.2` begins with its first layer: one tree, whatever it is called."""
    (listed,) = canonical(tmp_path, ONE)
    for alias in ("blocks.2.0", "blocks.2.0.conv_exp"):
        (found,) = canonical(tmp_path, f'[sharing]\nuntil = "{alias}"')
        assert found.name == "tree_blocks.2"
        assert keys(found) == keys(listed)
    (found,) = canonical(tmp_path, '[sharing]\nuntil = ["blocks.1.0"]\nfrom = "blocks.3.0.conv_pw"')
    assert found.name == "tree_blocks.1_inverted_blocks.3"


def test_listed_names_leave_the_rest_of_the_study(tmp_path: Path) -> None:
    config = plan(tmp_path, TREES).config
    assert with_canonical_stages(config) == config
    plain = plan(tmp_path, "").config
    assert with_canonical_stages(plain) == plain


def test_an_unknown_stage_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    message = (
        r"timm/test_efficientnet has no branch point 'blocks.9'; it has blocks\.0, .*classifier$"
    )
    for stage in ("until", "from"):
        with pytest.raises(BackboneError, match=message):
            canonical(tmp_path, f'[sharing]\n{stage} = ["blocks.2", "blocks.9"]')


@pytest.mark.parametrize("start", ["blocks.2", "blocks.1", "blocks.2.0.conv_exp"])
def test_experts_without_a_stage_are_refused(tmp_path: Path, start: str) -> None:
    with pytest.raises(BackboneError, match=r"until blocks\.2 and from blocks\.[12] leaves no"):
        canonical(tmp_path, f'[sharing]\nuntil = "blocks.2"\nfrom = "{start}"')


def test_a_backbone_that_cannot_be_cut_is_refused_with_the_reason(tmp_path: Path) -> None:
    reason = (
        "timm/ghostnet_050 cannot be cut into stages: it does other operations in training than in "
        "inference"
    )
    with pytest.raises(BackboneError, match=reason):
        canonical(tmp_path, ONE, "backbone.name=timm/ghostnet_050")
    made = plan(tmp_path, "", "backbone.name=timm/ghostnet_050")
    assert with_canonical_stages(made.config) == made.config  # it need not be cut


# Names that are taken

TWICE = """
[[sharing]]
until = "{0}"

[[sharing]]
until = "{1}"
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (TWICE.format("blocks.2", "blocks.2"), "tree_blocks.2"),
        (TWICE.format("blocks.2", "blocks.2.0"), "tree_blocks.2"),
        ('[sharing]\nfrom = ["blocks.3", "blocks.3"]', "inverted_blocks.3"),
        (ONE + '\n[experts."tree_blocks.2"]\ndistort = { gaussian_blur = 0.1 }', "tree_bl"),
        (ONE + '\n[baselines."tree_blocks.2"]\ndistort = { gaussian_blur = 0.1 }', "tree_bl"),
        (ONE + '\n[baselines."tree_blocks.2_true"]\ncontinues = "all"', "tree_blocks.2_true"),
        (ONE + '\n[baselines."all_tree_blocks.2"]\ncontinues = "all"', "all_tree_blocks.2"),
        (TWICE.format("blocks.2", "blocks.2") + "control = false", "tree_blocks.2"),
        (
            TWICE.format("blocks.2", "blocks.2") + 'weights = "resolve"\ntraining = { lr = 0.5 }',
            "all_tree_blocks.2",
        ),
        (
            TWICE.format("blocks.2", "blocks.2").replace('2"', '2"\ncontrol = false')
            + 'weights = "resolve"\ntraining = { lr = 0.5 }',
            "tree_blocks.2",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_two_networks_of_one_name_are_refused(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(StudyError, match="would be the name of two networks") as caught:
        canonical(tmp_path, text)
    assert f"'{name}" in str(caught.value)


def test_both_kinds_of_weights_may_go_with_the_same_branches(tmp_path: Path) -> None:
    reused, own = canonical(tmp_path, TWICE.format("blocks.2", "blocks.2") + 'weights = "resolve"')
    assert (reused.name, own.name) == ("tree_blocks.2", "tree_blocks.2_resolved")
    assert reused.control == own.control
    assert differing(keys(reused), keys(own)) == MIXED
