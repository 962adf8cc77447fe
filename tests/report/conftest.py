"""The page of full results as a file, made once for all tests that look at it."""

from pathlib import Path

import pytest
from page_samples import full_results, write_page


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `full_results()`; not to be changed."""
    return write_page(full_results(), tmp_path_factory.mktemp("page"))
