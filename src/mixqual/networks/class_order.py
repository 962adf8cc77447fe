"""Which output of a model is which class of a folder: by names that either knows, or an order."""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from timm.data import ImageNetInfo

from mixqual.errors import DataError

TEXT, NUMERIC = "text", "numeric"
_IMAGENET = 1000
_LISTED = 8  # names that a message has room for; it counts the rest
_HOW = (
    'say by --classes which class each output is: names in the order of the outputs ("cat,dog", or '
    f'a file with one a line), "{TEXT}" for the folders in the order of plain text, or "{NUMERIC}" '
    "for the order of their numbers"
)


@final
@dataclass(frozen=True)
class ClassOrder:
    """The outputs of the classes of a folder."""

    output_of_each: NDArray[np.int64]
    """The model's output for each class of the folder."""
    in_words: str
    """How it was found."""
    by_position: bool
    """Whether it rests on an order of the folders, as no name says which output is which."""


def parse_classes(text: str) -> str | tuple[str, ...]:
    """What `--classes` says: "text", "numeric", names with commas, or a file of one name a line.

    Raises `DataError` for a file that is no text, and for fewer than two names.
    """
    if text in (TEXT, NUMERIC):
        return text
    names: Sequence[str]
    if os.path.isfile(text):
        try:
            names = Path(text).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise DataError(f"--classes {text} cannot be read: {reason}") from None
    else:
        names = text.split(",")
    found = tuple(name.strip() for name in names if name.strip())
    if len(found) < 2:
        raise DataError(f"--classes {text}: this is no file and no two names; {_HOW}")
    return found


def order_classes(
    folders: Sequence[str],
    outputs: int,
    known: Sequence[str] | None = None,
    given: str | Sequence[str] | None = None,
) -> ClassOrder:
    """Find the output of each class of a folder; `folders` are in the order of plain text.

    `known` are the names that the model has for its outputs; `given` what a user says of them:
    names, "text" or "numeric". Of a model with names, folders may lack some. Without names the
    folders are the outputs, one for one: in the order given, else in that of plain text; or they
    are ImageNet's 1000 by WordNet ids. Raises `DataError` where names differ, where numbers differ,
    and where folders are numbered so that the order of their numbers is not that of plain text.
    """
    if isinstance(given, str):
        if given not in (TEXT, NUMERIC):
            raise DataError(f"classes = {given!r} is no order; {_HOW}")
        if known is not None:
            raise DataError(
                f"--classes {given}: the model knows its own classes ({_some(known)}), so no order "
                "of the folders can say which is which; leave --classes away"
            )
        return _one_for_one(folders, outputs, given)
    if given is not None:
        _check_given(given, known)
        return _by_name(folders, outputs, given, "by their names in --classes")
    if known is not None:
        return _by_name(folders, outputs, known, "by the names that the model has for its classes")
    if outputs == _IMAGENET:
        ids = imagenet_ids()
        if set(folders) <= set(ids):
            return _by_name(folders, outputs, ids, "by ImageNet's WordNet ids")
    return _one_for_one(folders, outputs, None)


def imagenet_ids() -> tuple[str, ...]:
    """The WordNet ids of ImageNet's 1000 classes, in the order of all models' outputs."""
    return tuple(ImageNetInfo().label_names())


def _by_name(
    folders: Sequence[str], outputs: int, names: Sequence[str], in_words: str
) -> ClassOrder:
    position = {_plain(name): index for index, name in enumerate(names)}
    if len(position) != len(names):
        doubled = [name for name in names if list(map(_plain, names)).count(_plain(name)) > 1]
        raise DataError(f"two outputs of the model are called {doubled[0]!r}; {_HOW}")
    if len(names) != outputs:
        raise DataError(
            f"there are {len(names)} names of classes ({_some(names)}), but the model has "
            f"{outputs} outputs; {_HOW}"
        )
    strangers = [name for name in folders if _plain(name) not in position]
    if strangers:
        present = {_plain(name) for name in folders}
        missing = [name for name in names if _plain(name) not in present]
        rest = f" (without a folder: {_some(missing)})" if 0 < len(missing) < len(names) else ""
        raise DataError(
            f"these folders are no classes of the model: {_some(strangers)}; its classes are "
            f"{_some(names)}{rest}; rename the folders, or give all {outputs} names that they "
            "have, in the order of the outputs, by --classes, or take a model of these classes"
        )
    found = np.array([position[_plain(name)] for name in folders], dtype=np.int64)
    return ClassOrder(found, in_words, by_position=False)


def _one_for_one(folders: Sequence[str], outputs: int, order: str | None) -> ClassOrder:
    if len(folders) != outputs:
        if outputs == _IMAGENET:
            stranger = next((name for name in folders if name not in imagenet_ids()), folders[0])
            raise DataError(
                f"the model has ImageNet's 1000 classes, but folder {stranger!r} is not named by a "
                "WordNet id such as n01440764; rename the class folders, name all outputs by "
                f"--classes, or evaluate a model trained on these {len(folders)} classes"
            )
        raise DataError(
            f"the model has {outputs} classes, but the folder has {len(folders)} "
            f"({_some(folders)}); they must be the same, or all its outputs named by --classes"
        )
    numbers = _numbers(folders)
    by_number = sorted(range(len(folders)), key=lambda place: numbers[place]) if numbers else None
    if order == NUMERIC and by_number is None:
        raise DataError(f"--classes {NUMERIC}: the folders are not numbered ({_some(folders)})")
    differ = by_number is not None and by_number != list(range(len(folders)))
    if differ and order is None:
        assert by_number is not None
        raise DataError(
            f"the class folders are numbered, and in the order of plain text ({_some(folders)}), "
            "in which torchvision's ImageFolder puts them, they are not in that of their numbers "
            f"({_some([folders[place] for place in by_number])}); which is that of the model's "
            f"outputs? {_HOW}"
        )
    places = by_number if order == NUMERIC and by_number is not None else range(len(folders))
    output_of_each = np.empty(outputs, dtype=np.int64)
    output_of_each[list(places)] = np.arange(outputs)
    names = _some([folders[place] for place in places])
    kind = "their numbers" if order == NUMERIC else "plain text"
    return ClassOrder(
        output_of_each,
        f"taken for the model's outputs in the order of {kind} ({names}); the model has no names",
        by_position=True,
    )


def _check_given(given: Sequence[str], known: Sequence[str] | None) -> None:
    """A user may call a model's classes otherwise, but not move names that it has."""
    if known is None:
        return
    position = {_plain(name): index for index, name in enumerate(known)}
    for index, name in enumerate(given):
        if position.get(_plain(name), index) != index:
            raise DataError(
                f"--classes has {name!r} for output {index}, but in the model it is output "
                f"{position[_plain(name)]} ({_some(known)}); leave --classes away, as the model "
                "knows its own"
            )


def _numbers(folders: Sequence[str]) -> list[list[int]] | None:
    """The numbers in names that differ in nothing else, such as 0...11; None for any others."""
    if len({re.sub("[0-9]+", "0", name) for name in folders}) > 1:
        return None
    return [list(map(int, re.findall("[0-9]+", name))) for name in folders]


def _plain(name: str) -> str:
    """The form in which names are compared: file systems write one name in several."""
    return unicodedata.normalize("NFC", name)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
