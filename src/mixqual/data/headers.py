"""The headers of image files: each read once, or recalled if its file has not changed since."""

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from mixqual.config import DataConfig
from mixqual.data.file_facts import Known, Memory, recalling, remembering, stamp_of
from mixqual.data.in_order import in_order
from mixqual.data.index import ImageIndex
from mixqual.images import Embedded, Header, Unreadable, many_files, read_header
from mixqual.progress import progress

Place = Path | Embedded


def headers(
    paths: Sequence[Place], workers: int, memory: Memory
) -> Generator[tuple[int, Header | Unreadable], None, None]:
    """Yield the position of each file with its header, in order, from so many threads."""

    def read(job: tuple[Place, Known]) -> Header:
        path, _ = job
        stamp = stamp_of(path)
        found = read_header(path)
        memory.remember(path, stamp, found)
        return found

    jobs = recalling(paths, lambda path: path, memory)
    with progress("checking images", len(paths), "images") as advance:
        found = in_order(read, jobs, workers, lambda job: job[1].header)
        for position, (_, outcome) in enumerate(found):
            advance(1)
            yield position, outcome


def has_gray_noise(config: DataConfig, index: ImageIndex) -> bool:
    """Whether noise is the same in all channels of these images, by `grayscale_noise`."""
    paths = [item.path for item in index.items]
    return config.grayscale_noise == "sensor" and all_grayscale(paths, config.workers)


def all_grayscale(paths: Sequence[Place], workers: int = 0) -> bool:
    """Whether all files that can be read are grayscale; none can be, then they are not.

    `workers` threads read (0: one per core), and stop at the first file in colour.
    """
    found = False
    with (
        many_files(),
        remembering(paths) as memory,
        closing(headers(paths, workers or os.cpu_count() or 1, memory)) as outcomes,
    ):
        for _, outcome in outcomes:
            if not isinstance(outcome, Unreadable):
                if not outcome.grayscale:
                    return False
                found = True
    return found
