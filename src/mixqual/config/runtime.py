"""The tables of the machine that a study runs on, or of those of a cluster."""

from typing import Literal

from pydantic import Field

from mixqual.config.table import Table, Text


class ClusterConfig(Table):
    """What each stage of a study gets on a cluster (`mixqual run --executor ray`)."""

    cpus: int = Field(1, ge=1, le=4096)
    """CPUs, and threads of the CPU kernels unless runtime.threads says otherwise."""
    gpus: float = Field(0.0, ge=0, le=1024)
    """GPUs; of 0.5 two stages share one."""
    memory_mb: int = Field(0, ge=0, le=2**30)
    """Memory (MiB) that a node sets apart for it; 0 sets nothing apart."""
    cells: int = Field(16, ge=1, le=20_000)
    """Cells of a sweep (a distortion, a level and a draw) that are one stage."""
    retries: int = Field(3, ge=0, le=1000)
    """Tries after the first, if a node dies or something else fails that may pass."""
    scratch: Text = ""
    """With a store: where each node keeps its part of the run, in a folder of its own. Variables of
    the node such as $TMPDIR are filled in; "" is the node's folder for temporary files."""


class RuntimeConfig(Table):
    """How to use the machine. Part of the provenance, not of what is computed."""

    device: Text = "auto"
    """"auto", "cpu", "cuda" or "cuda:N"."""
    threads: int = Field(0, ge=0, le=4096)
    """Threads of the CPU kernels; 0 takes one per core, shared by the processes of a machine."""
    tune_allocator: bool = True
    """Keep freed memory in the process (glibc): page faults cost as much as the arithmetic."""
    backend: Literal["auto", "eager", "compiled", "onnxruntime"] = "auto"
    """What networks run as in a sweep on the CPU: "compiled" takes half a minute at first and needs
    a C++ compiler, "onnxruntime" needs the extra "onnx-export". "auto" takes what pays."""
    cluster: ClusterConfig = ClusterConfig()
