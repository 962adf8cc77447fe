"""An image file that is no file of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Embedded:
    """An image file that lies in a row of a table, or in an archive, instead of the file system."""

    table: str
    """What the table or archive is called in messages."""
    row: int
    """Counted from 0."""
    size: int
    """Bytes."""
    read_row: Callable[[int], bytes] = field(compare=False, repr=False)
    """Returns the bytes of a row; safe to call from several threads."""
    files: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Those that hold the table, if any do."""
    member: str = ""
    """What it is called in an archive."""

    def read(self) -> bytes:
        """Return what the image file would hold."""
        return self.read_row(self.row)

    @property
    def name(self) -> str:
        """Its short name in messages."""
        return self.member or f"row {self.row}"

    def __str__(self) -> str:
        return f"{self.table}, {self.name}"
