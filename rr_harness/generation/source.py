"""Just enough reading of source code to find a function and the end of a block.

No parser: comments and strings are blanked by one regular expression a language, braces are then
counted. Not understood: regular expression literals of JavaScript, here-documents, raw strings of
C++ and Rust, nested comments.
"""

from __future__ import annotations

import re

from rr_harness.records import Problem

_SPELLINGS = {"go_test.go": "go", "python": "py", "javascript": "js", "typescript": "ts"}

_C_COMMENT = r"//[^\n]*|/\*.*?\*/"
_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_CHARACTER = r"'(?:\\[^'\n]*.|[^'\\\n])'"
_BACKTICK = r"`(?:\\.|[^`\\])*`"
_TRIPLE = r'"""(?:\\.|[^\\])*?"""'
_C = rf"{_C_COMMENT}|{_TRIPLE}|{_DOUBLE}|{_CHARACTER}"
_JS = rf"{_C_COMMENT}|{_DOUBLE}|{_SINGLE}|{_BACKTICK}"
_BLANKED = {
    **dict.fromkeys(("cpp", "cs", "d", "java", "rs", "scala", "swift"), _C),
    **dict.fromkeys(("js", "ts"), _JS),
    "go": rf"{_C_COMMENT}|{_DOUBLE}|{_CHARACTER}|`[^`]*`",
    "php": rf"{_C_COMMENT}|#[^\n]*|{_DOUBLE}|{_SINGLE}",
    "sh": r"""\\.|(?<![^\s;])#[^\n]*|"(?:\\.|[^"\\])*"|'[^']*'""",
}
BRACED = frozenset(_BLANKED)
"""Languages whose blocks are in braces and whose text can be blanked."""

# NAME stands for the name, or for any; each pattern has no other capturing group.
_ANY = r"[A-Za-z_]\w*"
# A parameter list, then no call's end but a body: `f(a)` inside `if (f(a)) {` is no definition.
_C_FUNCTION = r"(?<![\w.])NAME\s*\((?:[^();{}]|\([^();{}]*\))*\)[^;{}()=]*(?:\{|\Z)"
_DEFINITIONS = {
    **dict.fromkeys(("cpp", "cs", "d", "java"), _C_FUNCTION),
    **dict.fromkeys(
        ("js", "ts"),
        r"\bfunction\s*\*?\s*NAME\b|\b(?:const|let|var)\s+NAME\s*(?::[^=;\n]*)?="
        r"\s*(?:async\s*)?(?:function\b|\([^()]*\)[^={;]*=>|\w+\s*=>)",
    ),
    **dict.fromkeys(("go", "swift"), r"\bfunc\s+NAME\b"),
    **dict.fromkeys(("rb", "scala", "elixir"), r"\bdef\s+(?:self\.)?NAME\b"),
    "rs": r"\bfn\s+NAME\b",
    "php": r"\bfunction\s+&?NAME\b",
    "sh": r"^[ \t]*(?:function\s+NAME\b|NAME\s*\(\s*\))",
    "py": r"^(?:async\s+)?def\s+NAME\b",
    "lua": r"\bfunction\s+NAME\b|\bNAME\s*=\s*function\b",
    "pl": r"\bsub\s+NAME\b",
    "r": r"\bNAME\s*(?:<-|=)\s*function\b",
    "jl": r"\bfunction\s+NAME\b",
    "rkt": r"\(define\s*\(NAME(?=[\s)])",
    "hs": r"^NAME\s*::",
    "ml": r"\blet\s+(?:rec\s+)?NAME\b",
}
_KEYWORDS = frozenset(
    [
        "catch",
        "do",
        "else",
        "for",
        "foreach",
        "if",
        "lock",
        "return",
        "switch",
        "try",
        "using",
        "while",
    ]
)

# A return type can have braces: `interface{} {` in Go, `{a: number}[] {` in TypeScript.
_TYPE_END = re.compile(r"\}[ \t>\[\]|&]*\{")


def spelling(language: str) -> str:
    """Return the short spelling of a language; data sets have several for some."""
    return _SPELLINGS.get(language, language)


def blank(language: str, text: str) -> str:
    """Replace comments and strings by spaces; every other character keeps its place."""
    pattern = _BLANKED.get(spelling(language))
    if pattern is None:
        return text
    return re.sub(pattern, lambda found: re.sub(r"[^\n]", " ", found.group()), text, flags=re.S)


def definitions(language: str, text: str, name: str | None = None) -> list[tuple[int, str]]:
    """Find the functions a text defines.

    Args:
        language: spelling of the data set.
        text: source code.
        name: look for this one alone.

    Returns:
        Start of the line and name of each, in order.
    """
    pattern = _DEFINITIONS.get(spelling(language))
    if pattern is None:
        return []
    wanted = f"({re.escape(name) if name else _ANY})"
    found = []
    for match in re.finditer(pattern.replace("NAME", wanted), blank(language, text), re.M):
        (named,) = (group for group in match.groups() if group)
        if named not in _KEYWORDS:
            found.append((text.rfind("\n", 0, match.start()) + 1, named))
    return found


def defines(language: str, text: str, name: str) -> bool:
    """Say whether a text defines the function ``name``."""
    return bool(definitions(language, text, name))


def function_name(problem: Problem) -> str | None:
    """Return the name of the function to complete: the last one that the prompt begins."""
    entry_point = problem.extra.get("entry_point")
    if isinstance(entry_point, str) and entry_point:
        return entry_point
    found = definitions(problem.language, problem.prompt) or _commented_out(problem)
    return found[-1][1] if found else None


def _commented_out(problem: Problem) -> list[tuple[int, str]]:
    # MultiPL-E's C# prompts have the signature behind the // of the comment before it.
    lines = problem.prompt.rstrip().splitlines(keepends=True)
    return definitions(problem.language, lines[-1].lstrip("/ ")) if lines else []


def prompt_head(problem: Problem, name: str) -> str:
    """Return what the prompt has before the function: imports, helpers, comments, a class."""
    found = definitions(problem.language, problem.prompt, name)
    return problem.prompt[: found[0][0]] if found else problem.prompt


def depth(blanked: str) -> int:
    """Return how many braces are open at the end of a blanked text; negative if overclosed."""
    return blanked.count("{") - blanked.count("}")


def closing(blanked: str, opener: int) -> int:
    """Return the index of the brace that closes the one at ``opener``, or the length."""
    level = 0
    for match in re.compile(r"[{}]").finditer(blanked, opener):
        level += 1 if match.group() == "{" else -1
        if level == 0:
            return match.start()
    return len(blanked)


def block_end(blanked: str, start: int) -> int:
    """Return the index after the definition that begins at ``start``: its body or its semicolon."""
    parentheses, end = 0, start
    for match in re.compile(r"[(){;]").finditer(blanked, start):
        symbol = match.group()
        if match.start() < end:
            continue  # inside a return type
        if symbol in "()":
            parentheses += 1 if symbol == "(" else -1
        elif parentheses == 0:
            end = match.start() if symbol == ";" else closing(blanked, match.start())
            if not _TYPE_END.match(blanked, end):
                semicolon = re.compile(r"\}?[ \t]*;?").match(blanked, end)
                return semicolon.end() if semicolon else end
    return len(blanked)


def lines_of(text: str) -> list[str]:
    """Split at newlines alone: str.splitlines also does at form feeds and others."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
