"""`polysemy pull`: a model into the local cache."""

from __future__ import annotations

import argparse

from ..io.hub import HubOptions, pull

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Download what is missing, and print where the model lies."""
    hub = HubOptions(revision=arguments.revision, cache_folder=arguments.cache_folder)
    print(pull(arguments.model, hub, show_progress=arguments.progress).folder)
    return 0
