"""What every table of a study file is, and how much its values may be.

Whatever a study can say has a bound, so that no setting outgrows a machine after hours of work.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_NETWORKS = 256
"""Experts, baselines, trees and distortions of a study, each."""
MOST_SEED = 2**63 - 1
_LONGEST_NAME = 100
"""In bytes: names of files, with more in them, may have 255."""


class Table(BaseModel):
    """A table of a study file: frozen, without unknown fields, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _usable(name: str) -> str:
    if not name or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise ValueError(f"{name[:20]!r} cannot be a name: it has 1 to {_LONGEST_NAME} bytes")
    if not name.isprintable() or name != name.strip() or name[0] in ".-" or set(name) & set("/\\"):
        raise ValueError(
            f"{name!r} cannot be a name, of which files, tensors and options are made: give it "
            "visible characters but slashes, no space around them, no dot or dash first"
        )
    return name


Name = Annotated[str, AfterValidator(_usable)]
"""Of an expert, a baseline or a distortion."""

Text = Annotated[str, Field(max_length=4096)]
"""A path, or the name of what the study has not named itself."""
