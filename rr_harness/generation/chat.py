"""Ask an instruct model for a program, and take the program out of its reply."""

from __future__ import annotations

import re

from rr_harness.generation.extraction import assemble
from rr_harness.generation.source import defines, function_name, spelling
from rr_harness.records import Candidate, Problem

_NAMES = {
    "cpp": "C++",
    "cs": "C#",
    "d": "D",
    "elixir": "Elixir",
    "go": "Go",
    "hs": "Haskell",
    "java": "Java",
    "jl": "Julia",
    "js": "JavaScript",
    "kotlin": "Kotlin",
    "lua": "Lua",
    "ml": "OCaml",
    "php": "PHP",
    "pl": "Perl",
    "py": "Python",
    "r": "R",
    "rb": "Ruby",
    "rkt": "Racket",
    "rs": "Rust",
    "scala": "Scala",
    "sh": "Bash",
    "swift": "Swift",
    "ts": "TypeScript",
}
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.M | re.S)


def instruction(problem: Problem) -> str:
    """Return the user message that asks for a problem's program."""
    language = _NAMES.get(spelling(problem.language), problem.language)
    return (
        f"Complete the following {language} function. Reply with the complete program part in "
        "one code block: the function and all it needs, without tests, example usage or a main "
        f"function.\n\n```{spelling(problem.language)}\n{problem.prompt.rstrip()}\n```"
    )


def extract(problem: Problem, reply: str) -> Candidate:
    """Take the program out of a model's reply.

    Args:
        problem: what was asked.
        reply: the model's text: prose around a fenced code block, or code alone.

    Returns:
        A candidate of form ``program`` if the reply has the whole function, else of form
        ``completion``; the reply itself is in its ``extra``.
    """
    form, completion = assemble(problem, code_of(problem, reply))
    return Candidate(completion, form=form, extra={"reply": reply})


def code_of(problem: Problem, reply: str) -> str:
    """Return the first fenced block that has the function, else the first, else all of the reply.

    A block that the token limit cut off ends with the reply. What a reasoning model thinks aloud
    before ``</think>`` is not its answer.
    """
    answer = reply.rpartition("</think>")[2].replace("\r\n", "\n").replace("\r", "\n")
    blocks = [match.group(2) for match in _FENCED.finditer(answer)]
    name = function_name(problem)
    whole = (block for block in blocks if name and defines(problem.language, block, name))
    return next(whole, blocks[0] if blocks else answer)
