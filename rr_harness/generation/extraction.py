"""Fit a model's code to a problem: restore what it left out, drop what would clash with the tests.

The code is a whole function or the continuation of the prompt. MultiPL-E's tests begin by closing
the last function (and end by closing the class) in C++, C#, Java, Rust, Scala, shell and Swift, so
as many braces have to stay open. Languages without braces get the prompt's lines before the
function only in Python; elsewhere (Lua, Ruby, Julia, R, Perl, Haskell, ...) code is taken as it is.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

from rr_harness.generation.source import (
    BRACED,
    blank,
    block_end,
    closing,
    defines,
    definitions,
    depth,
    function_name,
    lines_of,
    prompt_head,
    spelling,
)
from rr_harness.records import Problem

_WRAPPED = frozenset(("cs", "java", "scala"))
# Blocks that clash with the tests' own, wherever the model put them.
_MAINS = {
    "cpp": r"^[ \t]*(?:int|void|auto|signed)\s+main\s*\(",
    "cs": r"^[ \t]*(?:(?:public|private|internal)\s+)?static\s+(?:async\s+)?[\w<>]+\s+Main\s*\(",
    "d": r"^[ \t]*(?:int|void)\s+main\s*\(|^[ \t]*unittest\b",
    "java": r"^[ \t]*(?:public\s+)?static\s+(?:final\s+)?void\s+main\s*\(",
    "rs": r"^[ \t]*(?:#\[cfg\(test\)\]\s*)?(?:pub\s+)?(?:fn\s+main\s*\(|mod\s+tests?\b)",
    "scala": r"^[ \t]*def\s+main\s*\(",
}
_JS_CLASHES = (
    r"^[ \t]*(?:(?:const|let|var)\s+assert\b|import\b.*\bassert\b|declare\s+var\s+require\b"
    r"|(?:module\.)?exports\b|export\s*(?:\{|default\s+\w+\s*;?[ \t]*$)).*$"
    r"|^[ \t]*export\s+(?:default\s+)?(?=(?:async|function|const|let|class|type|interface)\b)"
)
_CLASHES = {
    "java": r"^[ \t]*package\s+[\w.]+[ \t]*;",
    "js": _JS_CLASHES,
    "scala": r"^[ \t]*package\s+[\w.]+[ \t]*$",
    "ts": _JS_CLASHES,
}
_IMPORTS = {
    "cs": r"^[ \t]*using\s+[^;(]+;[ \t]*\n?",
    "java": r"^[ \t]*import\s+[^;]+;[ \t]*\n?",
    "scala": r"^[ \t]*import\s+[^\n]+\n?",
}
_TYPES = (
    r"^[ \t]*(?:[\w<>, ]+\s)?"
    r"(?:class|struct|union|enum|interface|trait|impl|record|object)\b[^;{}()=]*\{"
)
_GO_PACKAGE = re.compile(r"^package\s+\w+", re.M)
_GO_IMPORT = re.compile(r"^import\s*(?:\(([^)]*)\)|((?:[\w.]+\s+)?\"[^\"]*\"))[^\n]*\n?", re.M)


def assemble(problem: Problem, code: str) -> tuple[str, str]:
    """Make a candidate's text of a model's code.

    Args:
        problem: what was asked.
        code: the code of the reply, without its fence.

    Returns:
        The form (``program`` or ``completion``), and the text in that form.
    """
    language = spelling(problem.language)
    name = function_name(problem)
    if name is None or not defines(language, code, name):
        return "completion", _continuation(problem, code)
    if language == "py":
        return "program", _python(problem, code, name)
    if language in BRACED:
        return "program", _close(problem, _braced(problem, code, name))
    return "program", code


def _continuation(problem: Problem, code: str) -> str:
    """Fit code that goes on where the prompt ends."""
    language = spelling(problem.language)
    code = code.strip("\n") + "\n"
    if language == "py" and not code[:1].isspace():
        code = textwrap.indent(code, "    ")
    if problem.prompt and not problem.prompt[-1].isspace():
        code = "\n" + code
    if language not in BRACED:
        return code
    code = _drop(language, code)
    whole = problem.prompt + code
    missing = depth(blank(language, whole)) - _left_open(problem)
    if missing == 1:  # the model stopped at the end of the body
        return code + "}\n"
    return _close(problem, whole)[len(problem.prompt) :]


def _left_open(problem: Problem) -> int:
    """Return the braces that the tests close without having opened them."""
    return max(0, -depth(blank(problem.language, problem.tests)))


def _close(problem: Problem, text: str) -> str:
    """Remove as many braces from the end as the tests close."""
    blanked = blank(problem.language, text)
    while depth(blanked) < _left_open(problem) and blanked.rstrip().endswith("}"):
        blanked = blanked[: blanked.rindex("}")]
    # Not stripped further: what looks blank before the brace may be a string.
    return text[: len(blanked)]


# --- Python --------------------------------------------------------------------------------


def _python(problem: Problem, code: str, name: str) -> str:
    """Put the prompt's imports and helpers before the code; drop what runs after the function."""
    head = prompt_head(problem, name)
    future = "".join(re.findall(r"^from __future__ .*\n?", code, re.M))
    code = re.sub(r"^from __future__ .*\n?", "", code, flags=re.M)
    return f"{future}{head}{_without_usage(code, name)}"


def _without_usage(code: str, name: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):  # of "\\d" in a model's code
            statements = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    lines = lines_of(code)
    defined = False
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined = defined or statement.name == name
        elif defined and not isinstance(
            statement, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
        ):
            for at in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
                lines[at] = ""
    return "".join(lines)


# --- languages with braces -----------------------------------------------------------------


def _drop(language: str, code: str) -> str:
    """Drop a main, tests and declarations that the tests bring themselves."""
    if pattern := _MAINS.get(language):
        while match := re.search(pattern, blanked := blank(language, code), re.M):
            code = code[: match.start()] + code[block_end(blanked, match.start()) :]
    if pattern := _CLASHES.get(language):
        blanked = blank(language, code)
        for match in reversed(list(re.finditer(pattern, blanked, re.M))):
            code = code[: match.start()] + code[match.end() :]
    return code


def _braced(problem: Problem, code: str, name: str) -> str:
    """Return prompt's missing head, the reply up to the function, and later definitions alone."""
    language = spelling(problem.language)
    code = _drop(language, code)
    if language == "go":
        head, code = _go_head(problem.prompt, code)
    start = definitions(language, code, name)[0][0]
    blanked = blank(language, code)
    end = block_end(blanked, start)
    outer, inner, limit = "", code[:start], len(code)
    opener = _enclosing(blanked, start) if language in _WRAPPED else None
    if opener is not None:
        header = max(blanked.rfind(mark, 0, opener) for mark in ";{}\n") + 1
        limit = closing(blanked, opener)
        outer = code[:header] + _later_definitions(language, code[limit + 1 :])
        inner = code[opener + 1 : start]
    body = inner + code[start:end] + "\n" + _later_definitions(language, code[end:limit])
    if language == "go":
        return head + body
    items, wrapper = _head_items(problem, name)
    if pattern := _IMPORTS.get(language):
        outer += "".join(re.findall(pattern, body, re.M))
        body = re.sub(pattern, "", body, flags=re.M)
    missing = [item for item in items if not _has_line(code, item)]
    return "".join(missing) + outer + wrapper + body


def _enclosing(blanked: str, position: int) -> int | None:
    """Return the innermost brace that is open at a position."""
    level = 0
    for at in range(position - 1, -1, -1):
        if blanked[at] == "{" and level == 0:
            return at
        level += {"}": 1, "{": -1}.get(blanked[at], 0)
    return None


def _later_definitions(language: str, code: str) -> str:
    """Keep the functions and types of a text; calls, prints and a closing ``?>`` go."""
    blanked = blank(language, code)
    starts = [start for start, _ in definitions(language, code)]
    starts += [match.start() for match in re.finditer(_TYPES, blanked, re.M)]
    kept, position = "", 0
    for start in sorted(starts):
        if start >= position and depth(blanked[position:start]) == 0:
            position = block_end(blanked, start)
            kept += code[start:position] + "\n"
    return kept


def _head_items(problem: Problem, name: str) -> tuple[list[str], str]:
    """Split what the prompt has before its function.

    Returns:
        Its lines and blocks (imports, helper types), comments left out; and the line that opens
        the class around the function, or nothing.
    """
    language = problem.language
    head = prompt_head(problem, name)
    items, item, wrapper, level = [], "", "", 0
    lines = zip(lines_of(head), lines_of(blank(language, head)), strict=True)
    opener = _enclosing(blank(language, head), len(head))
    position = 0
    for line, blanked in lines:
        position += len(line)
        if not blanked.strip():
            continue
        if opener is not None and position > opener:
            wrapper = line
            break
        item += line
        level += depth(blanked)
        if level == 0:
            items.append(item)
            item = ""
    return items, wrapper


def _has_line(code: str, item: str) -> bool:
    """Say whether the code has the item's first line, spaces aside."""
    wanted = "".join(lines_of(item)[0].split())
    return any("".join(line.split()) == wanted for line in lines_of(code))


def _go_head(prompt: str, code: str) -> tuple[str, str]:
    """Return the prompt's package with the imports of both, and the code without them."""
    package = _GO_PACKAGE.search(prompt)
    specs: dict[str, None] = {}
    for text in (prompt, code):
        for match in _GO_IMPORT.finditer(text):
            lines = (match.group(1) or match.group(2)).replace(";", "\n").splitlines()
            specs.update((line.strip(), None) for line in lines if line.strip())
    imports = "".join(f"\t{spec}\n" for spec in specs)
    head = f"{package.group() if package else 'package main'}\n\nimport (\n{imports})\n\n"
    return head, _GO_PACKAGE.sub("", _GO_IMPORT.sub("", code), count=1)
