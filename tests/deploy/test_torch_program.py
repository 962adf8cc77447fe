"""A program of torch.export: without traces of this machine, for any batch."""

import io
import zipfile

import pytest
import torch
from test_whole_network import MANIFEST, mixture

from mixqual.deploy import Manifest
from mixqual.deploy.torch_program import load_program, torch_program
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.networks import Mixture

__all__ = ["mixture"]


def test_any_batch_and_no_traces(mixture: Mixture) -> None:
    manifest = Manifest.model_validate(MANIFEST)
    network = WholeNetwork(manifest, mixture).eval()
    content = torch_program(network, example_of(manifest, "float32"), manifest)
    program = load_program(content)
    images_BCHW = 255 * torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(images_BCHW)
        for count in (1, 3):
            for found, right in zip(program(images_BCHW[:count]), expected, strict=True):
                torch.testing.assert_close(found, right[:count], rtol=0, atol=1e-5)
    with pytest.raises(Exception, match="32"):
        program(images_BCHW[..., :16])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            assert b".py" not in archive.read(name), name
