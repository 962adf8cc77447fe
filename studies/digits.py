"""Write the handwritten digits that scikit-learn ships as image files: FOLDER/CLASS/NUMBER.png.

1,797 scans of 8 x 8 pixels by 13 writers: the test part of "Optical Recognition of Handwritten
Digits" (Alpaydin and Kaynak, 1998), of the UCI Machine Learning Repository, CC BY 4.0.

Run:  .venv/bin/pip install -c constraints.txt -e '.[reproduce]'
      .venv/bin/python studies/digits.py data/digits
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

# Their grey levels, of ink on paper.
_BLACK = 16


def write_digits(folder: Path) -> int:
    """Write them all, and return how many there are."""
    digits = load_digits()
    for number, (ink_HW, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey_HW = np.round(255 * (1 - ink_HW / _BLACK)).astype(np.uint8)
        Image.fromarray(grey_HW).save(path)
    return len(digits.images)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: studies/digits.py FOLDER")
    target = Path(sys.argv[1])
    sys.stdout.write(f"{write_digits(target)} images in {target}\n")
