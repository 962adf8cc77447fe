"""Whatever a study can say has a bound; `test_study_file` tests what the values mean."""

import tomllib
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from mixqual.config import Name, SplitConfig, StudyConfig, Table
from mixqual.errors import StudyError
from mixqual.study_file import parse_study_config

STUDY = """
name = "try"
data = { source = "elpv" }
backbone = { name = "timm/test_efficientnet" }
distortions.gaussian_blur.max = 10
experts.clean = {}
experts.blur = { distort = { gaussian_blur = 0.5 } }
baselines.all = { distort = { gaussian_blur = 0.5 } }
"""


def tables(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A table and all that stand in it."""
    yield kind
    for field in kind.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Table):
                yield from tables(part)


def parts(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    yield annotation
    for inner in get_args(annotation):
        if not isinstance(inner, str | int) and get_origin(annotation) is not Literal:
            yield from parts(inner)


def schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """All parts of a JSON schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from schemas(inner)
    if isinstance(schema, list):
        for inner in schema:
            yield from schemas(inner)


BOUNDS = {
    "integer": {"maximum", "exclusiveMaximum"},
    "number": {"maximum", "exclusiveMaximum"},
    "array": {"maxItems"},
    "object": {"maxProperties"},
}
"""What says in a JSON schema how much a value may be."""


@pytest.mark.parametrize("kind", dict.fromkeys(tables(StudyConfig)), ids=lambda kind: kind.__name__)
def test_every_number_and_list_of_a_study_has_an_upper_bound(kind: type[BaseModel]) -> None:
    fields = kind.model_json_schema()["properties"]
    for name, field in fields.items():
        if kind is SplitConfig and name in ("train", "val", "test"):
            continue  # a share or a count, whose bounds differ: tested below
        for schema in schemas(field):
            if schema.get("additionalProperties") is False:
                continue  # a table: its fields are tested by themselves
            asked = BOUNDS.get(schema.get("type", ""), set())
            assert not asked or asked & schema.keys(), f"{kind.__name__}.{name}: {schema}"


@pytest.mark.parametrize(
    ("key", "value", "bound"),
    [
        ("evaluation.bootstrap", 10**11, "100000"),
        ("evaluation.noise_draws", 10**7, "100"),
        ("distortions.gaussian_blur.steps", 10**6, "1000"),
        ("training.max_epochs", 10**22, "100000"),
        ("training.batch_size", 10**11, "65536"),
        ("runtime.threads", 10**8, "4096"),
        ("split.seed", 2**63, "9223372036854775807"),
        ("split.train", 10**10, "1,000,000,000"),
        ("gate.lr", 1e300, "1000"),
        ("name", "a" * 300, "100"),
    ],
)
def test_a_setting_past_its_bound_is_named_with_value_and_bound(
    key: str, value: object, bound: str
) -> None:
    table: dict[str, Any] = tomllib.loads(STUDY)
    inner = table
    for parent in key.split(".")[:-1]:
        inner = inner.setdefault(parent, {})
    inner[key.split(".")[-1]] = value
    with pytest.raises(StudyError) as error:
        parse_study_config(table)
    assert key in str(error.value)
    assert bound in str(error.value)
    assert str(value)[:50] in str(error.value)
    assert len(str(error.value)) < 400


def test_all_cells_together_are_bounded() -> None:
    table = tomllib.loads(STUDY)
    table["distortions"]["gaussian_blur"]["steps"] = 1000
    table["evaluation"] = {"noise_draws": 20}
    parse_study_config(table)
    table["evaluation"] = {"noise_draws": 21}
    with pytest.raises(StudyError, match="21,000 cells, more than 20,000"):
        parse_study_config(table)


@pytest.mark.parametrize(
    "name",
    [
        *("", "../x", "a/b", "clean/backbone", "a\\b", "x" * 300, "ä" * 60, "\x1b[31mred"),
        *("two\nlines", ".", "..", ".hidden", "-x", " x", "x ", "\u202eright"),
    ],
)
@pytest.mark.parametrize("kind", ["experts", "baselines", "distortions"])
def test_a_name_that_no_file_or_option_can_hold_is_refused(kind: str, name: str) -> None:
    table = tomllib.loads(STUDY)
    table[kind][name] = next(each for each in table[kind].values() if each)
    with pytest.raises(StudyError, match=f"study: {kind}: '.*' cannot be a name") as error:
        parse_study_config(table)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("kind", ["experts", "baselines", "distortions"])
@pytest.mark.parametrize("name", ["noise+blur", "low light", "a-b", "ß", "v1.2", "x" * 100])
def test_other_names_are_taken(kind: str, name: str) -> None:
    table = tomllib.loads(STUDY)
    table[kind][name] = next(each for each in table[kind].values() if each)
    assert name in getattr(parse_study_config(table), kind)


@given(st.text(max_size=120))
def test_a_name_that_is_taken_is_one_part_of_a_path_and_of_the_name_of_a_tensor(name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        return
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\\\0")
    assert len(f"{name}_1.42857.json".encode()) < 255
    assert name.isprintable()


@pytest.mark.parametrize("name", ["clean", "average", "held_out_average"])
def test_a_distortion_has_no_name_that_results_have_for_something_else(name: str) -> None:
    table = tomllib.loads(STUDY)
    table["distortions"][name] = {"kind": "gaussian_blur", "max": 10}
    with pytest.raises(StudyError, match=f"distortions.{name}: the results have"):
        parse_study_config(table)


@pytest.mark.parametrize("name", ["mix_unseen", "conditional"])
def test_a_network_has_no_name_of_an_ensemble(name: str) -> None:
    table = tomllib.loads(STUDY)
    table["baselines"][name] = table["baselines"]["all"]
    with pytest.raises(StudyError, match="is the name of an ensemble"):
        parse_study_config(table)
