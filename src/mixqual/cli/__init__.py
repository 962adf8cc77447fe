"""The `mixqual` command: parse, call, print. The work is in the modules it calls.

Those are imported by the command that needs them, so that `--help` answers at once.
"""

# Each module adds its commands to the app, in the order in which help lists them.
from mixqual.cli import studies  # isort: skip
from mixqual.cli import reports  # isort: skip
from mixqual.cli import deployment  # isort: skip
from mixqual.cli import service  # isort: skip
from mixqual.cli import classifiers  # isort: skip
from mixqual.cli import images  # isort: skip
from mixqual.cli import speed  # isort: skip
from mixqual.cli.app import app, main

__all__ = [
    "app",
    "classifiers",
    "deployment",
    "images",
    "main",
    "reports",
    "service",
    "speed",
    "studies",
]
