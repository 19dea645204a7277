"""What is taken out of an instruct model's reply, on handwritten replies to MultiPL-E problems."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rr_harness.generation.chat import code_of, extract, instruction
from rr_harness.generation.source import BRACED, blank, depth, function_name, prompt_head
from rr_harness.pools import read_problems
from rr_harness.records import Candidate, Problem, program_text
from tests.conftest import need
from tests.generation.replies import PROBLEMS, REPLIES

CASES = [(language, way) for language, ways in REPLIES.items() for way in ways]


def rows(shared: Path, language: str) -> Path:
    return shared / "data" / "problems" / "multipl_e" / f"humaneval-{language}.jsonl.gz"


def load(shared: Path, language: str) -> Problem:
    return next(p for p in read_problems(rows(shared, language)) if p.name == PROBLEMS[language])


def answer(shared: Path, language: str, way: str) -> tuple[Problem, Candidate]:
    problem = load(shared, language)
    return problem, extract(problem, REPLIES[language][way])


@pytest.mark.parametrize(("language", "way"), CASES)
def test_form_follows_the_reply(shared: Path, language: str, way: str) -> None:
    _, candidate = answer(shared, language, way)
    assert candidate.form == ("completion" if "body" in way else "program")


@pytest.mark.parametrize(
    ("language", "way"), [case for case in CASES if case[0] not in ("py", "scala")]
)
def test_program_has_balanced_braces(shared: Path, language: str, way: str) -> None:
    problem, candidate = answer(shared, language, way)
    assert depth(blank(language, program_text(problem, candidate))) == 0


@pytest.mark.parametrize(("language", "way"), CASES)
def test_usage_is_dropped_and_one_main_is_left(shared: Path, language: str, way: str) -> None:
    problem, candidate = answer(shared, language, way)
    assert "99" not in candidate.completion
    assert "?>" not in candidate.completion
    assert '"abc"' not in candidate.completion or language == "go"
    if language in ("cpp", "java", "cs", "scala", "rs"):
        text = program_text(problem, candidate)
        assert sum(text.count(f"{main}(") for main in (" main", " Main")) == 1


COMMANDS = {
    "py": (["python3", "-I", "program.py"],),
    "js": (["node", "program.js"],),
    "sh": (["bash", "program.sh"],),
    "cpp": (["g++", "-std=c++17", "-I.", "program.cpp", "-o", "program"], ["./program"]),
    "java": (["javac", "-d", ".", "program.java"], ["java", "-ea", "-cp", ".", "Problem"]),
}


@pytest.mark.parametrize(("language", "way"), [case for case in CASES if case[0] in COMMANDS])
def test_assembled_program_passes(shared: Path, tmp_path: Path, language: str, way: str) -> None:
    for command in COMMANDS[language]:
        need(command[0].startswith(".") or bool(shutil.which(command[0])), command[0])
    problem, candidate = answer(shared, language, way)
    text = program_text(problem, candidate).replace("import org.javatuples.*;", "")
    (tmp_path / f"program.{language}").write_text(text)
    # g++ takes 2 s to read all of the real one.
    (tmp_path / "bits").mkdir()
    (tmp_path / "bits" / "stdc++.h").write_text("#include <string>\n")
    for command in COMMANDS[language]:
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, f"{text}\n{run.stdout}{run.stderr}"


def test_assembled_program_is_able_to_fail(shared: Path, tmp_path: Path) -> None:
    problem = load(shared, "py")
    wrong = extract(problem, "```\ndef strlen(string):\n    return 7\n```")
    run = subprocess.run(
        ["python3", "-I", "-c", program_text(problem, wrong)], capture_output=True, timeout=60
    )
    assert run.returncode != 0


def test_go_has_the_prompts_package_and_all_imports(shared: Path) -> None:
    _, candidate = answer(shared, "go", "program with main")
    assert candidate.completion.startswith("package strlen_test\n")
    assert candidate.completion.count("package ") == 1
    head = candidate.completion.partition("func ")[0]
    assert all(head.count(f'"{name}"') == 1 for name in ("testing", "fmt", "strings"))


def test_php_opens_once(shared: Path) -> None:
    for way in REPLIES["php"]:
        _, candidate = answer(shared, "php", way)
        assert candidate.completion.startswith("<?php")
        assert candidate.completion.count("<?php") == 1


def test_class_gets_the_prompts_name(shared: Path) -> None:
    _, candidate = answer(shared, "java", "class with main")
    assert "class Problem {" in candidate.completion
    assert "Solution" not in candidate.completion


def test_helper_after_the_function_stays(shared: Path) -> None:
    assert "def count(text)" in answer(shared, "py", "program with usage")[1].completion
    assert "fn one<'a>" in answer(shared, "rs", "function with main")[1].completion
    assert "function sum(" in answer(shared, "php", "function with usage")[1].completion


def test_helpers_of_the_prompt_are_restored() -> None:
    prompt = "import math\n\ndef half(x):\n    return x / 2\n\ndef quarter(x):\n"
    problem = Problem("mine/1", "py", prompt)
    candidate = extract(problem, "```\ndef quarter(x):\n    return half(half(x))\n```")
    assert candidate.completion.startswith("import math\n\ndef half(x)")


def test_types_of_the_prompt_are_restored_once() -> None:
    prompt = "#include<assert.h>\nunion Both{\n    int a;\n    long b;\n};\n// f\nint f(Both x) {\n"
    problem = Problem("mine/1", "cpp", prompt, "}\nint main() { assert(1); }\n")
    bare = extract(problem, "int f(Both x) { return x.a; }")
    full = extract(
        problem, "#include <assert.h>\nunion Both {\n int a;\n};\nint f(Both x) { return 1; }"
    )
    assert bare.completion.startswith(
        "#include<assert.h>\nunion Both{\n    int a;\n    long b;\n};\n"
    )
    assert full.completion.count("union Both") == 1


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("no fence", "no fence"),
        ("a\n```py\nx = 1\n```\nb\n```\ny\n```", "x = 1\n"),
        ("cut off:\n~~~\nx = 1", "x = 1"),
        ("<think>\n```\nno\n```\n</think>\n```\nyes\n```", "yes\n"),
        ("```sh\npip install x\n```\n```py\ndef f():\n  pass\n```", "def f():\n  pass\n"),
    ],
)
def test_code_is_the_block_with_the_function_or_the_first(reply: str, code: str) -> None:
    assert code_of(Problem("mine/1", "py", "def f():\n"), reply) == code


@pytest.mark.parametrize(
    ("language", "signature"),
    [
        ("go_test.go", "func f(x int) [2]interface{} {"),
        ("ts", "function f(x: {[key: string]: number}): {[key: string]: number} {"),
        ("ts", "function f(x: number): Array<{a: number}> {"),
        ("cpp", "std::function<int(int)> f(std::function<int(int)> x) {"),
        ("rs", "fn f<'a>(x: &'a str) -> Option<&'a str> {"),
    ],
)
def test_braces_and_parentheses_in_a_signature(language: str, signature: str) -> None:
    problem = Problem("mine/1", language, signature + "\n")
    program = f"{signature}\n  return g(x);\n}}\n"
    candidate = extract(problem, f"```\n{program}\nf(1);\n```")
    assert candidate.form == "program"
    assert candidate.completion.split()[-len(program.split()) :] == program.split()


def test_call_inside_a_condition_is_no_definition() -> None:
    problem = Problem("mine/1", "cpp", "int f(int a) {\n", "}\nint main() {}\n")
    assert (
        extract(problem, "    if (f(a - 1)) { return 1; }\n    return 2;\n}").form == "completion"
    )


def test_reply_is_kept() -> None:
    assert extract(Problem("mine/1", "py", "def f():\n"), "Sorry.").extra["reply"] == "Sorry."


def test_instruction_names_the_language_and_shows_the_prompt() -> None:
    text = instruction(Problem("mine/1", "go_test.go", "package x_test\n\nfunc f() {\n"))
    assert "following Go function" in text
    assert "```go\npackage x_test\n\nfunc f() {\n```" in text


NONSENSE = [
    "",
    "```\n```",
    "}",
    "def f(",
    "\x00",
    "{" * 2000,
    "fn f() {int f() {}f() {}function f() {}func f() " + "{}" * 3000,
    "```",
    "def f():\r    return 1\rprint(1)",
    "def f():\n    return '\x0c\u2028\x0b'\n\x0cprint(1)\n",
]


@pytest.mark.parametrize("reply", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("language", ["py", "cpp", "java", "go_test.go", "sh", "hs", "unheard-of"])
def test_nonsense_is_taken_as_it_comes(language: str, reply: str) -> None:
    prompt = "// \x0c\u2028\n# \x0c\ndef f():\nfn f() {\nint f() {\n"
    extract(Problem("mine/1", language, prompt, "}\n"), reply)


@pytest.mark.parametrize("head", ["whole prompt", "function alone"])
@pytest.mark.parametrize("language", sorted(BRACED - {"cs"}))  # C#'s signatures are in comments
def test_reply_with_or_without_the_prompts_head_is_the_same_program(
    shared: Path, language: str, head: str
) -> None:
    for problem in read_problems(rows(shared, language)):
        name = function_name(problem)
        assert name is not None
        body = "{ BODY(); }\n" if language == "d" else "    BODY();\n}\n"
        start = 0 if head == "whole prompt" else len(prompt_head(problem, name))
        left_open = depth(blank(language, problem.prompt + body)) if start == 0 else 0
        reply = problem.prompt[start:] + body + "}\n" * left_open
        candidate = extract(problem, f"```\n{reply}```")
        kept = body if language in ("d", "go", "js", "php", "ts") else "    BODY();\n"
        expected = program_text(problem, Candidate(kept))
        assert candidate.form == "program"
        assert code(language, program_text(problem, candidate)) == code(language, expected)


def code(language: str, text: str) -> list[str]:
    """The words of a text without comments and strings."""
    return blank(language, text).split()
