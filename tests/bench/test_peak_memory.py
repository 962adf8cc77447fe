"""That memory which a call takes is seen, held or given back."""

import mmap

from mixqual.bench.peak_memory import watched


def test_growth_of_memory_is_measured() -> None:
    mib = 2**20
    found, seconds, growth = watched(lambda: len(b"x" * (64 * mib)))
    assert found == 64 * mib
    assert seconds > 0
    assert growth < 80 * mib

    def fill_new_pages() -> mmap.mmap:
        # Never memory that the allocator has kept.
        pages = mmap.mmap(-1, 64 * mib, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.write(b"x" * (64 * mib))
        return pages

    kept, _, growth = watched(fill_new_pages)
    assert len(kept) == 64 * mib
    assert growth > 60 * mib
