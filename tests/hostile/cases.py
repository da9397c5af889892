"""Model folders that somebody could send: a generator of several hundred, each broken in one way of its own."""

from __future__ import annotations

from cases_files import config_fields, contents, headers, shards, things
from cases_models import modules, settings, tokenizers, vocabularies
from folders import Build

__all__ = ["all_cases"]


def all_cases() -> dict[str, Build]:
    """Name -> what makes a sound folder a hostile one."""
    cases: dict[str, Build] = {}
    for part in (
        things,
        contents,
        config_fields,
        tokenizers,
        headers,
        modules,
        settings,
        vocabularies,
        shards,
    ):
        for name, build in part():
            assert name not in cases, name
            cases[name] = build
    return cases
