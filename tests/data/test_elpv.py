import sys
from collections import Counter
from pathlib import Path

import pytest

from mixqual.config import DataConfig
from mixqual.data import index_images
from mixqual.errors import DataError


def test_cells_with_a_sure_label() -> None:
    pytest.importorskip("elpv_dataset")
    index = index_images(DataConfig(source="elpv"))
    assert index.classes == (
        "mono-functional",
        "mono-defective",
        "poly-functional",
        "poly-defective",
    )
    counts = Counter(item.label for item in index.items)
    assert counts == {0: 588, 1: 313, 2: 920, 3: 402}
    assert len(index.left_out) == 2624 - 2223
    assert {file.reason for file in index.left_out} == {
        "label not sure: defect probability 0.33",
        "label not sure: defect probability 0.67",
    }
    assert index.items[0].id == "images/cell0001.png"
    assert all(item.path.is_file() for item in index.items)
    assert "CC BY-NC-SA 4.0" in index.credit


def test_excluding_and_sampling_classes() -> None:
    pytest.importorskip("elpv_dataset")
    poly = index_images(
        DataConfig(source="elpv", exclude_classes=("mono-functional", "mono-defective"))
    )
    assert poly.classes == ("poly-functional", "poly-defective")
    assert Counter(item.label for item in poly.items) == {0: 920, 1: 402}
    config = DataConfig(source="elpv", sample_classes=2)
    draws = {index_images(config, seed).classes for seed in range(20)}
    assert len(draws) > 1
    assert index_images(config, 7).classes == index_images(config, 7).classes
    with pytest.raises(DataError, match=r"data.exclude_classes: elpv has no class 'mono'"):
        index_images(DataConfig(source="elpv", exclude_classes=("mono",)))
    with pytest.raises(DataError, match=r"data.exclude_classes leaves 1 of the classes of elpv"):
        index_images(DataConfig(source="elpv", exclude_classes=(*poly.classes, "mono-defective")))


def test_package_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [entry for entry in sys.path if not (Path(entry) / "elpv_dataset").is_dir()]
    monkeypatch.setattr(sys, "path", installed)
    monkeypatch.delitem(sys.modules, "elpv_dataset", raising=False)
    with pytest.raises(DataError, match=r"pip install 'mixqual\[demo\]'"):
        index_images(DataConfig(source="elpv"))


@pytest.mark.parametrize("line", ["images/x.png 1.0", "x.png sure mono", "x.png 1.0 tandem"])
def test_damaged_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    table = tmp_path / "elpv_dataset" / "data" / "labels.csv"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "elpv_dataset", raising=False)
    table.parent.mkdir(parents=True)
    (tmp_path / "elpv_dataset" / "__init__.py").touch()
    with pytest.raises(DataError, match=r"labels.csv: cannot be read"):
        index_images(DataConfig(source="elpv"))
    table.write_text(f"images/a.png 1.0 mono\n{line}\n")
    with pytest.raises(DataError, match=rf"labels.csv, line 2: .*{line}"):
        index_images(DataConfig(source="elpv"))
