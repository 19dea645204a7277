"""Read and write pool files; keep finished work through any crash.

A pool file is JSON Lines (``.jsonl`` or ``.jsonl.gz``), one pool a line. It appears only when it is
whole: work in progress goes to a journal beside it, ``FILE.partial``, which is appended line by
line and picked up again by the next run. ``FILE.run.json`` says how the file was made.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from rr_harness.errors import BadInput, RRHarnessError
from rr_harness.records import (
    Json,
    Pool,
    Problem,
    pool_from_json,
    pool_to_json,
    problem_from_json,
    problem_to_json,
)


def dump_line(data: Json) -> str:
    """Return one line of JSON, the same bytes for the same data on every machine."""
    return json.dumps(data, allow_nan=False) + "\n"


# --- reading -------------------------------------------------------------------------------


def _open_text(path: Path) -> IO[str]:
    raw = path.open("rb")
    is_gzip = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    binary = gzip.GzipFile(fileobj=raw) if is_gzip else raw
    # newline="\n": a lone \r inside a line is content, not a line end.
    return io.TextIOWrapper(binary, encoding="utf-8", newline="\n")


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, parsed JSON) of a JSON Lines file, gzipped or not.

    Raises:
        BadInput: no such file, not text, or a line that is no JSON; names file and line.
    """
    number = 0
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _parse(path, number, line)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder, expected a .jsonl or .jsonl.gz file") from None
    except PermissionError:
        raise BadInput(f"{path}: not readable by this user") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}:{number + 1}: not UTF-8 text: {error.reason}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path}:{number + 1}: broken gzip file ({error}); copy it again") from None


def _parse(path: Path, number: int, line: str | bytes) -> Any:
    try:
        return json.loads(line, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        cut = "" if line[-1:] in ("\n", b"\n") else " (the last line is cut off)"
        raise BadInput(f"{path}:{number}: expected one JSON object a line{cut}: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def read_pools(path: Path | str) -> Iterator[Pool]:
    """Yield the pools of a file, one line in memory at a time.

    Raises:
        BadInput: the first bad line, with file, line number, field and what was expected.
    """
    path = Path(path)
    seen: dict[tuple[str, str], int] = {}
    for number, row in read_rows(path):
        try:
            pool = pool_from_json(row)
        except BadInput as error:
            raise BadInput(f"{path}:{number}: {error}") from None
        first = seen.setdefault(pool.problem.key, number)
        if first != number:
            raise BadInput(
                f"{path}:{number}: field 'name': {pool.problem.name!r} ({pool.problem.language}) "
                f"is already on line {first}; expected each problem once"
            )
        yield pool
    if not seen:
        raise BadInput(f"{path}: is empty, expected one pool a line")


def read_problems(path: Path | str) -> Iterator[Problem]:
    """Yield the problems of a JSON Lines file in MultiPL-E's fields; a pool file is one too."""
    path = Path(path)
    empty = True
    for number, row in read_rows(path):
        try:
            if not isinstance(row, dict):
                raise BadInput(f"expected a JSON object, got {type(row).__name__}")
            yield problem_from_json(row)
        except BadInput as error:
            raise BadInput(f"{path}:{number}: {error}") from None
        empty = False
    if empty:
        raise BadInput(f"{path}: is empty, expected one problem a line")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def how_made(path: Path) -> Json | None:
    """Return what ``FILE.run.json`` says of how a file was made; None if there is none."""
    try:
        text = path.with_name(path.name + ".run.json").read_text(encoding="utf-8")
        made = json.loads(text)
    except (OSError, ValueError):
        return None
    return made if isinstance(made, dict) else None


def problems_digest(problems: Iterable[Problem]) -> str:
    """Return the SHA-256 of all that the problems say."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(json.dumps(problem_to_json(problem), sort_keys=True).encode())
    return digest.hexdigest()


# --- writing -------------------------------------------------------------------------------


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write a text file (gzipped if named ``.gz``) so that it is there whole or not at all."""
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, expected a file name")
    temporary = path.with_name(path.name + ".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_synced(temporary, path.suffix == ".gz", chunks)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_synced(path: Path, packed: bool, chunks: Iterable[str]) -> None:
    with path.open("wb") as raw:
        if packed:
            # No name and no time in the header: same content, same bytes.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
                for chunk in chunks:
                    stream.write(chunk.encode())
        else:
            for chunk in chunks:
                raw.write(chunk.encode())
        raw.flush()
        os.fsync(raw.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_pools(path: Path | str, pools: Iterable[Pool]) -> None:
    """Write a pool file, whole or not at all."""
    write_atomically(Path(path), (dump_line(pool_to_json(pool)) for pool in pools))


class Journal:
    """Finished work of one stage, kept beside its output file until that is whole.

    The first line of ``OUTPUT.partial`` is the configuration of the run, every later line one
    entry. A line cut off by a crash is dropped on resume. A lock makes a second run refuse.

    Attributes:
        entries: what earlier runs of the same configuration finished.
        complete: the output file is there already, made with the same configuration.
    """

    def __init__(self, output: Path | str, config: Mapping[str, Any]) -> None:
        """Open or resume the journal of ``output``.

        Args:
            output: the file this stage makes.
            config: all that decides the output's content; a run with another one is refused.

        Raises:
            BadInput: the output or journal was made with another configuration, is used by
                another run, or cannot be written.
        """
        self.output = Path(output)
        self.path = self.output.with_name(self.output.name + ".partial")
        self.run_file = self.output.with_name(self.output.name + ".run.json")
        self.config: Json = json.loads(json.dumps(dict(config)))
        self.entries: list[Any] = []
        self.complete = False
        if self.output.is_dir():
            raise BadInput(f"{self.output}: is a folder, expected a file name")
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] | None = self.path.open("a+b")
        except OSError as error:
            raise BadInput(f"{self.output}: cannot be written: {error.strerror}") from None
        try:
            self._resume(self._stream)
        except BaseException:
            self.close()
            raise

    def _resume(self, stream: IO[bytes]) -> None:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"{self.output}: another run is writing it; wait for it or choose another --output"
            ) from None
        stream.seek(0)
        lines = stream.read().splitlines(keepends=True)
        whole = lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines
        if self.output.exists():
            self._check_finished()
            self.complete = True
            self.path.unlink(missing_ok=True)
        elif len(whole) <= 1:  # nothing is finished: another configuration may start here
            stream.truncate(0)
            self._write(self.config)
        else:
            rows = [_parse(self.path, i, line) for i, line in enumerate(whole, start=1)]
            self._check(self.path, rows[0])
            self.entries = rows[1:]
            stream.truncate(sum(map(len, whole)))

    def _check_finished(self) -> None:
        made_with = (how_made(self.output) or {}).get("config")
        if not isinstance(made_with, dict):
            self.path.unlink(missing_ok=True)
            raise BadInput(
                f"{self.output}: exists and does not say how it was made; "
                "choose another --output or delete it"
            )
        try:
            self._check(self.output, made_with)
        except BadInput:
            self.path.unlink(missing_ok=True)
            raise

    def _check(self, path: Path, made_with: Json) -> None:
        names = [*self.config, *(name for name in made_with if name not in self.config)]
        for name in names:
            then, now = made_with.get(name), self.config.get(name)
            if then != now:
                raise BadInput(
                    f"{path}: was made with {name}={then!r}, now {name}={now!r}; "
                    "choose another --output or delete it"
                )

    def _write(self, entry: Any) -> None:
        assert self._stream is not None
        try:
            self._stream.write(dump_line(entry).encode())
            self._stream.flush()
        except OSError as error:
            raise RRHarnessError(
                f"{self.path}: {error.strerror}; finished work is kept, rerun to go on"
            ) from error

    def append(self, entry: Json) -> None:
        """Keep one piece of finished work; it survives the death of this process."""
        self._write(entry)

    def sync(self) -> None:
        """Make sure that what was appended survives a power cut too."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())

    def finish(self, pools: Iterable[Pool], provenance: Mapping[str, Any]) -> None:
        """Write the output file and how it was made; drop the journal."""
        run = {"config": self.config, **provenance}
        try:
            write_atomically(self.run_file, [json.dumps(run, indent=2) + "\n"])
            write_pools(self.output, pools)
        except OSError as error:
            raise RRHarnessError(
                f"{self.output}: {error.strerror}; finished work is kept, rerun to go on"
            ) from error
        self.path.unlink(missing_ok=True)
        self.complete = True

    def close(self) -> None:
        """Release the lock; the journal stays on disk unless the output is whole."""
        if self._stream is not None:
            # A full disk: what could not be flushed is redone by the next run.
            with contextlib.suppress(OSError):
                self._stream.close()
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
