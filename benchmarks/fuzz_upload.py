"""Mutated uploads to a service, and mutated bundles to its loader: nothing but clean refusals.

    python benchmarks/fuzz_upload.py --inputs 20000 --minutes 30

Hypothesis mutates images of every format, forms of them, a bundle's bytes, and a bundle's manifest
under right checksums. It ends after so many inputs or minutes, whichever comes first, with the
counts of what came out, inputs that no change has harmed apart; the first fault ends it with the
input that caused it, made small. `--seed` makes a run repeatable.
"""

import argparse
import asyncio
import io
import socket
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from fuzz_corpus import FORMATS, bundle_of, form, images, resealed
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mixqual.bench.random_bundle import write_random_bundle
from mixqual.deploy import load
from mixqual.deploy.bundle import read_bundle
from mixqual.errors import BundleError
from mixqual.service import Engine, Settings, create_app
from mixqual.service.degrading import degraded

REFUSED = {400, 413, 415, 422}
INSIDE = ("Traceback", "site-packages", ".py", "/tmp", "/home", " object at 0x")
ROUND = 250  # inputs between two looks at the clock

Mutation = tuple[str, int, bytes]
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(("set", "insert", "cut", "drop", "repeat")),
        st.integers(0, 2**20),
        st.binary(min_size=1, max_size=8) | st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\r\n--b")),
    ),
    min_size=1,
    max_size=6,
)


def mutated(content: bytes, mutations: Sequence[Mutation]) -> bytes:
    """Apply changes one after the other; a place counts modulo the length."""
    for kind, number, new in mutations:
        place = number % (len(content) + 1)
        before, after = content[:place], content[place:]
        match kind:
            case "set":
                content = before + new + after[len(new) :]
            case "insert":
                content = before + new + after
            case "cut":
                content = before
            case "drop":
                content = before + after[len(new) * 16 :]
            case "repeat":
                content = before + after[:64] * len(new) + after
    return content


@contextmanager
def service(bundle: Path) -> Iterator[httpx.Client]:
    """A client of a service in a thread, with limits that mutations can reach."""
    limits = Settings(max_bytes=60_000, max_images=4, max_pixels=10_000)
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(Engine(lambda: load(bundle), limits, degrade=degraded))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", server_header=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            while client.get("/ready").status_code != 200:
                time.sleep(0.05)
            yield client
    finally:
        server.should_exit = True
        thread.join()


def check_upload(client: httpx.Client, url: str, media: str, body: bytes) -> str:
    """Send a body; what came back in a word. Raises `AssertionError` for what must not come."""
    found = client.post(url, content=body, headers={"Content-Type": media})
    assert not any(word in found.text for word in INSIDE), found.text
    if found.status_code != 200:
        assert found.status_code in REFUSED, (found.status_code, found.text)
        assert list(found.json()) == ["error"]
        return f"upload {found.status_code}"
    for answer in found.json().get("predictions", ()):
        assert ("error" in answer) is ("class_name" not in answer)
    return "upload 200"


def check_bundle(path: Path, content: bytes, expected: bytes) -> str:
    """Read a bundle; either it is refused, or it can be used."""
    path.write_bytes(content)
    try:
        manifest, _ = read_bundle(path)
        if manifest.model_dump_json().encode() == expected:
            return "bundle unharmed"
        load(path, "cpu")
    except BundleError as error:
        refusal = str(error)
    else:
        return "bundle of another manifest"
    assert "\n" not in refusal, refusal
    return "bundle refused"


def with_manifest(bundle: bytes, mutations: Sequence[Mutation]) -> bytes:
    """The bundle with a mutated manifest under right checksums."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["manifest.json"] = mutated(parts["manifest.json"], mutations)
    return bundle_of(resealed(parts))


def checks(client: httpx.Client, bundle: Path, counts: Counter[str]) -> Callable[..., None]:
    """A check of one input that Hypothesis makes up."""
    corpus = [content for kind in FORMATS for content in images(kind, 24, 20)]
    whole = bundle.read_bytes()
    manifest = read_bundle(bundle)[0].model_dump_json().encode()
    changed = bundle.with_name("changed.mixqual")
    medias = st.sampled_from(("image/png", "multipart/form-data; boundary=b"))

    @given(
        st.sampled_from(("/predict", "/predict", "/explore?noise=9", "bytes", "manifest")),
        st.lists(st.sampled_from(corpus), min_size=1, max_size=3),
        medias,
        MUTATIONS,
        MUTATIONS,
    )
    def check(
        what: str, files: list[bytes], media: str, first: list[Mutation], then: list[Mutation]
    ) -> None:
        if what == "bytes":
            counts[check_bundle(changed, mutated(whole, first), manifest)] += 1
        elif what == "manifest":
            counts[check_bundle(changed, with_manifest(whole, first), manifest)] += 1
        else:
            bodies = [mutated(files[0], first), *files[1:]]
            if media == "image/png":
                before, body = files[0], bodies[0]
            else:
                before, body = form(files), mutated(form(bodies), then)
            came = check_upload(client, what, media, body)
            counts["upload unharmed" if body == before else came] += 1

    return check


def fuzz(inputs: int, minutes: float, number: int) -> Counter[str]:
    """Run until so many inputs or minutes; what came out, counted."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_random_bundle(Path(folder) / "random", "timm/test_efficientnet", 16)
        with service(bundle) as client:
            while counts.total() < inputs and time.monotonic() < end:
                check = checks(client, bundle, counts)
                options = settings(
                    max_examples=min(ROUND, inputs - counts.total()),
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                )
                seed(number)(options(check))()
                number += 1
            assert client.get("/ready").status_code == 200
            assert client.post(
                "/predict", content=images("PNG")[0], headers={"Content-Type": "image/x"}
            )
    return counts


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for what, count in sorted(fuzz(asked.inputs, asked.minutes, asked.seed).items()):
        print(f"{count:8} {what}")


if __name__ == "__main__":
    sys.exit(main())
