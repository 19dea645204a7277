"""Programs to verdicts, each program in a sandbox of its own."""

from rr_harness.execution.engine import Engine
from rr_harness.execution.judge import Outcome, Program
from rr_harness.execution.languages import (
    ALIASES,
    Command,
    Language,
    Toolchain,
    canonical_language,
    find_language,
    toolchain_versions,
)
from rr_harness.execution.probe import Layer, probe
from rr_harness.execution.sandbox import Limits

__all__ = [
    "ALIASES",
    "Command",
    "Engine",
    "Language",
    "Layer",
    "Limits",
    "Outcome",
    "Program",
    "Toolchain",
    "canonical_language",
    "find_language",
    "probe",
    "toolchain_versions",
]
