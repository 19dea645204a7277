"""A suite name to its problems: from a local folder, from the package, or from the data hub.

Offline first: the folder (``--data-dir``, else ``RR_DATA_DIR``) is tried before the hub, and the
error says both. A path to a JSON Lines file in the fields of MultiPL-E is a suite too.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from rr_harness.errors import BadInput, unknown_name
from rr_harness.pools import read_problems, read_rows
from rr_harness.records import Json, Problem, origin_of, problem_from_json

# The 22 languages of the published prompts, then those that only the hub's set has.
MULTIPLE_LANGUAGES = (
    "cpp", "cs", "d", "elixir", "go", "hs", "java", "jl", "js", "lua", "ml", "php", "pl", "py",
    "r", "rb", "rkt", "rs", "scala", "sh", "swift", "ts", "adb", "clj", "dart",
)  # fmt: skip
HUMANEVALPACK_LANGUAGES = {
    "cpp": "cpp", "go": "go", "java": "java", "js": "js", "python": "py", "rust": "rs",
}  # fmt: skip
MBXP_LANGUAGES = {
    "cpp": "cpp", "csharp": "cs", "go": "go", "java": "java", "javascript": "js",
    "kotlin": "kotlin", "perl": "pl", "php": "php", "python": "py", "ruby": "rb",
    "scala": "scala", "swift": "swift", "typescript": "ts",
}  # fmt: skip

_HUMANEVAL_STOPS = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"]  # Chen et al. 2021, section 2.2
_MBPP_STOPS = ["\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n```"]


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where the hub keeps a suite; the revision is pinned so that a score keeps its meaning."""

    dataset: str
    config: str
    revision: str


@dataclass(frozen=True, slots=True)
class Suite:
    """A named set of problems.

    Attributes:
        name: for example ``multiple-cpp``.
        file: its file in a data folder, without ``.jsonl`` or ``.jsonl.gz``.
        convert: the data set's row to a problem, or None for a row that is not part of the suite.
        bundled: the package carries the file.
        hub: where the hub has it, or None.
    """

    name: str
    file: str
    convert: Callable[[Json], Problem | None]
    bundled: bool = False
    hub: HubSource | None = None


# --- rows of the data sets to problems -----------------------------------------------------


def _from_humaneval(row: Json) -> Problem:
    # The data set's test only defines check(); without the call every candidate would pass.
    tests = f"{row['test']}\n\ncheck({row['entry_point']})\n"
    return _problem(row, row["task_id"], "py", row["prompt"], tests, _HUMANEVAL_STOPS)


def _from_mbpp(row: Json) -> Problem | None:
    if (
        not 11 <= row["task_id"] <= 510
    ):  # the test split; 1-10 are prompts, 511-974 are for training
        return None
    lines = [row["text"], *row["test_list"]]
    prompt = '"""\n' + "\n".join(lines) + '\n"""\n'
    setup = row["test_setup_code"] + "\n" if row["test_setup_code"] else ""
    tests = setup + "\n".join(row["test_list"])
    return _problem(row, f"mbpp/{row['task_id']}", "py", prompt, tests, _MBPP_STOPS)


def _from_humanevalpack(language: str, row: Json) -> Problem:
    tests = row["test"]
    if language == "js":
        # console.assert only prints; the tests mean a failed one to be a failure.
        tests = "console.assert = require('node:assert').ok;\n" + tests
    tests = _startable(language, tests)
    prompt = row.get("test_setup", "") + "\n" + row["prompt"] if language == "go" else row["prompt"]
    return _problem(row, row["task_id"], language, prompt, tests, [])


def _from_mbxp(language: str, row: Json) -> Problem:
    tests = row["test"]
    if language == "py":
        tests += f"\ncheck({row['entry_point']})\n"
    elif language == "js":
        # lodash is no part of node. Its isEqual takes -0 for 0 and any order of a Set, which two of
        # the 938 published solutions need (docs/measurements.md).
        shim = "const _ = { isEqual: require('node:util').isDeepStrictEqual }"
        tests = tests.replace('const _ = require("lodash")', shim)
    tests = _startable(language, tests)
    return _problem(row, row["task_id"], language, row["prompt"], tests, [])


def _startable(language: str, tests: str) -> str:
    """Rename the class that has Java's main: as with MultiPL-E's evaluator, Problem is started."""
    if language != "java":
        return tests
    return re.sub(r"^(?:public )?class Main\b", "class Problem", tests, flags=re.MULTILINE)


def _problem(
    row: Json, name: str, language: str, prompt: str, tests: str, stops: list[str]
) -> Problem:
    known = {"name", "language", "prompt", "tests", "stop_tokens", "test", "text", "task_id"}
    return Problem(
        name=name,
        language=language,
        prompt=prompt,
        tests=tests,
        stop_tokens=tuple(stops),
        extra={field: value for field, value in row.items() if field not in known},
    )


# --- the suites ----------------------------------------------------------------------------

_MULTIPLE_REVISION = "28441b6024e71d4a1c1c0f6bf171c935cd5a43f2"
# The hub's set lost its Python configuration later (MultiPL-E issue 150).
_MULTIPLE_PYTHON_REVISION = "d23b094346c5dbda1080a74bb2a24c18adbf7409"


def _multiple(language: str, benchmark: str) -> Suite:
    name = f"multiple-{language}" if benchmark == "humaneval" else f"multiple-mbpp-{language}"
    revision = _MULTIPLE_PYTHON_REVISION if language == "py" else _MULTIPLE_REVISION
    hub = HubSource("nuprl/MultiPL-E", f"{benchmark}-{language}", revision)
    return Suite(name, f"multipl_e/{benchmark}-{language}", problem_from_json, hub=hub)


@functools.cache
def suites() -> dict[str, Suite]:
    """Return every suite by name."""
    found = [
        _multiple(language, benchmark)
        for benchmark in ("humaneval", "mbpp")
        for language in MULTIPLE_LANGUAGES
    ]
    found += [
        Suite("humaneval", "humaneval/humaneval", _from_humaneval, bundled=True),
        Suite("mbpp", "mbpp/mbpp", _from_mbpp, bundled=True),
    ]
    found += [
        Suite(
            f"humanevalpack-{language}",
            f"humanevalpack/{file}",
            functools.partial(_from_humanevalpack, language),
        )
        for file, language in HUMANEVALPACK_LANGUAGES.items()
    ]
    found += [
        Suite(f"mbxp-{language}", f"mbxp/{file}", functools.partial(_from_mbxp, language))
        for file, language in MBXP_LANGUAGES.items()
    ]
    return {suite.name: suite for suite in found}


def load_suite(name: str, data_dir: Path | str | None = None) -> list[Problem]:
    """Return the problems of a suite, in the data set's order.

    Args:
        name: a suite name, or the path of a JSON Lines file.
        data_dir: folder with the data sets' files; default: ``RR_DATA_DIR``.

    Raises:
        BadInput: unknown name, or the suite is neither in the folder nor on the hub.
    """
    if name not in suites():
        if not name.endswith((".jsonl", ".jsonl.gz")) and not Path(name).is_file():
            raise unknown_name("suite", name, suites())
        return [_with_origin(problem) for problem in read_problems(name)]
    suite = suites()[name]
    folder = data_dir or os.environ.get("RR_DATA_DIR")
    file, tried = _find_file(suite, Path(folder) if folder else None)
    if file is not None:
        rows: Iterable[tuple[str, Any]] = ((f"{file}:{line}", row) for line, row in read_rows(file))
    else:
        rows = _read_hub(suite, tried)
    problems = [_with_origin(problem) for problem in _convert(suite, rows)]
    if not problems:
        raise BadInput(f"suite {name!r}: {file or suite.hub} has no problems")
    return problems


def _with_origin(problem: Problem) -> Problem:
    return replace(problem, origin=problem.origin or origin_of(problem.name))


def _convert(suite: Suite, rows: Iterable[tuple[str, Any]]) -> Iterator[Problem]:
    for place, row in rows:
        try:
            problem = suite.convert(row)
        except BadInput as error:
            raise BadInput(f"{place}: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{place}: not a row of suite {suite.name!r}: {error!r}") from None
        if problem is not None:
            yield problem


def _find_file(suite: Suite, folder: Path | None) -> tuple[Path | None, str]:
    """Return the suite's local file, if any, and in words where it was looked for."""
    if folder is not None:
        if not folder.is_dir():
            raise BadInput(f"data folder {folder}: no such folder")
        base = Path(suite.file)
        for stem in (folder / base, folder / "problems" / base, folder / base.name):
            for ending in (".jsonl", ".jsonl.gz"):
                path = stem.with_name(stem.name + ending)
                if path.is_file():
                    return path, str(path)
    if suite.bundled:
        return Path(str(files("rr_harness") / "data" / f"{Path(suite.file).name}.jsonl.gz")), ""
    if folder is None:
        return None, "no data folder is set (RR_DATA_DIR)"
    return None, f"{folder} has no {suite.file}.jsonl or .jsonl.gz"


def _read_hub(suite: Suite, tried: str) -> Iterator[tuple[str, Any]]:
    if suite.hub is None:
        raise BadInput(f"suite {suite.name!r}: {tried}, and no hub has it in this form")
    source = suite.hub
    place = f"{source.dataset} ({source.config}, revision {source.revision[:8]})"
    try:
        from datasets import load_dataset

        rows = load_dataset(source.dataset, source.config, split="test", revision=source.revision)
    except ImportError:
        raise BadInput(
            f"suite {suite.name!r}: {tried}, and reading {place} from the hub needs "
            "pip install 'rr-harness[lm-eval]'"
        ) from None
    except Exception as error:  # the hub client raises many kinds, all of them "not to be had"
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise BadInput(
            f"suite {suite.name!r}: {tried}, and the hub does not give {place}: {reason}"
        ) from error
    for number, row in enumerate(rows, start=1):
        yield f"{place}:{number}", dict(row)
