"""What is built from the repository is all that a person needs of it."""

import email
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from hatchling.build import build_sdist, build_wheel
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


def files_below(*folders: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        build_sdist(str(folder))
        build_wheel(str(folder))
    return folder


def metadata(built: Path) -> Message:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_a_source_distribution_can_be_tested_read_and_built(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    every = files_below("benchmarks", "docs", "src", "studies", "tests")
    every |= {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"}
    every |= {"constraints.txt", "pyproject.toml", ".ci/run"}
    every |= {name for name in files_below("results") if Path(name).suffix not in (".html", ".svg")}
    assert held - every - {"PKG-INFO", ".gitignore", ".pre-commit-config.yaml"} == set()
    assert every - held == set()
    assert path.stat().st_size < 20 * 2**20


def test_a_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        held = {f"src/{name}" for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files_below("src/mixqual")


def test_an_index_is_given_no_relative_link(built: Path) -> None:
    described = metadata(built)
    assert described["Description-Content-Type"] == "text/markdown"
    text = str(described.get_payload(decode=True), "utf-8")
    assert "**Image classifiers that keep their accuracy" in text
    tokens = [inner for token in MarkdownIt().parse(text) for inner in token.children or ()]
    links = [
        str(token.attrs.get("href", token.attrs.get("src", ""))) for token in tokens if token.attrs
    ]
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
