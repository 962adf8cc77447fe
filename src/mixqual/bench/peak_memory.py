"""The peak of this process's memory while something runs."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_EVERY = 0.02  # seconds between two looks at the memory


def watched(call: Callable[[], Any]) -> tuple[Any, float, int]:
    """What a call returns, its seconds, and the peak of private memory above that at its start."""
    start_bytes, peak = private_bytes(), 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(_EVERY):
            peak = max(peak, private_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        result = call()
        seconds = time.perf_counter() - start
        peak = max(peak, private_bytes())
    finally:
        ended.set()
        watcher.join()
    return result, seconds, max(peak - start_bytes, 1)


def private_bytes(process: int | str = "self") -> int:
    """Memory of a process that no file backs."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0
