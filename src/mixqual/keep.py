"""How much accuracy is enough."""

import math
from dataclasses import dataclass
from typing import final

from mixqual.errors import StudyError


@final
@dataclass(frozen=True)
class Keep:
    """How much accuracy is enough, in (0, 1]: a share of that on clean images, or an accuracy."""

    value: float
    of_clean: bool = True

    @staticmethod
    def parse(text: str) -> "Keep":
        """Read "90%", a share of the accuracy on clean images, or "0.8", an accuracy.

        Raises `StudyError` for anything else.
        """
        number, percent = text.removesuffix("%"), text.endswith("%")
        try:
            value = float(number) / 100 if percent else float(number)
        except ValueError:
            value = math.nan
        if not 0 < value <= 1:
            raise StudyError(
                f"{text!r} says of no accuracy that it is enough: write a share of the accuracy on "
                "clean images, such as 90%, or an accuracy above 0 and up to 1, such as 0.8"
            )
        return Keep(value, percent)

    @property
    def name(self) -> str:
        """What `parse` reads, such as "90%" or "0.8"."""
        return f"{100 * self.value:.6g}%" if self.of_clean else f"{self.value:.6g}"
