import importlib.metadata
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch

from mixqual.config import RuntimeConfig
from mixqual.provenance import provenance
from mixqual.runtime import set_up_machine


def test_tells_what_computed_it() -> None:
    found = provenance(set_up_machine(RuntimeConfig(threads=1, device="cpu")))
    assert json.loads(json.dumps(found)) == found
    assert found["version"] == importlib.metadata.version("mixqual")
    assert found["libraries"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["threads"] == 1
    assert found["device"].startswith("cpu: ")
    written = datetime.strptime(found["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


def test_the_commit_is_the_repository_s_with_a_mark_if_files_differ() -> None:
    source = Path(__file__).parents[1] / "src" / "mixqual"
    commit = provenance(set_up_machine(RuntimeConfig(threads=1)))["commit"]

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(source), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.stdout.strip() if ended.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "provenance.py") is None:  # an unpacked archive
        assert commit is None
        return
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", commit)
    assert commit.removesuffix("+changes") == git("rev-parse", "HEAD")
    assert commit.endswith("+changes") == bool(git("status", "--porcelain", "--", "."))
