"""Objects in memory, in folders, and on a server that talks like S3 and fails at times."""

import errno
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_servers import BUCKET, FaultyServer, s3_server

from mixqual.errors import RunError
from mixqual.object_store import ObjectStore

words = st.text(st.sampled_from("abz09._- é*[?#%"), min_size=1, max_size=6).filter(
    lambda word: word.strip(". ") == word
)
contents = st.dictionaries(words, st.binary(max_size=40), max_size=5)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with s3_server() as server:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, whose pauses are short, and whose patience is shorter than a minute."""
    module = importlib.import_module("mixqual.object_store")
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    return module


@settings(deadline=None, max_examples=25)
@given(first=contents, second=contents)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_store_is_a_dictionary(
    kind: str,
    first: dict[str, bytes],
    second: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    store = ObjectStore(f"{kind}://{folder}/store")
    for objects in (first, second):
        for name, content in objects.items():
            store.write(f"under/{name}", content)
    expected = first | second
    assert store.names("under") == sorted(expected)
    assert store.names("und") == []
    for name, content in expected.items():
        assert store.read(f"under/{name}") == content
        store.download(f"under/{name}", folder / "file")
        assert (folder / "file").read_bytes() == content
        store.remove(f"under/{name}")
        store.remove(f"under/{name}")
        with pytest.raises(FileNotFoundError):
            store.read(f"under/{name}")
    assert store.names("under") == []


def test_a_server_keeps_what_another_client_reads(server: FaultyServer, tmp_path: Path) -> None:
    one, other = (ObjectStore(f"s3://{BUCKET}/kept/") for _ in range(2))
    large = os.urandom(3 * 2**20)
    (tmp_path / "large").write_bytes(large)
    assert other.names("a") == []
    one.upload(tmp_path / "large", "a/b/large")
    one.write("a/empty", b"")
    one.write("ab", b"beside it")
    assert other.names("a") == ["b/large", "empty"]
    other.download("a/b/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large
    assert other.read("a/empty") == b""
    with pytest.raises(FileNotFoundError):
        other.download("a/none", tmp_path / "none")


def test_errors_that_pass_are_waited_for(
    server: FaultyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    store = ObjectStore(f"s3://{BUCKET}/waits")
    for method, call in (
        ("PUT", lambda: store.write("x", b"1")),
        ("GET", lambda: store.read("x")),
        ("GET", lambda: store.names("")),
        ("DELETE", lambda: store.remove("x")),
    ):
        failed = server.fails(2, method)
        call()
        assert len(failed) == 2
    told = capfd.readouterr().err
    assert told.count("waits: OSError: [Errno 16] Service Unavailable; trying again in 0.5 s") == 4


def test_a_store_that_stays_away_is_given_up(
    server: FaultyServer, hasty: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(f"s3://{BUCKET}/gone")
    server.fails(1000)
    with pytest.raises(RunError, match=r"^s3://bucket/gone fails: .*Service Unavailable \(tried"):
        store.write("x", b"1")
    server.fails(0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(RunError, match=r"fails: EndpointConnectionError: Could not connect"):
        ObjectStore(f"s3://{BUCKET}/refused")


def test_what_will_not_pass_is_told_at_once(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"^s3://none/run is not there: .* bucket does not exist"):
        ObjectStore("s3://none/run")
    server.fault = lambda method, path: 403 if method == "PUT" else None
    with pytest.raises(RunError, match=r"^s3://bucket/run refuses: PermissionError: "):
        ObjectStore(f"s3://{BUCKET}/run")
    server.fails(0)
    with pytest.raises(RunError, match=r"^nowhere://x cannot be a store: .*Protocol not known"):
        ObjectStore("nowhere://x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(RunError, match=r"refuses: .*Credential"):
        ObjectStore(f"s3://{BUCKET}/run")


def test_a_full_disk_is_no_fault_of_the_store(tmp_path: Path) -> None:
    store = ObjectStore(f"file://{tmp_path}/store")
    store.write("x", b"1")
    with pytest.raises(OSError, match="No space left") as caught:
        store.download("x", Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC
    (tmp_path / "store" / "full").symlink_to("/dev/full")
    with pytest.raises(RunError, match="the disk is full"):
        store.write("full", b"1")
