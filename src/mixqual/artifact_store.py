"""Artifacts: folders named by a hash of everything they depend on, written atomically.

A stage writes into `NAME-KEY.partial/`, which survives a kill so that the stage can resume, and
the folder is renamed to `NAME-KEY/` when the stage is complete. A changed setting changes the key,
so only what depends on it is computed again. Nothing is believed of an artifact but what its
checksums prove: one that is damaged is set aside, and counts as not made.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from mixqual import made
from mixqual.artifacts import refusing_full_disk, replace_durably
from mixqual.errors import RunError
from mixqual.made import Maker
from mixqual.progress import say

_SET_ASIDE = "damaged"


def earlier_artifacts(runs: Sequence[Path]) -> list[Path]:
    """Where the artifacts of earlier runs are; raises `RunError` for a folder without a run."""
    for run in runs:
        if not (run / "artifacts").is_dir():
            raise RunError(f"{run} holds no earlier run: it has no artifacts to reuse")
    return [run / "artifacts" for run in runs]


@final
class ArtifactStore:
    """The artifacts of one run folder, and of earlier runs that it may take them from."""

    def __init__(
        self, root: Path, earlier: Sequence[Path] = (), maker: Maker | None = None
    ) -> None:
        """`maker` is what makes the artifacts that are made from now on."""
        self.root = root
        self.maker = maker
        self.makers: dict[str, Maker | None] = {}
        """What has made each artifact that was proven or made here; None where it does not say."""
        self._earlier = tuple(earlier)
        self._lost: dict[str, dict[str, Any]] = {}  # the parts of what was set aside

    def path(self, stage: str, key: str) -> Path:
        """Where the finished artifact of a stage stands, or will stand."""
        return self.root / f"{stage}-{key}"

    def is_done(self, stage: str, key: str) -> bool:
        """Whether the stage is complete."""
        return self.path(stage, key).is_dir()

    def find(self, name: str) -> Path:
        """Where an artifact stands, here or in an earlier run; where it would be made otherwise."""
        return next(iter(self.places(name)), self.root / name)

    def places(self, name: str) -> list[Path]:
        """All the places where an artifact stands, here and in earlier runs."""
        return [place for root in (self.root, *self._earlier) if (place := root / name).is_dir()]

    def prove(self, name: str) -> bool:
        """Whether an artifact stands here as it was made; what is damaged is set aside.

        That is looked into once, with a line that names the damage. An artifact of before there
        were checksums is taken as it is, and has them from now on.
        """
        folder = self.root / name
        if name in self.makers or not folder.is_dir():
            return folder.is_dir()
        try:
            said = made.check(folder, name)
        except RunError as error:
            self.set_aside(name, str(error))
            return False
        if said is None:
            with refusing_full_disk(folder):
                made.seal(folder, name, None)
        self.makers[name] = said["by"] if said else None
        return True

    def set_aside(self, name: str, why: str) -> None:
        """Move a damaged artifact out of the way, and say so."""
        folder = self.root / name
        aside = self.root.with_name(_SET_ASIDE) / name
        number = 1
        while aside.exists():
            number += 1
            aside = aside.with_name(f"{name}.{number}")
        with refusing_full_disk(aside):
            aside.parent.mkdir(exist_ok=True)
            os.replace(folder, aside)
        self.makers.pop(name, None)
        with suppress(RunError):  # it may not tell any more what was lost
            self._lost[name] = (made.sealed(aside, name) or {}).get("files", {})
        say(f"{folder} is damaged: {why}; it is made again, and the old one is kept as {aside}")

    def adopt(self, name: str) -> None:
        """Copy an artifact that is lacking here from an earlier run that has it, if one does.

        A damaged one is left where it is, with a line that says so.
        """
        target, copy = self.root / name, self.root / f"{name}.copy"
        if target.exists():
            return
        for source in self.places(name):
            with refusing_full_disk(target):
                shutil.rmtree(copy, ignore_errors=True)  # of a copy that was interrupted
                shutil.copytree(source, copy)
                try:
                    made.check(copy, name)
                except RunError as error:
                    say(f"{source} is damaged: {error}; it is not reused")
                    shutil.rmtree(copy)
                    continue
                replace_durably(copy, target)
                return

    def build(self, stage: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the stage's folder, calling `make(partial_folder)` first if it is not done.

        `make` may find what an interrupted call left in the folder, and may continue from it.
        """
        done = self.path(stage, key)
        if self.prove(done.name):
            return done
        partial = done.with_name(done.name + ".partial")
        with refusing_full_disk(partial):
            partial.mkdir(parents=True, exist_ok=True)
            make(partial)
            made.seal(partial, done.name, self.maker)
            replace_durably(partial, done)
        self.makers[done.name] = self.maker
        self._compare_with_lost(done)
        return done

    def discard_half_written(self) -> None:
        """Remove the files that zarr was writing when its process was killed.

        It replaces each file by a whole one and never looks at these again. Nobody may write
        meanwhile.
        """
        for path in self.root.rglob("*.partial"):
            if path.is_file():  # a folder is a stage that goes on from it
                path.unlink()

    def _compare_with_lost(self, done: Path) -> None:
        lost = self._lost.pop(done.name, {})
        said = made.sealed(done, done.name) or {"files": {}}
        differs = [part for part, sums in said["files"].items() if lost.get(part, sums) != sums]
        if differs:
            say(
                f"{done}: its {differs[0]} is not the one that was lost, as on a GPU or with other "
                "versions it may not be; what was computed from that one stays: to compute it "
                f"anew, delete {done.parent}"
            )
