"""No sequence of commands that write changes a file that none of them was told to write."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from ended import Command
from finished_runs import Run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from mixqual.report.catalogue import FIGURES
from mixqual.results.reading import read_results
from mixqual.study import Study

Files = dict[str, bytes]
Step = tuple[str, ...]

SOURCES = ("photos", "photos/c", "photos/c/a.png", "alias", "elsewhere/b.png", "new")
TARGETS = (
    *("photos", "photos/c", "photos/c/a.png", "photos/c/a.jpg", "photos/new", "photos/linked"),
    *("photos/linked/b.png", "photos/../photos/c/a.png", "alias", "alias/c/a.png", "elsewhere"),
    *("hard.png", "mine", "mine/results.json", "mine/notes.txt", "mine/net.mixqual", "run"),
    *("run/artifacts", "run/results.json", "other", "other/artifacts", "new", "new/c/a.png"),
    *("new.png", "new.mixqual", "new/deep/er", "links", "links/figures", ""),
)
STEPS = st.one_of(
    st.tuples(st.just("distort"), st.sampled_from(SOURCES), st.sampled_from(TARGETS)),
    st.tuples(st.just("imagenet-c"), st.sampled_from(SOURCES), st.sampled_from(TARGETS)),
    st.tuples(st.just("export"), st.sampled_from(["", "bundle"]), st.sampled_from(TARGETS)),
    st.tuples(st.just("report"), st.sampled_from(["", "auc", "fig5"]), st.sampled_from(TARGETS)),
    st.tuples(st.just("publish"), st.just(""), st.sampled_from(TARGETS)),
)


@contextmanager
def world(out: Path) -> Iterator[Path]:
    """Images, links to them, files of a person, a run, and another run, in the current folder."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        patch.chdir(root)
        for number, name in enumerate(("photos/c/a.jpg", "photos/c/a.png", "elsewhere/b.png")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 80 * number, np.uint8)).save(root / name)
        (root / "photos" / "linked").symlink_to(root / "elsewhere")
        (root / "alias").symlink_to("photos")
        os.link(root / "photos" / "c" / "a.png", root / "hard.png")
        (root / "mine").mkdir()
        for name in ("notes.txt", "results.json", "trees.csv", "net.mixqual"):
            (root / "mine" / name).write_text("mine")
        (root / "links").mkdir()
        (root / "links" / "results.json").symlink_to(root / "mine" / "notes.txt")
        (root / "links" / "figures").symlink_to(root / "elsewhere")
        left = shutil.ignore_patterns("outputs-*", "images-*", "figures", "examples.json")
        shutil.copytree(out, root / "run", ignore=left)
        (root / "other" / "artifacts").mkdir(parents=True)
        (root / "other" / "artifacts" / "weights").write_text("theirs")
        shutil.copy(root / "run" / "results.json", root / "other")
        yield root


def files(root: Path) -> Files:
    """All files below a folder; of links, where they lead."""
    return {
        path.relative_to(root).as_posix(): os.readlink(path).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def arguments(step: Step) -> list[str]:
    kind, what, target = step
    return {
        "distort": ["distort", what, target, "--distortion", "gaussian_blur=2"],
        "imagenet-c": ["distort", what, target, "--imagenet-c", "contrast", "--size", "8"],
        "export": ["export", "run", target, *(("--format", what) if what else ())],
        "report": ["report", "run", "--out", target, *(("--only", what) if what else ())],
        "publish": ["run", "run.toml", "--out", "run", "--publish", target],
    }[kind]


@pytest.fixture
def paths(plain_run: Run) -> tuple[Path, Path]:
    """A study's file and the folder of its run, without the results, which would fill a screen."""
    return plain_run.study, plain_run.out


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=3))
@example(steps=[("publish", "", "mine")])
@example(steps=[("publish", "", "other")])
@example(steps=[("report", "", "new"), ("publish", "", "new"), ("publish", "", "links")])
@example(steps=[("distort", "photos", "new"), ("distort", "elsewhere/b.png", "new/c/a.png")])
@example(steps=[("export", "bundle", "photos/linked/b.png"), ("export", "", "new.mixqual")])
def test_a_file_that_no_command_was_told_to_write_stays(
    paths: tuple[Path, Path], command: Command, monkeypatch: pytest.MonkeyPatch, steps: list[Step]
) -> None:
    study, out = paths
    monkeypatch.setattr(Study, "run", lambda *_: read_results(out))  # it has run already
    for name in FIGURES:  # an empty one stands for all of them, which take seconds
        made = Figure() if name == "fig5" else None
        monkeypatch.setitem(FIGURES, name, lambda _, made=made: made)
    with world(out) as root:
        shutil.copy(study, "run.toml")
        copies: set[str] = set()
        reports = {"run": {name for name in files(root) if Path(name).parent == Path("run")}}
        for step in steps:
            before = files(root)
            ended = command(*arguments(step))
            after = files(root)
            changed = {name for name in before if after.get(name) != before[name]}
            new = after.keys() - before.keys()
            assert "Traceback" not in ended.err
            kind, what, target = step
            there = root / target
            place = os.path.relpath(there.parent.resolve() / there.name, root)
            folder = there.resolve().relative_to(root)
            if ended.code == 2:
                assert changed == set()
            elif kind in ("distort", "imagenet-c"):
                assert changed <= copies
                copies |= new
            elif kind == "export":
                assert changed <= {place}
                copies -= {place}
            elif kind == "report" and what:
                endings = {"auc": ("md",), "fig5": ("svg", "png")}[what]
                assert changed <= {str(folder / f"{what}.{ending}") for ending in endings}
            else:
                assert changed <= reports.get(str(folder), set())
                reports.setdefault(str(folder), set()).update(new)
