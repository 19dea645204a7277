"""The same kinds of program, in every language: each verdict means the same."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint

import pytest

from rr_harness.execution import (
    ALIASES,
    Engine,
    Limits,
    Program,
    canonical_language,
    find_language,
    languages,
    toolchain_versions,
)
from rr_harness.records import IOTest, Verdict
from rr_harness.suites import MULTIPLE_LANGUAGES

PROGRAMS = {
    "py": {
        Verdict.OK: "def f(x):\n    return x + 1\n\nassert f(1) == 2\n",
        Verdict.EXCEPTION: "def f(x):\n    return x\n\nassert f(1) == 2\n",
        Verdict.SYNTAX_ERROR: "def f(x:\n",
        Verdict.OUT_OF_MEMORY: "keep = []\nwhile True:\n    keep.append(bytearray(1 << 24))\n",
        Verdict.TIMEOUT: "while True:\n    pass\n",
    },
    "js": {
        Verdict.OK: "require('node:assert').deepEqual([1 + 1], [2]);",
        Verdict.EXCEPTION: "require('node:assert').deepEqual([1 + 1], [3]);",
        Verdict.SYNTAX_ERROR: "function f( {",
        Verdict.OUT_OF_MEMORY: "const k = []; for (;;) k.push(new Array(1 << 16).fill(k.length));",
        Verdict.TIMEOUT: "for (;;) {}",
    },
    "sh": {
        Verdict.OK: "set -e\n[[ $((1 + 1)) = 2 ]]\n",
        Verdict.EXCEPTION: "set -e\n[[ $((1 + 1)) = 3 ]]\n",
        Verdict.SYNTAX_ERROR: "if [[ 1 = 1 ]]\n",
        Verdict.OUT_OF_MEMORY: 'x=0123456789abcdef\nwhile :; do x="$x$x"; done\n',
        Verdict.TIMEOUT: "while :; do :; done\n",
    },
    "cpp": {
        Verdict.OK: "#include <cassert>\nint main() { assert(1 + 1 == 2); }",
        Verdict.EXCEPTION: "#include <cassert>\nint main() { assert(1 + 1 == 3); }",
        Verdict.SYNTAX_ERROR: "int main() { return 0 }",
        Verdict.OUT_OF_MEMORY: "int main() { for (;;) new char[1 << 26]; }",
        Verdict.TIMEOUT: "int main() { for (volatile int i = 0;;) i = 1; }",
    },
    "java": {
        Verdict.OK: """
            import org.javatuples.*;
            class Problem { public static void main(String[] a) {
                assert Pair.with(1, 2).getValue1() == 2; } }""",
        Verdict.EXCEPTION: """
            class Problem { public static void main(String[] a) { assert 1 + 1 == 3; } }""",
        Verdict.SYNTAX_ERROR: "class Problem { public static void main(String[] a) { int x } }",
        Verdict.OUT_OF_MEMORY: """
            class Problem { public static void main(String[] a) {
                var k = new java.util.ArrayList<long[]>();
                for (;;) k.add(new long[1 << 22]); } }""",
    },
}
# An endless Java program would tell nothing about Java: the rest of the way is that of the others.
CASES = [
    pytest.param(
        language, verdict, marks=pytest.mark.toolchain(language), id=f"{language}-{verdict}"
    )
    for language, programs in PROGRAMS.items()
    for verdict in programs
]


@pytest.mark.parametrize(("language", "verdict"), CASES)
def test_a_program_gets_its_verdict(language: str, verdict: Verdict) -> None:
    # As little as their runtimes and compilers can live with: memory bombs are slow to fill more.
    memory_mib = {"sh": 48, "js": 128}.get(language, 384)
    seconds = 10.0
    if verdict is Verdict.TIMEOUT:
        seconds = 2.0 if language == "cpp" else 0.3
    limits = Limits(seconds=seconds, memory_mib=memory_mib)
    with Engine(1, limits) as engine:
        [(_, outcome)] = engine.run([Program(language, PROGRAMS[language][verdict])])
        assert outcome.verdict is verdict, outcome
        assert outcome.passed is (verdict is Verdict.OK)
    versions = toolchain_versions([language])
    assert any(character.isdigit() for character in versions[language])


@pytest.mark.toolchain("cpp")
def test_an_endless_compilation_is_a_timeout() -> None:
    source = "template<int N> struct F { F<N + 1> *p; static const int v = F<N + 1>::v; };\n"
    source = "#include <bits/stdc++.h>\n" + source + "int main() { return F<0>::v; }"
    with Engine(1, Limits(seconds=0.2)) as engine:
        [(_, outcome)] = engine.run([Program("cpp", source)])
    assert outcome.verdict is Verdict.TIMEOUT


ECHO = {
    "py": "for _ in range(int(input())):\n    print(sum(map(int, input().split())))",
    "cpp": "#include <iostream>\nint main() { int n, a, b; std::cin >> n;\n"
    "while (n--) { std::cin >> a >> b; std::cout << a + b << std::endl; } }",
}


@pytest.mark.parametrize(
    "language", [pytest.param(name, marks=pytest.mark.toolchain(name)) for name in ECHO]
)
@pytest.mark.parametrize(
    ("expected", "verdict"),
    [("3 7", Verdict.OK), ("3\n7\n", Verdict.OK), ("37", Verdict.EXCEPTION), ("3", "Exception")],
)
def test_io_tests_compare_tokens(language: str, expected: str, verdict: Verdict) -> None:
    tests = (IOTest("1\n1 1\n", "2"), IOTest("2\n1 2\n3 4\n", expected))
    with Engine(1) as engine:
        [(_, outcome)] = engine.run([Program(language, ECHO[language], tests)])
    assert outcome.verdict == verdict, outcome


def test_every_output_of_an_io_test_counts() -> None:
    tests = (IOTest("", "x " * 100_000),)
    with Engine(1) as engine:
        right, wrong = "print('x ' * 100_000)", "print('x ' * 100_000, 'y')"
        found = dict(engine.run([Program("py", right, tests), Program("py", wrong, tests)]))
    verdicts = {program.source: outcome.verdict for program, outcome in found.items()}
    assert verdicts == {right: Verdict.OK, wrong: Verdict.EXCEPTION}
    assert all(len(outcome.stdout) == Limits().output_bytes for outcome in found.values())


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("go_test.go", "go"), ("humaneval_to_r.py", "r"), ("C++", "cpp"), ("bash", "sh"),
     ("JavaScript", "js"), ("python3", "py"), ("notypes.py", "py"), ("klingon", "klingon")],
)  # fmt: skip
def test_spellings_of_the_data_sets_have_one_name(spelling: str, name: str) -> None:
    assert canonical_language(spelling) == name


def test_every_language_of_the_suites_has_a_name() -> None:
    assert set(MULTIPLE_LANGUAGES) <= set(ALIASES) | {"adb"}
    assert all(canonical_language(name) == name for name in ALIASES.values())


def test_a_language_without_driver_is_no_failure() -> None:
    with Engine(1) as engine:
        [(_, outcome)] = engine.run([Program("klingon", "nuqneH")])
    assert outcome.verdict is Verdict.NO_TOOLCHAIN
    assert outcome.passed is None
    assert "klingon" in outcome.stderr


def test_a_missing_toolchain_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    languages._installed.cache_clear()
    try:
        with Engine(1) as engine:
            [(_, outcome)] = engine.run([Program("cpp", "int main() {}")])
        assert toolchain_versions(["cpp", "cobol"]) == {}
    finally:
        languages._installed.cache_clear()
    assert outcome.verdict is Verdict.NO_TOOLCHAIN
    assert outcome.passed is None
    assert "apt-get install g++" in outcome.stderr


def test_a_broken_driver_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EntryPoint("klingon", "no_such_module:Klingon", "rr_harness.languages")
    monkeypatch.setattr("rr_harness.registry.names", lambda kind: {"klingon": broken})
    monkeypatch.setattr(languages, "names", lambda kind: {"klingon": broken})
    find_language.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert find_language("klingon") is None
    finally:
        find_language.cache_clear()
    assert "klingon" in caplog.text
