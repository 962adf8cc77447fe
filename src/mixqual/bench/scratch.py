"""A folder for a benchmark's files, in which nothing is remembered of any file yet."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is deleted at the end; what is read of files is remembered in it alone."""
    before = os.environ.get("MIXQUAL_CACHE")
    with tempfile.TemporaryDirectory(prefix="mixqual-bench-") as folder:
        os.environ["MIXQUAL_CACHE"] = str(Path(folder) / "remembered")
        try:
            yield Path(folder)
        finally:
            del os.environ["MIXQUAL_CACHE"]
            if before is not None:
                os.environ["MIXQUAL_CACHE"] = before
