"""Weights from the files that people have: state dicts, and checkpoints of training programs."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import safetensors.torch
import torch
from torch import Tensor

from mixqual.errors import BackboneError

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors file or one of torch.save, such as .pth or .pth.tar.

    Of a checkpoint it is what stands under "state_dict" or "model", not their moving average. No
    code in a file is run: what is neither a tensor nor plain Python is passed over. Raises
    `BackboneError` if there is no such file, or no weights in it.
    """
    if not path.is_file():
        raise BackboneError(
            f"backbone.weights: {str(path)!r} is no file; give a .safetensors or .pth file, "
            '"default", "packaged" or "random"'
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return _state_dict(_load_inertly(path))
    except Exception as error:  # both readers raise many kinds for a damaged file
        reason = first_line(error)
        if "weights_only" in str(error):  # torch's own words are on how to run what it refuses
            reason = "it holds objects of Python that are not read, as code could hide in them"
        raise BackboneError(
            f"backbone.weights: {path} cannot be read: {reason}; save the network's state_dict() "
            "alone, with torch.save or as .safetensors"
        ) from None


def first_line(error: Exception) -> str:
    """What an error of another package says, on one line and without colours."""
    lines = [line for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def unwrapped(tensors: dict[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """The tensors under the prefix that makes most of their names a network's `own`, without it.

    Wrappers put it there: "module." a parallel network, "_orig_mod." a compiled one, "model." a
    training program, which may have others beside it. All as they are if no prefix fits half of
    the names. Raises `BackboneError` if two fit equally well.
    """
    found = Counter(
        key[:start]
        for key in tensors
        for start in (0, *(dot.end() for dot in re.finditer(r"\.", key)))
        if key[start:] in own
    )
    most = max(found.values(), default=0)
    best = sorted(prefix for prefix, count in found.items() if count == most)
    if 2 * most < len(own) or best == [""]:
        return tensors
    if len(best) > 1:
        raise BackboneError(
            "backbone.weights: the file holds several networks, under "
            f"{', '.join(map(repr, best))}; save the state_dict() of one"
        )
    return {
        key.removeprefix(best[0]): value
        for key, value in tensors.items()
        if key.startswith(best[0])
    }


@final
class _Inert:
    """Stands for an object of any class: takes whatever it is given, and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _load_inertly(path: Path) -> Any:
    with _nothing_but_tensors(path):
        return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def _nothing_but_tensors(path: Path) -> Iterator[None]:
    """Let torch's safe reader put an `_Inert` for each class or function that it does not know."""
    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # the form before 2020, or damaged: reading it will tell
        unknown = ["argparse.Namespace"]  # the settings that timm and torchvision write
    with torch.serialization.safe_globals([(_Inert, name) for name in unknown]):
        yield


def _state_dict(content: Any) -> dict[str, Tensor]:
    """What of a checkpoint's content is a state dict: it itself, or one of its parts."""
    parts = {"": content, **content} if isinstance(content, dict) else {}
    found = [name for name, part in parts.items() if _is_state_dict(part)]
    usual = [name for name in ("", "state_dict", "model") if name in found]
    if usual or len(found) == 1:
        return dict(parts[(usual or found)[0]])
    if found:
        raise ValueError(f"it holds several state dicts ({', '.join(map(str, found))})")
    raise ValueError("it holds no state dict")


def _is_state_dict(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and bool(part)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in part.items())
    )
