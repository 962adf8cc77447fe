"""Predicting with a bundle, from Python and from the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from ended import Command
from finished_runs import Run
from PIL import Image
from small_elpv import cell

import mixqual
from mixqual.deploy import Predictor
from mixqual.errors import DataError


@pytest.fixture(scope="module")
def bundle(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixqual.export(plain_run.out, tmp_path_factory.mktemp("bundle") / "tiny").path


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return mixqual.load(bundle)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(cell(number % 4, number, 60)).save(folder / f"{number}.png")
    return folder


def test_one_and_several_in_any_batches(predictor: Predictor, photographs: Path) -> None:
    paths = sorted(photographs.iterdir())
    together = predictor.predict(paths)
    assert len(together) == 5
    (alone,) = predictor.predict(paths[3])
    in_twos = list(predictor.stream(paths, batch_size=2))
    for found, expected in ((alone, together[3]), *zip(in_twos, together, strict=True)):
        assert not isinstance(found, DataError)
        assert found.class_name == expected.class_name
        np.testing.assert_allclose(
            list(found.probabilities.values()), list(expected.probabilities.values()), atol=1e-5
        )
    for found in together:
        assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert sum(found.weights.values()) == pytest.approx(1, abs=1e-5)
        assert found.confidence == found.probabilities[found.class_name]
        assert found.confidence == max(found.probabilities.values())


def test_a_bad_image_keeps_its_place(predictor: Predictor, photographs: Path) -> None:
    (photographs / "2.png").write_bytes(b"broken")
    found = list(predictor.stream(sorted(photographs.iterdir()), batch_size=3))
    assert [isinstance(result, DataError) for result in found] == [False, False, True, False, False]
    with pytest.raises(DataError, match=r"2\.png: not an image in a known format"):
        predictor.predict(sorted(photographs.iterdir()))


class TestCommand:
    def test_json_lines(self, command: Command, bundle: Path, photographs: Path) -> None:
        (photographs / "1.png").write_bytes(b"")
        ended = command("predict", bundle, photographs / "*.png", "--json")
        assert ended.code == 1
        lines = [json.loads(line) for line in ended.out.splitlines()]
        assert [Path(line["image"]).name for line in lines] == [f"{n}.png" for n in range(5)]
        assert lines[1] == {"image": str(photographs / "1.png"), "error": "the file is empty"}
        (expected,) = mixqual.load(bundle).predict(photographs / "0.png")
        assert lines[0]["class_name"] == expected.class_name
        assert lines[0]["distortion"]["name"] == expected.distortion.name

    def test_modes(self, command: Command, bundle: Path, photographs: Path) -> None:
        ended = command("predict", bundle, photographs / "0.png", "--expert", "noise", "--json")
        (line,) = map(json.loads, ended.out.splitlines())
        (expected,) = mixqual.load(bundle, expert="noise").predict(photographs / "0.png")
        assert line["experts_run"] == ["noise"]
        assert line["confidence"] == expected.confidence
        ended = command("predict", bundle, photographs / "0.png", "--mode", "conditional")
        assert ended.code == 0
        ended = command("predict", bundle, photographs / "0.png", "--tau", "1")
        assert "; ran " in ended.out
        ended = command("predict", bundle, photographs / "0.png", "--tau", "2")
        assert "tau = 2: a threshold of weights lies in 0...1" in ended.refusal()

    def test_names_from_standard_input(
        self, command: Command, bundle: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = photographs.parent / "names"
        names.write_text(f"{photographs / '4.png'}\n\n{photographs / '0.png'}\n")
        with names.open() as lines:
            monkeypatch.setattr("sys.stdin", lines)
            ended = command("predict", bundle, "-")
        assert ended.code == 0
        assert [line.split(":")[0] for line in ended.out.splitlines()] == [
            str(photographs / "4.png"),
            str(photographs / "0.png"),
        ]

    def test_a_pattern_without_files(self, command: Command, bundle: Path) -> None:
        ended = command("predict", bundle, "nowhere/*.png")
        assert (ended.code, ended.out) == (2, "")
        assert "no image: nowhere/*.png names no file" in ended.err

    def test_what_is_no_bundle(self, command: Command, photographs: Path) -> None:
        ended = command("predict", photographs / "0.png", photographs / "1.png")
        assert ended.code == 2
        assert "0.png is no whole bundle" in ended.err

    def test_export(self, command: Command, plain_run: Run, tmp_path: Path, bundle: Path) -> None:
        ended = command("export", plain_run.out, tmp_path / "new" / "tiny")
        assert ended.code == 0
        assert "mix of tiny" in ended.out
        assert (tmp_path / "new" / "tiny").read_bytes() == bundle.read_bytes()
