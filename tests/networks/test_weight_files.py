"""Files of weights as training programs write them, against the state dict that went into them."""

import argparse
import datetime
import os
import pathlib
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from mixqual.errors import BackboneError
from mixqual.networks.weight_files import first_line, read_weights, unwrapped

STATE = {"conv.weight": torch.arange(6.0), "head.weight": torch.ones(2), "head.bias": torch.ones(1)}


class Settings:
    """What a training program may put beside the weights: read or not, it must not matter."""

    def __init__(self) -> None:
        self.lr = 0.1


class Log(list[float]):
    """A container of its own class."""


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return list(found) == list(expected) and all(
        map(torch.equal, found.values(), expected.values())
    )


@pytest.mark.parametrize(
    "beside",
    [
        argparse.Namespace(lr=0.1, out=pathlib.Path("runs")),
        Settings(),
        np.float64(0.5),
        np.arange(3),
        datetime.datetime(2026, 1, 1),
        pathlib.PurePosixPath("runs"),
        torch.device("cpu"),
        nn.Linear(2, 2),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_checkpoints_with_any_object_beside_the_weights_are_read(
    tmp_path: Path, beside: object
) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"epoch": 3, "state_dict": STATE, "optimizer": {}, "args": beside}, path)
    assert same(read_weights(path), STATE)


def test_of_the_form_before_2020_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pth.tar"
    content = {"state_dict": STATE, "args": argparse.Namespace(lr=0.1)}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert same(read_weights(path), STATE)


@pytest.mark.parametrize(
    "content",
    [
        OrderedDict(STATE),
        {"model": STATE, "model_ema": {"module." + name: -value for name, value in STATE.items()}},
        {"model_state_dict": STATE, "loss": torch.zeros(())},
    ],
)
def test_the_state_dict_is_found(tmp_path: Path, content: dict[str, Any]) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert same(read_weights(tmp_path / "w.pth"), STATE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"teacher": STATE, "student": STATE}, r"several state dicts \(teacher, student\)"),
        (nn.Linear(2, 2), "holds no state dict"),
        ({}, "holds no state dict"),
        (torch.ones(2), "holds no state dict"),
    ],
)
def test_what_holds_none_or_several_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(BackboneError, match=f"{message}.*; save the network's state_dict"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("beside", [os.system, Log([1.0]), defaultdict(list, a=[1])])
def test_a_refusal_is_one_clean_line(tmp_path: Path, beside: object, zipped: bool) -> None:
    torch.save(
        {"state_dict": STATE, "beside": beside},
        tmp_path / "w.pth",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(BackboneError) as caught:
        read_weights(tmp_path / "w.pth")
    assert str(caught.value).isprintable()
    assert "as code could hide in them; save the network's state_dict() alone" in str(caught.value)


def test_colours_and_further_lines_are_no_reason() -> None:
    error = ValueError("\n\x1b[31mIt \x1b[1mis so\x1b[0m.\nMore")
    assert first_line(error) == "It is so."
    assert first_line(ValueError()) == "ValueError"


NAMES = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(names=NAMES, prefix=st.sampled_from(["", "module.", "_orig_mod.", "x.module.", "model.y."]))
def test_any_wrapper_is_taken_off(names: list[str], prefix: str) -> None:
    tensors = {prefix + name: torch.tensor(number) for number, name in enumerate(names)}
    others = {"loss.weight": torch.zeros(1)} if prefix else {}
    found = unwrapped(tensors | others, names)
    assert same(found, dict(zip(names, tensors.values(), strict=True)))


def test_names_of_another_network_stay() -> None:
    tensors = {"module.x": torch.ones(1), "module.conv.weight": torch.ones(1)}
    assert unwrapped(tensors, STATE) is tensors


def test_two_networks_in_one_file_are_refused() -> None:
    both = {prefix + name: STATE[name] for prefix in ("student.", "teacher.") for name in STATE}
    with pytest.raises(BackboneError, match=r"several networks, under 'student\.', 'teacher\.'"):
        unwrapped(both, STATE)
