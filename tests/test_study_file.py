import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.config import (
    DistortionConfig,
    RuntimeConfig,
    SharingConfig,
    StudyConfig,
    TrainingConfig,
)
from mixqual.errors import StudyError
from mixqual.study_file import (
    load_study_config,
    make_table,
    parse_study_config,
    study_origin,
)

STUDIES = sorted((Path(__file__).parents[1] / "studies").glob("*.toml"))

STUDY = """
name = "try"
seeds = [0, 1]

[data]
source = "elpv"
size = 128

[split]
train = 0.5
val = 0.15

[backbone]
name = "timm/tf_efficientnet_lite0"
weights = "packaged"

[distortions.gaussian_noise]
max = 100.0
options = { clip = true }

[distortions.gaussian_blur]
max = 10
steps = 4

[experts.clean]

[experts.noise]
distort = { gaussian_noise = 0.5 }

[experts.blur]
distort = { gaussian_blur = 0.5 }

[baselines.all]
distort = { gaussian_noise = 0.25, gaussian_blur = 0.25 }

[baselines.all_long]
continues = "all"
patience = 9
"""

SHARING = """
[sharing]
until = "blocks.2"
from = ["conv_head", "classifier"]
weights = "resolve"
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "try.toml"
    path.write_text(STUDY)
    return path


# What is right


def test_a_study_is_read(study: Path) -> None:
    config = load_study_config(study)
    assert config.name == "try"
    assert config.seeds == (0, 1)
    assert (config.data.source, config.data.size) == ("elpv", 128)
    assert (config.split.train, config.split.val, config.split.test) == (0.5, 0.15, None)
    assert config.distortions["gaussian_noise"].max == 100
    assert config.distortions["gaussian_noise"].options == {"clip": True}
    assert config.distortions["gaussian_blur"].max == 10
    assert config.distortions["gaussian_blur"].steps == 4
    assert list(config.experts) == ["clean", "noise", "blur"]
    assert config.experts["clean"].distort == {}
    assert config.experts["noise"].distort == {"gaussian_noise": 0.5}
    assert config.baselines["all_long"].continues == "all"
    assert config.baselines["all_long"].patience == 9


def test_what_is_not_said_is_as_in_the_paper(study: Path) -> None:
    config = load_study_config(study)
    training = config.training
    assert (training.lr, training.lr_new, training.momentum) == (0.001, 0.01, 0.9)
    assert (training.batch_size, training.patience, training.max_epochs) == (32, 5, 50)
    assert (config.gate.lr, config.gate.penalty, config.gate.distort) == (0.01, 0.01, None)
    assert config.gate.kind == "paper"
    assert config.distortions["gaussian_noise"].steps == 10
    assert config.evaluation.noise_draws == 4


def test_a_config_cannot_be_changed(study: Path) -> None:
    config = load_study_config(study)
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_studies_that_ship_are_valid(path: Path) -> None:
    config = load_study_config(path)
    assert config.name == path.stem
    assert sum(not expert.distort for expert in config.experts.values()) == 1


def test_there_are_studies_that_ship() -> None:
    assert {"caltech101", "caltech256", "scene67", "imagenet50", "elpv"} <= {
        path.stem for path in STUDIES
    }


def test_options_of_a_distortion_keep_their_types(study: Path) -> None:
    options = 'distortions.gaussian_noise.options={a=true, b=1, c=1.0, d="1"}'
    found = load_study_config(study, [options]).distortions["gaussian_noise"].options
    assert found == {"a": True, "b": 1, "c": 1.0, "d": "1"}
    assert [type(value) for value in found.values()] == [bool, int, float, str]


def test_shares_keep_their_kind(study: Path) -> None:
    split = load_study_config(study, ["split.train=25", "split.val=0.2", "split.test=1"]).split
    assert (split.train, split.val, split.test) == (25, 0.2, 1)
    assert [type(share) for share in (split.train, split.val, split.test)] == [int, float, int]


def test_the_edges_of_the_ranges_are_inside(study: Path) -> None:
    for override in (
        "data.size=16",
        "data.size=4096",
        "experts.noise.distort.gaussian_noise=1",
        "baselines.all.distort={gaussian_noise=0.1, gaussian_blur=0.9}",
        "training.momentum=0",
        "gate.penalty=0",
        "evaluation.bootstrap=100",
        "split={train=0.5, val=0.25, test=0.25}",
        "split={train=0.3, val=0.6, test=0.1}",  # in binary, a little below or above 1
        "split={train=0.1, val=0.7, test=0.2}",
        "seeds=[5]",
        "baselines={}",
    ):
        assert isinstance(load_study_config(study, [override]), StudyConfig)


# Stages that experts share


def sharing(study: Path, text: str, *overrides: str) -> tuple[SharingConfig, ...]:
    study.write_text(STUDY + text)
    return load_study_config(study, overrides).sharing


def test_nothing_is_shared_unless_the_study_says_so(study: Path) -> None:
    assert load_study_config(study).sharing == ()


def test_one_table_of_sharing_is_a_list_of_one(study: Path) -> None:
    (table,) = sharing(study, SHARING)
    assert table.until == "blocks.2"
    assert table.from_ == ("conv_head", "classifier")
    assert table.weights == "resolve"
    assert sharing(study, SHARING.replace("[sharing]", "[[sharing]]")) == (table,)


def test_what_sharing_does_not_say(study: Path) -> None:
    (table,) = sharing(study, '[sharing]\nfrom = "fc6"')
    assert (table.until, table.from_) == ((), "fc6")
    assert (table.weights, table.control, table.training) == ("reuse", True, None)


# Instead of one that continues, which a schedule does not allow.
FRESH = "baselines.all_long={distort={gaussian_noise=0.5}}"


def test_a_recipe_is_a_preset_that_every_setting_can_override(study: Path) -> None:
    modern = load_study_config(study, [FRESH, "training.recipe=modern"])
    said = load_study_config(study, [FRESH, "training.recipe=modern", "training.average=0.0"])
    assert (modern.training.optimizer, modern.training.average) == ("adamw", 0.99)
    assert said.training == modern.training.model_copy(update={"average": 0.0})
    # Gate and branches go by it unless they say otherwise.
    assert (modern.gate.optimizer, modern.gate.early_stopping) == ("adamw", False)
    own = load_study_config(study, [FRESH, "training.recipe=modern", "gate.recipe=paper"])
    assert own.gate == load_study_config(study).gate
    (tree,) = sharing(
        study, "", FRESH, "sharing.from=c", "training.recipe=modern", "sharing.training.lr=0.5"
    )
    assert tree.training == TrainingConfig.model_validate({"recipe": "modern", "lr": 0.5})


def test_a_list_of_distortions_shares_what_is_distorted_equally(study: Path) -> None:
    change = 'baselines.all.distort=["gaussian_noise", "gaussian_blur"]'
    for override, share in (
        ("training.recipe=paper", 0.25),
        ("training.recipe=modern", 0.375),
        ("training.distorted=0.4", 0.2),
        ("baselines.all.training={distorted=0.1}", 0.05),
        ('baselines.all.training={recipe="modern"}', 0.375),
    ):
        config = load_study_config(study, [FRESH, change, override])
        expected = {"gaussian_noise": share, "gaussian_blur": share}
        assert config.baselines["all"].distort == pytest.approx(expected)


def test_a_networks_own_training_changes_that_of_all_or_is_another_recipe(study: Path) -> None:
    config = load_study_config(
        study,
        [
            *(FRESH, "training.lr=0.3", "experts.noise.training={lr_new=0.4}"),
            *("experts.blur.start=all", 'baselines.all.training={recipe="modern", max_epochs=7}'),
        ],
    )
    assert config.training_of("noise") == config.training.model_copy(update={"lr_new": 0.4})
    assert config.training_of("clean") == config.training
    assert config.training_of("all") == TrainingConfig.model_validate(
        {"recipe": "modern", "max_epochs": 7}
    )
    firsts = {name: config.first_of(name) for name in ("clean", "noise", "blur", "all")}
    assert firsts == {"clean": None, "noise": "clean", "blur": "all", "all": None}


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["experts.noise.start=nobody"], "noise: start = 'nobody' names no network"),
        (["experts.noise.start=all", "baselines.all.start=noise"], "that is a circle"),
        (["experts.noise.start=all_long"], "start = 'all_long' is a baseline that waits"),
        (["experts.clean.start=clean"], "clean starts from clean: that is a circle"),
        (["training.recipe=modern"], "baselines.all_long.continues: all ends with its cosine"),
        (["training.recipe=newest"], "training.recipe: Input should be 'paper' or 'modern'"),
        (["training=7"], "training: Input should be"),
        (["experts.noise.training=7"], "experts.noise.training: Input should be"),
        (["baselines.all_long.start=clean"], "neither a `start` nor a `training`"),
    ],
)
def test_what_recipes_and_starts_cannot_be(study: Path, overrides: list[str], says: str) -> None:
    long = "baselines.all_long.continues=all"
    with pytest.raises(StudyError) as caught:
        load_study_config(study, [long, *overrides])
    assert says in str(caught.value)


def test_several_tables_of_sharing_keep_their_order(study: Path) -> None:
    text = """
    [[sharing]]
    until = ["b", "a"]
    control = false

    [[sharing]]
    from = "c"

    [sharing.training]
    lr = 0.5
    patience = 2
    """
    first, second = sharing(study, text)
    assert (first.until, first.control, first.training) == (("b", "a"), False, None)
    assert (second.until, second.from_, second.control) == ((), "c", True)
    assert second.training == TrainingConfig(lr=0.5, patience=2)


def test_overrides_make_and_change_one_table_of_sharing(study: Path) -> None:
    (made,) = sharing(study, "", "sharing.from=conv_head")
    assert (made.until, made.from_) == ((), "conv_head")
    (listed,) = sharing(study, "", 'sharing.from=["a", "b"]', "sharing.training.lr=0.5")
    assert listed.from_ == ("a", "b")
    assert listed.training == TrainingConfig(lr=0.5)
    (plain,) = sharing(study, SHARING)
    (changed,) = sharing(study, SHARING, "sharing.from=fc6", "sharing.weights=reuse")
    assert changed.from_ == "fc6"
    assert changed.model_copy(update={"from_": plain.from_, "weights": "resolve"}) == plain


def test_an_override_cannot_tell_several_tables_apart(study: Path) -> None:
    with pytest.raises(StudyError, match=r"^--set sharing\.from=a: 'sharing' is .* not a table"):
        sharing(study, '[[sharing]]\nuntil = "a"', "sharing.from=a")


def test_without_a_clean_expert_there_is_nothing_to_share(study: Path) -> None:
    message = r"sharing needs an expert without distortions: its stages are the shared ones"
    with pytest.raises(StudyError, match=message):
        sharing(study, SHARING, "experts.clean.distort={gaussian_blur=0.25}")


# Overrides


def test_overrides_change_their_field_only(study: Path) -> None:
    plain = load_study_config(study)
    changed = load_study_config(study, ["data.size=64"])
    assert changed.data.size == 64
    assert changed.model_copy(update={"data": plain.data}) == plain


def test_a_later_override_wins(study: Path) -> None:
    assert load_study_config(study, ["data.size=64", "data.size=32"]).data.size == 32


def test_values_of_overrides_are_toml_or_bare_words(study: Path) -> None:
    config = load_study_config(
        study,
        [
            "name=bare-word",
            " data.size = 1_28 ",
            "seeds=[3, 4]",
            'runtime.device="cuda:1"',
            "backbone.weights=models/a=b.pth",
            "runtime.tune_allocator=false",
            "gate.distort={gaussian_noise=0.5}",
            "training.lr=1e-4",
        ],
    )
    assert config.name == "bare-word"
    assert config.data.size == 128
    assert config.seeds == (3, 4)
    assert config.runtime.device == "cuda:1"
    assert config.backbone.weights == "models/a=b.pth"
    assert config.runtime.tune_allocator is False
    assert config.gate.distort == {"gaussian_noise": 0.5}
    assert config.training.lr == 1e-4


def test_an_override_can_add_a_table(study: Path) -> None:
    config = load_study_config(study, ["experts.both.distort.gaussian_blur=0.25"])
    assert config.experts["both"].distort == {"gaussian_blur": 0.25}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.size", "write key=value"),
        ("=3", "write key=value"),
        (" = 3", "write key=value"),
        ("data.size.x=3", "'size' is a value, not a table"),
        ("seeds.0=1", "'seeds' is a value, not a table"),
        ("name.first=a", "'name' is a value, not a table"),
    ],
)
def test_an_override_that_cannot_be_applied_is_named(
    study: Path, override: str, message: str
) -> None:
    with pytest.raises(StudyError) as caught:
        load_study_config(study, [override])
    assert str(caught.value).startswith(f"--set {override}: ")
    assert message in str(caught.value)


# What is wrong: the override that breaks the study, the field, and what the message has to say.
# Without the third, the value has to be in the message.

BAD: list[tuple[str, str, str | None]] = [
    # Unknown keys
    ("colour=red", "colour", "unknown key"),
    ("data.sise=64", "data.sise", "unknown key"),
    ("split.shuffle=true", "split.shuffle", "unknown key"),
    ("backbone.pretrained=true", "backbone.pretrained", "unknown key"),
    ("distortions.gaussian_noise.most=3", "distortions.gaussian_noise.most", "unknown key"),
    ("experts.noise.patience=3", "experts.noise.patience", "unknown key"),
    ("baselines.all.lr=3", "baselines.all.lr", "unknown key"),
    ("training.nesterov=true", "training.nesterov", "unknown key"),
    ("gate.lambda=0.1", "gate.lambda", "unknown key"),
    ("evaluation.draws=3", "evaluation.draws", "unknown key"),
    ("sharing.untill=conv4_1", "sharing.0.untill", "unknown key"),
    ("sharing.from_=fc6", "sharing.0.from_", "unknown key"),
    ("sharing.training.penalty=0.1", "sharing.0.training.penalty", "unknown key"),
    ("runtime.gpu=0", "runtime.gpu", "unknown key"),
    # Wrong types
    ("name=3", "name", None),
    ("seeds=0", "seeds", None),
    ("seeds=[0.5]", "seeds.0", "0.5"),
    ("seeds=[true]", "seeds.0", "True"),
    ("data=5", "data", None),
    ("data.size=128.0", "data.size", None),
    ("data.size=true", "data.size", "True"),
    ("data.size=large", "data.size", None),
    ("data.size=[128]", "data.size", None),
    ("data.path=3", "data.path", None),
    ("data.exclude_classes=clutter", "data.exclude_classes", None),
    ("data.exclude_classes=[1]", "data.exclude_classes.0", "1"),
    ("split.train=half", "split.train", None),
    ("split.train=true", "split.train", "True"),
    ("split.seed=0.5", "split.seed", None),
    ("backbone.name=16", "backbone.name", None),
    ("backbone.weights=false", "backbone.weights", "False"),
    ("distortions.gaussian_noise=100", "distortions.gaussian_noise", None),
    ("distortions.gaussian_noise.max=high", "distortions.gaussian_noise.max", None),
    ("distortions.gaussian_noise.steps=2.5", "distortions.gaussian_noise.steps", None),
    ("experts.noise.distort=gaussian_noise", "experts.noise.distort", None),
    ("experts.noise.distort.gaussian_noise=half", "experts.noise.distort.gaussian_noise", None),
    ("baselines.all.continues=1", "baselines.all.continues", None),
    ("baselines.all.patience=1.5", "baselines.all.patience", None),
    ("training.lr=fast", "training.lr", None),
    ("training.batch_size=32.0", "training.batch_size", None),
    ("gate.penalty=none", "gate.penalty", None),
    ("sharing=conv4_1", "sharing", None),
    ('sharing=["conv4_1"]', "sharing.0", "'conv4_1'"),
    ("sharing.until=4", "sharing.0.until", None),
    ("sharing.until=[4]", "sharing.0.until.0", "4"),
    ("sharing.from=true", "sharing.0.from", "True"),
    ('sharing={from="fc6", control=1}', "sharing.0.control", "1"),
    ('sharing={from="fc6", training="slow"}', "sharing.0.training", "'slow'"),
    ("evaluation.bootstrap=1e3", "evaluation.bootstrap", "1000.0"),
    ("runtime.device=0", "runtime.device", None),
    ("runtime.threads=all", "runtime.threads", None),
    ("runtime.tune_allocator=1", "runtime.tune_allocator", None),
    # Wrong values
    ("name=a/b", "name", None),
    ("name=.hidden", "name", None),
    ('name=""', "name", "''"),
    ("seeds=[]", "seeds", None),
    ("seeds=[3, 3]", "seeds", None),
    ("seeds=[-1]", "seeds", None),
    ("data.source=web", "data.source", None),
    ("data.source=folder", "data.path", "needs"),
    ("data.path=images", "data.path", 'only, not "elpv"'),
    ("data.size=15", "data.size", None),
    ("data.size=4097", "data.size", None),
    ("data.sample_classes=1", "data.sample_classes", None),
    ("data.on_error=ignore", "data.on_error", None),
    ("data.memory_budget_mb=-1", "data.memory_budget_mb", None),
    ("data.workers=-1", "data.workers", None),
    ("split.train=0.0", "split.train", None),
    ("split.train=1.0", "split.train", None),
    ("split.train=-0.1", "split.train", None),
    ("split.train=nan", "split.train", None),
    ("split.val=0", "split.val", None),
    ("split.test=-3", "split.test", None),
    ("split.test=0.36", "split", "add up to 1.01"),
    ("split.seed=-1", "split.seed", None),
    ("distortions={}", "distortions", None),
    ("distortions.gaussian_noise.max=0", "distortions.gaussian_noise.max", None),
    ("distortions.gaussian_noise.max=-5", "distortions.gaussian_noise.max", None),
    ("distortions.gaussian_noise.max=inf", "distortions.gaussian_noise.max", None),
    ("distortions.gaussian_noise.max=nan", "distortions.gaussian_noise.max", None),
    ("distortions.gaussian_noise.steps=0", "distortions.gaussian_noise.steps", None),
    ("experts={}", "experts", None),
    ("experts={clean={}}", "experts", "at least 2"),
    ("experts.noise.distort.gaussian_noise=0", "experts.noise.distort.gaussian_noise", None),
    ("experts.noise.distort.gaussian_noise=1.01", "experts.noise.distort.gaussian_noise", None),
    ("experts.noise.distort.gaussian_noise=nan", "experts.noise.distort.gaussian_noise", None),
    ("experts.noise.distort.gaussian_blur=0.51", "experts.noise.distort", "1.01"),
    ("baselines.all.patience=0", "baselines.all.patience", None),
    ("training.lr=0", "training.lr", None),
    ("training.lr=inf", "training.lr", None),
    ("training.lr_new=-1", "training.lr_new", None),
    ("training.momentum=1", "training.momentum", None),
    ("training.momentum=-0.1", "training.momentum", None),
    ("training.batch_size=0", "training.batch_size", None),
    ("training.patience=0", "training.patience", None),
    ("training.max_epochs=0", "training.max_epochs", None),
    ("gate.lr=0", "gate.lr", None),
    ("gate.penalty=-1", "gate.penalty", None),
    ("gate.penalty=inf", "gate.penalty", None),
    ("gate.distort={}", "gate.distort", None),
    ("gate.distort={gaussian_blur=2.0}", "gate.distort.gaussian_blur", "2.0"),
    ("gate.distort={gaussian_blur=0.6, gaussian_noise=0.6}", "gate.distort", "1.2"),
    ("sharing={}", "sharing.0", "name the stage that sharing lasts `until`, or starts `from`"),
    ("sharing={from=[]}", "sharing.0", "name the stage that sharing lasts `until`"),
    ('sharing={from="fc6", weights="mine"}', "sharing.0.weights", "'mine'"),
    ('sharing={from="fc6", training={lr=0}}', "sharing.0.training.lr", "0"),
    ('sharing=[{from="fc6"}, {weights="reuse"}]', "sharing.1", "name the stage"),
    ("evaluation.batch_size=0", "evaluation.batch_size", None),
    ("evaluation.noise_draws=0", "evaluation.noise_draws", None),
    ("evaluation.bootstrap=99", "evaluation.bootstrap", None),
    ("runtime.threads=-1", "runtime.threads", None),
    # Tables that do not agree
    ("experts.noise.distort.jpeg=0.2", "experts.noise.distort", "no [distortions.jpeg] table"),
    ("baselines.all.distort={fog=0.2}", "baselines.all.distort", "'fog'"),
    ("gate.distort={fog=0.5}", "gate.distort", "'fog'"),
    ("experts.other={}", "experts", "['clean', 'other']"),
    ("experts.mix.distort={gaussian_blur=0.5}", "'mix'", "name of an ensemble"),
    ("baselines.gate.distort={gaussian_blur=0.5}", "'gate'", "name of an ensemble"),
    ("experts.all.distort={gaussian_blur=0.5}", "'all'", "an expert and a baseline"),
    ("baselines.new={}", "baselines.new", "either `distort` or `continues`"),
    ("baselines.all.continues=all_long", "baselines.all", "either `distort` or `continues`"),
    ("baselines.new.continues=nobody", "baselines.new.continues", "'nobody'"),
    ("baselines.new.continues=noise", "baselines.new.continues", "'noise'"),
    ("baselines.new.continues=all_long", "baselines.new.continues", "'all_long'"),
]


@pytest.mark.parametrize(("override", "field", "says"), BAD, ids=[row[0] for row in BAD])
def test_a_wrong_study_names_file_field_and_value(
    study: Path, override: str, field: str, says: str | None
) -> None:
    with pytest.raises(StudyError) as caught:
        load_study_config(study, [override])
    message = str(caught.value)
    assert message.startswith(f"{study}: ")
    said = message.removeprefix(f"{study}: ")  # whose digits are not those of the value
    assert field in said
    assert (says or override.partition("=")[2]) in said
    assert "pydantic" not in said


@pytest.mark.parametrize("missing", ["name", "data", "backbone", "distortions", "experts"])
def test_a_missing_table_or_key_is_named(missing: str) -> None:
    table = tomllib.loads(STUDY)
    del table[missing]
    with pytest.raises(StudyError, match=rf"^study: .*\b{missing}: Field required"):
        parse_study_config(table)


def test_all_faults_are_named_at_once(study: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load_study_config(study, ["data.size=1", "training.lr=0", "colour=red"])
    assert all(name in str(caught.value) for name in ("data.size", "training.lr", "colour"))


# One table from the options of a command


def test_a_table_is_made_of_values() -> None:
    made = make_table(DistortionConfig, "--distortion", max=10, steps=4)
    assert made == DistortionConfig(max=10.0, steps=4)
    assert make_table(RuntimeConfig, "--device") == RuntimeConfig()


def test_a_table_of_wrong_values_names_each_field() -> None:
    with pytest.raises(StudyError) as caught:
        make_table(DistortionConfig, "--distortion", max=-1.0, steps="many", unit="px")
    message = str(caught.value)
    assert message.startswith("--distortion: ")
    assert "max: Input should be greater than 0, but it is -1.0" in message
    assert "steps: Input should be a valid integer, but it is 'many'" in message
    assert "unit: unknown key" in message


# Files that are no studies


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "not valid TOML"),
        (b"name = 'a'\nname = 'b'\n", "not valid TOML"),
        (b"\xff\xfe\x00", "cannot be read as a study file"),
        (b"", "Field required"),
    ],
    ids=["half a line", "a key twice", "no text", "empty"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError) as caught:
        load_study_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_path_that_is_no_file_is_named(tmp_path: Path, study: Path) -> None:
    for path, message in (
        (tmp_path / "none.toml", "no such study file"),
        (tmp_path, "cannot be read as a study file"),
        (study / "inside.toml", "cannot be read as a study file"),
    ):
        with pytest.raises(StudyError) as caught:
            load_study_config(path)
        assert str(caught.value).startswith(f"{path}: {message}")


# Anything at all

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**6), 10**6),
        st.floats(),
        st.text(max_size=8),
        st.dates(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), value=values)
def test_any_value_anywhere_gives_a_study_or_a_study_error(
    data: st.DataObject, value: object
) -> None:
    table = tomllib.loads(STUDY + SHARING)
    place = table
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = value
    message = "study: "
    try:
        parse_study_config(table)
    except StudyError as error:  # and no other kind
        message = str(error)
    assert message.startswith("study: ")


@pytest.mark.parametrize("names", ['""', '[""]', '["blocks.5", ""]'])
def test_an_empty_name_of_a_stage_is_refused(tmp_path: Path, names: str) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    with pytest.raises(StudyError, match="name the stage"):
        load_study_config(tmp_path / "study.toml", [f"sharing.from={names}"])


def test_the_command_reads_back_to_the_same_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "x.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    changes = ["gate.lr=0.02", 'name=it\'s "x"']
    origin = study_origin(Path("studies/x.toml"), changes)
    assert shlex.split(origin["command"]) == [
        *("mixqual", "run", "studies/x.toml"),
        *("--set", changes[0], "--set", changes[1]),
    ]
    assert origin["study_text"] == STUDY


def test_the_command_does_not_depend_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.toml").write_text(STUDY)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for path in (tmp_path / "x.toml", Path("../x.toml")):
        assert study_origin(path)["command"] == "mixqual run x.toml"
