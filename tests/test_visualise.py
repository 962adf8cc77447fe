"""`mixqual neurons` on the tiny study."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ended import Command
from finished_runs import Run, times
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mixqual.errors import StudyError
from mixqual.finished_run import FinishedRun
from mixqual.neurons import Ascent
from mixqual.visualise import draw_units, parse_units, visualise

STAGE = "blocks.2"


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "units"),
        [("0,5,7", (0, 5, 7)), ("7, 0", (7, 0)), ("5,", (5,)), ("5,5,1", (5, 1)), ("16", 16)],
    )
    def test_are_numbers_with_commas_or_a_count(
        self, text: str, units: tuple[int, ...] | int
    ) -> None:
        assert parse_units(text) == units

    @pytest.mark.parametrize("text", ["", ",", "some", "1,x", "-1", "3,-1", "0", "1.5"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(StudyError, match="write units with commas"):
            parse_units(text)

    @given(of=st.integers(1, 2000), share=st.floats(0.001, 1), seed=st.integers(0, 2**31))
    def test_drawn_ones_are_different_and_the_same_each_time(
        self, of: int, share: float, seed: int
    ) -> None:
        count = max(1, int(share * of))
        units = draw_units(count, of, seed)
        assert len(units) == len(set(units)) == count
        assert 0 <= units[0] <= units[-1] < of
        assert units == draw_units(count, of, seed)

    def test_more_than_there_are_are_refused(self) -> None:
        assert draw_units(5, 5, seed=3) == (0, 1, 2, 3, 4)
        with pytest.raises(StudyError, match="--units 6: the stage has only 5 units"):
            draw_units(6, 5, seed=3)


def test_every_expert_gets_the_same_units_and_start(plain_run: Run, tmp_path: Path) -> None:
    """Off or not, an image has the activation that is told, by the backbone's own modules."""
    found = visualise(plain_run.out, STAGE, units="6", ascent=Ascent(steps=6), out=tmp_path)
    units = found.neurons["units"]
    assert list(found.neurons["neurons"]) == ["clean", "noise", "blur"]
    assert found.neurons["clean"] == "clean"
    finished, starts = FinishedRun.open(plain_run.out), []
    for name, rows in found.neurons["neurons"].items():
        assert [row["unit"] for row in rows] == units
        assert found.neurons["off"][name] == sum(row["off"] for row in rows)
        network = finished.network(name, 0)
        images_UCHW = torch.from_numpy(found.images[name]).permute(0, 3, 1, 2).float()
        backbone = network.backbone
        with torch.inference_mode():
            x = backbone.bn1(backbone.conv_stem((images_UCHW - network.mean) / network.std))
            by_hand_U = backbone.blocks[:3](x).mean((2, 3))[range(6), units]
        # The images are rounded to whole grey levels.
        assert [row["end"] for row in rows] == pytest.approx(by_hand_U.tolist(), rel=0.05, abs=0.01)
        starts.append([row["start"] for row in rows])
    assert starts[0] != starts[1]


class TestCommand:
    def test_writes_the_figure_and_its_numbers(
        self, command: Command, plain_run: Run, tmp_path: Path
    ) -> None:
        options = ("--stage", STAGE, "--units", "0,3", "--steps", 5, "--form", "regularised")
        ended = command("neurons", plain_run.out, *options, "--out", tmp_path / "one")
        assert ended.code == 0, ended.err
        assert "tiny: neurons of blocks.2" in ended.out
        assert {path.name for path in (tmp_path / "one").iterdir()} == {
            *("fig3.json", "fig3.csv", "fig3.svg", "fig3.png")
        }
        neurons = json.loads((tmp_path / "one" / "fig3.json").read_text())
        assert (neurons["units"], neurons["form"], neurons["steps"]) == ([0, 3], "regularised", 5)
        with (tmp_path / "one" / "fig3.csv").open(encoding="utf-8") as lines:
            assert len(list(csv.DictReader(lines))) == 3 * 2
        command("neurons", plain_run.out, *options, "--out", tmp_path / "two")
        first, second = (
            np.asarray(Image.open(tmp_path / folder / "fig3.png")) for folder in ("one", "two")
        )
        assert np.array_equal(first, second)
        assert times(plain_run.out) == plain_run.times

    def test_puts_it_among_the_figures_of_the_run(
        self, command: Command, plain_run: Run, tmp_path: Path
    ) -> None:
        run = shutil.copytree(plain_run.out, tmp_path / "run")
        options = ("--stage", "classifier", "--units", "2", "--steps", 1)
        assert command("neurons", run, *options).code == 0
        assert {"fig2.png", "fig3.png"} <= {path.name for path in (run / "figures").iterdir()}

    def test_refuses(self, command: Command, plain_run: Run, tmp_path: Path) -> None:
        def refused(*options: object, run: Path = plain_run.out) -> str:
            out = ("--out", tmp_path / "out")
            return command("neurons", run, "--steps", 1, *out, *options).refusal()

        message = refused("--stage", "blocks.9")
        assert message.startswith("timm/test_efficientnet has no branch point 'blocks.9'; it has ")
        assert "blocks.2" in message
        message = refused("--stage", STAGE, "--units", "0,9999")
        assert "blocks.2 of timm/test_efficientnet has no unit 9999; its units are 0 to" in message
        assert "the stage has only" in refused("--stage", STAGE, "--units", "9999")
        assert "write units with commas" in refused("--stage", STAGE, "--units", "all")
        assert "choose plain or regularised" in refused("--stage", STAGE, "--form", "sharp")
        assert "its seeds are 0" in refused("--stage", STAGE, "--seed-of-run", "3")
        assert "holds no finished run" in refused("--stage", STAGE, run=tmp_path)
        message = refused("--stage", STAGE, "--out", "/proc/none")
        assert message == "/proc/none cannot be made; choose another place"
