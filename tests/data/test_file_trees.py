import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.data.archives import Archive
from mixqual.data.file_trees import ArchiveTree, FolderTree, TarsTree, Tree, list_images, outside
from mixqual.errors import DataError

NAMES = st.sampled_from(["a", "b", "img2.jpg", "img10.JPEG", ".hidden.jpg", "x.txt", "y.heic"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def write(root: Path, paths: set[str]) -> None:
    """Files of these names, but for those that lie where a folder is."""
    for path in sorted(paths):
        if not any(other.startswith(f"{path}/") for other in paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(path.encode())


def seen(tree: Tree, folder: str) -> tuple[set, set]:
    """What a tree tells of a folder: its files, and those at any depth."""

    def facts(files: list) -> set:
        return {(f.name, f.refused) for f in files}

    return facts(tree.files(folder)), facts(tree.files_below(folder))


@settings(deadline=None, max_examples=40)
@given(paths=st.sets(PATHS, min_size=1, max_size=8))
def test_an_archive_is_as_the_folder_that_it_was_made_of(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str]
) -> None:
    root = tmp_path_factory.mktemp("trees")
    write(root / "set", {f"{path}/in.jpg" for path in paths} | paths)
    with tarfile.open(root / "set.tar", "w") as tar:
        tar.add(root / "set", "set")
    plain, packed = FolderTree(root / "set"), ArchiveTree(Archive(root / "set.tar"), "set")
    filled = [name for name in plain.folders() if plain.files_below(name)]
    assert packed.folders() == filled
    for folder in filled:
        assert seen(packed, folder) == seen(plain, folder)
    assert outside(packed.files()) == outside(plain.files())


def test_a_folder_of_archives_is_as_one_of_folders(tmp_path: Path) -> None:
    for name in ("n1", "n2"):
        write(tmp_path / "plain" / name, {"1.JPEG", "2.JPEG", "deep/3.JPEG", "notes.txt"})
        (tmp_path / "tars").mkdir(exist_ok=True)
        with tarfile.open(tmp_path / "tars" / f"{name}.tar", "w") as tar:
            for file in sorted((tmp_path / "plain" / name).iterdir()):
                tar.add(file, file.name)
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for file in (tmp_path / "tars").iterdir():
            tar.add(file, file.name)
    plain = FolderTree(tmp_path / "plain")
    for tree in (TarsTree(tmp_path / "tars"), TarsTree(tmp_path / "all.tar")):
        assert tree.folders() == plain.folders() == ["n1", "n2"]
        for name in tree.folders():
            assert seen(tree, name) == seen(plain, name)
        items, left_out = list_images(tree, "n2", 1, "train", prefix="train/")
        assert [item.id for item in items] == [f"train/n2/{n}.JPEG" for n in ("1", "2", "deep/3")]
        assert [item.path.read() for item in items] == [b"1.JPEG", b"2.JPEG", b"deep/3.JPEG"]
        assert [file.id for file in left_out] == ["train/n2/notes.txt"]
        with pytest.raises(DataError, match=r"n9: class 'n9' holds no image"):
            list_images(tree, "n9", 0, None)


def test_a_wrong_archive_is_told(tmp_path: Path) -> None:
    write(tmp_path / "other", {"a/1.jpg"})
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "other", "other")
    with pytest.raises(DataError, match=r"a\.tar: holds no folder set; is it the right archive"):
        ArchiveTree(Archive(tmp_path / "a.tar"), "set")
