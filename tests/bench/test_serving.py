"""A service as a process: it answers while it is needed, and is gone after that."""

from pathlib import Path

import httpx
import pytest

from mixqual.bench.random_bundle import write_random_bundle
from mixqual.bench.serving import serving
from mixqual.errors import RunError


def test_it_answers_and_ends(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path / "b.mixqual", "timm/test_efficientnet", 32)
    with serving(bundle, "--max-images", "1") as service:
        assert service.address.startswith("http://127.0.0.1:")
        assert httpx.get(service.address + "ready").status_code == 200
        assert Path(f"/proc/{service.process}").exists()
        files = [("images", ("x", b"x"))] * 2
        assert httpx.post(service.address + "predict", files=files).status_code == 413
    assert not Path(f"/proc/{service.process}").exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.address)


def test_what_it_says_instead_of_being_ready(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=r"the service did not start: .*nothing is no file"),
        serving(tmp_path / "nothing"),
    ):
        pass
