"""An image file that is no file of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Embedded:
    """An image file that lies in a row of a table instead of the file system."""

    table: str
    """What the table is called in messages."""
    row: int
    """Counted from 0."""
    size: int
    """Bytes."""
    read_row: Callable[[int], bytes] = field(compare=False, repr=False)
    """Returns the bytes of a row; safe to call from several threads."""
    files: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Those that hold the table, if any do."""

    def read(self) -> bytes:
        """Return what the image file would hold."""
        return self.read_row(self.row)

    @property
    def name(self) -> str:
        """Its short name in messages."""
        return f"row {self.row}"

    def __str__(self) -> str:
        return f"{self.table}, row {self.row}"
