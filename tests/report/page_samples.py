"""Results with everything that a page can show, and with names that try to be markup."""

from pathlib import Path
from typing import Any

from example_samples import sample_examples
from report_samples import Results, recommending, sample_results

from mixqual.report import draw_figures
from mixqual.report.page import render_page

HOSTILE = "<script>alert('x')</script>&amp;\"</title>"
CLASSES = ["cat", HOSTILE]


def full_results(**changes: Any) -> Results:
    """Sample results with trees, confusion matrices, a command and a study's text."""
    results = recommending(sample_results(trees=True))
    results["classes"] = CLASSES
    results["confusion"] = {
        model: {
            name: {
                format(level, "g"): [[50 - step, step], [2 * step, 40 - 2 * step]]
                for step, level in enumerate(grid["levels"])
            }
            for name, grid in results["distortions"].items()
        }
        for model in ("clean", "mix")
    }
    results["command"] = "mixqual run studies/sample.toml --set 'gate.lr=0.01'"
    results["study_text"] = f'name = "sample"  # {HOSTILE}\n'
    results["left_out"] = [{"id": f"{HOSTILE}.png", "reason": "no sure label"}]
    return results | changes


def full_examples() -> dict[str, Any]:
    """Sample images, of classes whose names try to be markup."""
    return sample_examples() | {"classes": [*CLASSES, "dog"]}


def write_page(results: Results, folder: Path) -> Path:
    """The page as a file, with the drawings of these results beside it."""
    draw_figures(results, folder)
    page = folder / "report.html"
    text = render_page(results, drawings(folder), full_examples())
    page.write_text(text, encoding="utf-8")
    return page


def drawings(folder: Path) -> dict[str, bytes]:
    """The drawings in a folder, as the page takes them."""
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.svg"))}
