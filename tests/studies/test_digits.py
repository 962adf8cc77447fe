"""The files of the digits study against the numbers that scikit-learn loads."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SCRIPT = Path(__file__).parents[2] / "studies" / "digits.py"


def test_every_digit_is_written_to_the_folder_of_its_class(tmp_path: Path) -> None:
    digits = load_digits()
    assert runpy.run_path(str(SCRIPT))["write_digits"](tmp_path) == len(digits.target)
    files = sorted(tmp_path.glob("*/*.png"), key=lambda file: file.stem)
    assert [int(file.parent.name) for file in files] == digits.target.tolist()
    greys_NHW = np.stack([np.asarray(Image.open(file), np.float64) for file in files])
    # A grey level is a sixteenth of a step of ink.
    np.testing.assert_allclose(
        16 - greys_NHW * 16 / 255, digits.images, rtol=0, atol=0.5 * 16 / 255
    )


def test_without_a_folder_it_says_how_to_call_it() -> None:
    run = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "usage: studies/digits.py FOLDER\n")
