"""One small driver for each language: how to compile and run, and what its errors look like.

The command lines and time limits are those of MultiPL-E's evaluators. A driver is found by its
canonical name among the entry points ``rr_harness.languages``, ours like a third party's.

Not handled: toolchains that are shims of a version manager (``rustup``, ``volta``), or spread over
a store (Nix): only ``/usr`` and the toolchain's own folder are visible in the sandbox.
"""

from __future__ import annotations

import functools
import glob
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from rr_harness.errors import BadInput
from rr_harness.execution.sandbox import BUILD, PROGRAM
from rr_harness.records import Verdict
from rr_harness.registry import load, names

logger = logging.getLogger(__name__)

_SECONDS = 15.0  # MultiPL-E's safe_subprocess

ALIASES: Mapping[str, str] = {
    alias: name
    for name, aliases in {
        "adb": "ada",
        "clj": "clojure",
        "cpp": "c++ cxx",
        "cs": "c# csharp",
        "d": "dlang humaneval_to_dlang.py",
        "dart": "",
        "elixir": "ex exs",
        "go": "golang go_test.go",
        "hs": "haskell",
        "java": "",
        "jl": "julia",
        "js": "javascript node",
        "lua": "",
        "ml": "ocaml",
        "php": "",
        "pl": "perl",
        "py": "python python3 notypes.py",
        "r": "humaneval_to_r.py",
        "rb": "ruby",
        "rkt": "racket",
        "rs": "rust",
        "scala": "",
        "sh": "bash shell",
        "swift": "",
        "ts": "typescript",
    }.items()
    for alias in (name, *aliases.split())
}


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where the programs of a language are on this machine.

    Attributes:
        version: for results, for example ``g++ (Debian 12.2.0-14) 12.2.0``.
        paths: a program's name to its absolute path.
        folders: folders outside ``/usr`` it needs, shown read-only in the sandbox.
    """

    version: str
    paths: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command line inside the sandbox.

    Attributes:
        argv: the command.
        seconds: wall time limit.
        reserves_memory: the runtime reserves far more address space than it uses.
    """

    argv: tuple[str, ...]
    seconds: float = _SECONDS
    reserves_memory: bool = False


class Language(Protocol):
    """What a driver offers; register its class under the language's canonical name.

    Attributes:
        name: canonical name, as in MultiPL-E.
        file_name: what the program text is called; it is in the folder ``PROGRAM``.
        install: what to type to get the toolchain.
    """

    name: str
    file_name: str
    install: str

    def toolchain(self) -> Toolchain | None:
        """Return what is installed on this machine, or None; called often, so it remembers."""

    def compile_command(self, toolchain: Toolchain, memory_mib: int) -> Command | None:
        """Return the command that fills the folder ``BUILD``, or None for an interpreter."""

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command that runs the program."""

    def diagnose(self, stderr: str) -> Verdict:
        """Say why a run failed that ended by itself, but not with 0."""


class _Driver:
    """What our five drivers share.

    Attributes:
        name: canonical name.
        file_name: name of the program text.
        install: what to type to get the toolchain.
        programs: names of the executables, the one asked for its version first.
        syntax_signs: texts in standard error that mean a syntax error, as in MultiPL-E.
        memory_signs: texts in standard error that mean memory exhaustion.
    """

    name: str
    file_name: str
    install: str
    programs: ClassVar[tuple[str, ...]] = ()
    syntax_signs: ClassVar[tuple[str, ...]] = ()
    memory_signs: ClassVar[tuple[str, ...]] = ()

    def toolchain(self) -> Toolchain | None:
        return _installed(self.programs)

    def compile_command(self, toolchain: Toolchain, memory_mib: int) -> Command | None:
        return None

    def diagnose(self, stderr: str) -> Verdict:
        if any(sign in stderr for sign in self.syntax_signs):
            return Verdict.SYNTAX_ERROR
        if any(sign in stderr for sign in self.memory_signs):
            return Verdict.OUT_OF_MEMORY
        return Verdict.EXCEPTION

    @property
    def source(self) -> str:
        return f"{PROGRAM}/{self.file_name}"


class Python(_Driver):
    """Python, by the interpreter under the one that runs us (without its virtual environment)."""

    name = "py"
    file_name = "program.py"
    install = "apt-get install python3"
    # MultiPL-E knows the first only; the others are kinds of it, for a program that cannot start.
    syntax_signs = ("SyntaxError", "IndentationError", "TabError")
    memory_signs = ("MemoryError",)

    def toolchain(self) -> Toolchain | None:
        """Return what is installed, or None."""
        # Not python3 from PATH: under pyenv that is a bash script.
        path = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        prefix = os.path.realpath(sys.base_prefix)
        folders = () if _is_system(prefix) else (prefix,)
        return Toolchain(f"Python {platform.python_version()}", {"python3": path}, folders)

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command line of a run."""
        return Command((toolchain.paths["python3"], self.source))


class Shell(_Driver):
    """Bash."""

    name = "sh"
    file_name = "program.sh"
    install = "apt-get install bash"
    programs = ("bash",)
    syntax_signs = ("syntax error",)
    memory_signs = ("cannot allocate", "Cannot allocate memory")

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command line of a run."""
        return Command((toolchain.paths["bash"], self.source))


class JavaScript(_Driver):
    """JavaScript by node."""

    name = "js"
    file_name = "program.js"
    install = "apt-get install nodejs"
    programs = ("node",)
    memory_signs = ("heap out of memory", "Array buffer allocation failed", "Allocation failed")

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command line of a run."""
        return Command((toolchain.paths["node"], self.source), 5.0, reserves_memory=True)

    def diagnose(self, stderr: str) -> Verdict:
        """Name the reason of a failed run."""
        # MultiPL-E looks for the assertion first; an assertion may quote anything.
        if "ERR_ASSERTION" not in stderr and "SyntaxError" in stderr:
            return Verdict.SYNTAX_ERROR
        return super().diagnose(stderr)


class Cpp(_Driver):
    """C++17 by g++, without optimisation: asserts and overflows behave as in the peers."""

    name = "cpp"
    file_name = "program.cpp"
    install = "apt-get install g++"
    programs = ("g++",)
    memory_signs = ("std::bad_alloc",)

    def compile_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the compiler's command line."""
        compiler = toolchain.paths["g++"]
        return Command((compiler, self.source, "-o", f"{BUILD}/program", "-std=c++17"))

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command line of a run."""
        return Command((f"{BUILD}/program",))


class Java(_Driver):
    """Java; the jar of javatuples is on the class path, since the prompts import it."""

    name = "java"
    file_name = "Problem.java"
    install = "apt-get install openjdk-17-jdk-headless libjavatuples-java"
    programs = ("javac", "java")
    memory_signs = (
        "java.lang.OutOfMemoryError",
        "insufficient memory for the Java Runtime Environment",
    )

    def toolchain(self) -> Toolchain | None:
        """Return what is installed, or None."""
        found = _installed(self.programs)
        # Debian's place, and that of MultiPL-E's container.
        jars = ("/usr/share/java/javatuples.jar", "/usr/multiple/javatuples-1.2.jar")
        jar = next(filter(os.path.exists, jars), None)
        if found is None or jar is None:
            return None
        # Debian's JVM has its configuration in /etc/java-17-openjdk.
        folders = (*found.folders, *sorted(glob.glob("/etc/java-*")))
        return Toolchain(found.version, {**found.paths, "javatuples": jar}, folders)

    def compile_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the compiler's command line."""
        paths = toolchain.paths
        words = ("-encoding", "UTF8", "-cp", paths["javatuples"], "-d", BUILD, self.source)
        return Command((paths["javac"], f"-J{_heap(memory_mib)}", *words), reserves_memory=True)

    def run_command(self, toolchain: Toolchain, memory_mib: int) -> Command:
        """Return the command line of a run."""
        paths = toolchain.paths
        words = ("-ea", "-cp", f"{paths['javatuples']}:{BUILD}", "Problem")
        return Command((paths["java"], _heap(memory_mib), *words), reserves_memory=True)


def _heap(memory_mib: int) -> str:
    """Return the option for the JVM's heap, which it would size by the host's memory."""
    return f"-Xmx{memory_mib // 2}m"


def _is_system(path: str) -> bool:
    return path == "/usr" or path.startswith("/usr/")


@functools.cache
def _installed(programs: tuple[str, ...]) -> Toolchain | None:
    """Look for programs on the PATH and ask the first for its version."""
    paths, folders = {}, set()
    for program in programs:
        path = shutil.which(program)
        if path is None:
            return None
        real = os.path.realpath(path)
        if not _is_system(real):
            folders.add(os.path.dirname(os.path.dirname(real)))
        # The name may matter (ccache), so a link is followed only where it leads out of /usr.
        paths[program] = path if _is_system(real) and _is_system(path) else real
    version = _version(paths[programs[0]])
    return Toolchain(version, paths, tuple(sorted(folders))) if version else None


def _version(path: str) -> str | None:
    try:
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("%s --version: %s", path, error)
        return None
    lines = shown.stdout.splitlines()
    if shown.returncode or not lines:
        logger.warning("%s --version: exit code %s, %r", path, shown.returncode, shown.stderr[:200])
        return None
    first = lines[0].strip()
    return f"node {first}" if first.startswith("v") else first


def canonical_language(name: str) -> str:
    """Return the one name of a language, given any spelling of a data set.

    A name that is not in ``ALIASES`` is its own.

    >>> canonical_language("go_test.go"), canonical_language("C++"), canonical_language("kotlin")
    ('go', 'cpp', 'kotlin')
    """
    return ALIASES.get(name.lower(), name.lower())


@functools.cache
def find_language(name: str) -> Language | None:
    """Return the driver of a language by any of its names, or None if there is none.

    A driver that does not load is warned about and counts as absent.
    """
    name = canonical_language(name)
    if name not in names("languages"):
        return None
    try:
        driver: Language = load("languages", name)()
    except BadInput as error:
        logger.warning("%s", error)
        return None
    return driver


def toolchain_versions(spellings: Iterable[str]) -> dict[str, str]:
    """Return the versions of the toolchains behind some languages, for results.

    Args:
        spellings: any names of languages.

    Returns:
        Canonical name to version; a language without a toolchain here is left out.
    """
    versions = {}
    for name in sorted({canonical_language(spelling) for spelling in spellings}):
        language = find_language(name)
        toolchain = language.toolchain() if language else None
        if toolchain:
            versions[name] = toolchain.version
    return versions
