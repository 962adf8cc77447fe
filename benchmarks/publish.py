"""Put what the files beside this one say into docs/performance.md, and draw scaling.svg."""

from pathlib import Path

from mixqual.artifacts import read_json, write_atomically
from mixqual.bench.page_table import benchmark_table, with_table
from mixqual.bench.scaling_figure import figure_scaling
from mixqual.report.figure_files import write_figure

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"

if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    write_atomically(PAGE, with_table(page, benchmark_table(HERE)))
    write_figure(figure_scaling(read_json(HERE / "scaling.json")["rows"]), HERE, "scaling")
