"""One run on two processes of one machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_elpv import write_study

from mixqual.study import Study
from mixqual.training import load_tensors


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path: Path, cells_folder: Path) -> None:
    """The network has no batch norm, whose statistics are those of a process's own share."""
    study = write_study(
        tmp_path / "tiny.toml",
        cells_folder,
        ("timm/test_efficientnet", "timm/test_efficientnet_gn"),
        ("max_epochs = 2", "max_epochs = 1"),
    )
    # --multi_gpu stands for several processes; without a GPU, or with device = "cpu", they
    # compute on the CPU. With --cpu, accelerate starts a single process.
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch"),
        *("--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"),
        *("--dynamo_backend", "no", "--main_process_port", "0"),
        *("-m", "mixqual", "run", str(study), "--out", str(tmp_path / "two")),
    ]
    ended = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.count("results and figures: ") == 1
    assert ended.stderr.count("clean (seed 0): ") == 1, "only the first process shows progress"
    results = json.loads((tmp_path / "two" / "results.json").read_text())
    assert results["provenance"]["processes"] == 2
    one = Study.load(study).run(tmp_path / "one")
    assert one["provenance"]["processes"] == 1
    plan, _ = Study.load(study).prepare()
    # Five steps each: after more, differences in rounding have grown too large to compare.
    for name in ("clean", "noise", "blur", "all"):
        file = Path("artifacts", f"network-{plan.network_key(name, 0)}", "weights.safetensors")
        ours, theirs = (load_tensors(tmp_path / folder / file) for folder in ("one", "two"))
        assert ours[1]["steps"] == theirs[1]["steps"] == 5
        assert ours[1]["val_loss"] == pytest.approx(theirs[1]["val_loss"], rel=1e-4)
        for key, tensor in ours[0].items():
            torch.testing.assert_close(theirs[0][key], tensor, rtol=0, atol=1e-4)
