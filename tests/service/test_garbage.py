"""What a request needed goes when it is answered: nothing waits for a full garbage collection.

CPython runs those so rarely beside torch's objects that a service would grow until then.
"""

import gc
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import soak
from running import counts, form, png, running

OURS = ("mixqual", "PIL", "python_multipart", "starlette", "fastapi", "uvicorn")


@contextmanager
def uncollected() -> Iterator[Counter[str]]:
    """Filled at its end: what reference counts alone did not free, by module and name."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(map(place, gc.garbage))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def place(thing: object) -> str:
    """Where the code of a frame or function is, or the class of anything else."""
    if isinstance(thing, types.FrameType):
        return f"{thing.f_globals.get('__name__')}.{thing.f_code.co_qualname}"
    named = thing if isinstance(thing, types.FunctionType) else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def ours(found: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in found.items() if name.split(".")[0] in OURS}


def test_a_circle_is_found() -> None:
    with uncollected() as found:
        request = types.SimpleNamespace(image=soak.Seen())
        request.itself = request
        del request
    assert ours(found) == {}
    assert found["soak.Seen"] == 1


def test_nothing_of_a_request_is_left_to_the_garbage_collector(random_bundle: Path) -> None:
    kinds = soak.kinds(soak.photographs(), 0.05, 1)
    del kinds["408 too slow"]
    random, seen = Random(0), soak.Seen()
    with running(random_bundle, max_bytes=soak.MOST_BYTES) as client:
        for each in (0, 1):  # what is made once is made in the first
            with uncollected() as found:
                for kind, send in kinds.items():
                    with closing(
                        HTTPConnection(client.base_url.host, client.base_url.port)
                    ) as connection:
                        seen.add(kind, send(connection, random))
                for query in ("noise=5&blur=1", "noise=-1"):
                    client.post(f"/explore?{query}", files=form(png()))
                client.get("/model")
                counts(client)
            if each:
                assert ours(found) == {}
    assert soak.wrong(seen) == {}
