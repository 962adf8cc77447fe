"""The demo set: electroluminescence photographs of solar cells, from the `elpv-dataset` package."""

from importlib.util import find_spec
from pathlib import Path

from mixqual.data.classes import ClassChoice, choose_classes, keep_classes
from mixqual.data.index import ImageIndex, Item, LeftOut
from mixqual.errors import DataError

CLASSES = ("mono-functional", "mono-defective", "poly-functional", "poly-defective")
"""Kind of module and state of the cell. The order fixes the labels 0 to 3."""

CREDIT = (
    "ELPV: a benchmark for visual identification of defective solar cells in electroluminescence "
    "imagery, licensed CC BY-NC-SA 4.0. Please cite: "
    "C. Buerhop-Lutz, S. Deitsch, A. Maier, F. Gallwitz, S. Berger, B. Doll, J. Hauch, C. Camus, "
    "C. J. Brabec, EU PVSEC 2018, doi:10.4229/35thEUPVSEC20182018-5CV.3.15; "
    "S. Deitsch, V. Christlein, S. Berger, C. Buerhop-Lutz, A. Maier, F. Gallwitz, C. Riess, "
    "Solar Energy 185 (2019) 455-468, doi:10.1016/j.solener.2019.02.067; "
    "S. Deitsch, C. Buerhop-Lutz, E. Sovetkin, A. Steland, A. Maier, F. Gallwitz, C. Riess, "
    "Machine Vision and Applications 32 (2021), doi:10.1007/s00138-021-01191-9."
)

_STATE = {0.0: "functional", 1.0: "defective"}


def index_elpv(choice: ClassChoice) -> ImageIndex:
    """Index the cells whose experts were sure: defect probability exactly 0 or 1.

    The 401 cells in between are listed as left out. Only the chosen classes are kept. Raises
    `DataError` if the package is not installed or its table of labels is not as expected.
    """
    spec = find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            'data.source = "elpv" needs the elpv-dataset package; install it with '
            "`pip install 'mixqual[demo]'`"
        )
    index = _read_labels(Path(spec.submodule_search_locations[0]) / "data" / "labels.csv")
    return keep_classes(index, choose_classes(choice, index.name, index.classes))


def _read_labels(table: Path) -> ImageIndex:
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{table}: cannot be read ({error}); reinstall with `pip install 'mixqual[demo]'`"
        ) from None
    items, left_out = [], []
    for number, line in enumerate(lines, start=1):
        try:
            name, text, kind = line.split()  # columns are aligned with blanks, not commas
            probability = float(text)
            state = _STATE.get(probability)
            label = -1 if state is None else CLASSES.index(f"{kind}-{state}")
        except ValueError:
            raise DataError(
                f"{table}, line {number}: expected an image, a probability and a kind of module, "
                f"but found {line!r}; reinstall with `pip install 'mixqual[demo]'`"
            ) from None
        if state is None:
            left_out.append(LeftOut(name, f"label not sure: defect probability {probability:.2f}"))
        else:
            items.append(Item(name, table.parent / name, label, split=None))
    return ImageIndex("elpv", CLASSES, tuple(items), tuple(left_out), CREDIT)
