"""Planning the networks of both libraries: a refusal and a fault are told apart."""

import pytest

from mixqual.bench import backbones
from mixqual.bench.backbones import timm, torchvision


def test_what_is_refused_and_what_fails_are_counted_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GoogLeNet has auxiliary classifiers; a name that no library knows has no size of images."""
    names = ["test_resnet", "eva02_tiny_patch14_224"]
    monkeypatch.setattr(timm, "list_models", lambda: names)
    known = ["squeezenet1_1", "googlenet", "resnet0"]
    monkeypatch.setattr(torchvision.models, "list_models", lambda module: known)
    rows = backbones.measure()
    assert [(row.what.split()[-1], row.against, row.ratio) for row in rows] == [
        ("words", "the 2 of timm", 0),
        ("error", "the 2 of timm", 0),
        ("words", "the 3 of torchvision", 1 / 3),
        ("error", "the 3 of torchvision", 1 / 3),
    ]
    assert rows[2].settings.startswith("1: googlenet; ")
    assert rows[3].settings.startswith("1: resnet0 (ValueError); ")
