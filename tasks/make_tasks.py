"""Write the task files: ``python tasks/make_tasks.py``; a test checks that they are up to date.

lm_eval wants one file per task. All of them include ``_bon.yaml`` or ``_bon_repeats.yaml`` and add
the suite and the stop tokens, which lm_eval cannot take from the problems.
"""

import json
from pathlib import Path

from rr_harness.suites import MULTIPLE_LANGUAGES

FOLDER = Path(__file__).parent
# MultiPL-E's stop tokens, the same for all problems of a language (both benchmarks).
STOP_TOKENS = {
    "cpp": ["\n}"],
    "cs": ["\n    }\n"],
    "d": ["\n\n", "\nvoid", "\nbool", "\nint"],
    "elixir": ["\ndefmodule", "\ndefp", "\ndef ", "\n#", "\n\n"],
    "go": ["\nfunc", "struct", "\n// "],
    "hs": ["\n\n", "\n{-", "\n-- |", "\n--", "\ntype", "\ndata", "\nnewtype"],
    "java": ["\n    }\n"],
    "jl": ["\nfunction", "\nmacro", "\n\n"],
    "js": ["\nfunction ", "\n/*", "\n//", "\nconsole.log"],
    "lua": ["\nlocal", "\nfunction", "\n--", "\n\n"],
    "ml": ["\n\n", "\n(*", "\ntype", "\nlet"],
    "php": ["\nfunction", "\n?>", "\n//", "\n#"],
    "pl": ["\nsub", "\n#", "\n\n"],
    "py": ["\ndef", "\n#", "\nif", "\nclass"],
    "r": ["\n#", "\n```"],
    "rb": ["\nclass", "\ndef", "\n#", "\n\n"],
    "rkt": ["\n(define ", "\n#|", "\n;", "\n("],
    "rs": ["\n}"],
    "scala": ["\n    }\n"],
    "sh": ["\n}"],
    "swift": ["\n}"],
    "ts": ["\nfunction ", "\n/*", "\n//", "\nclass"],
}
MBPP_STOP_TOKENS = ["\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n```"]
# The languages of RewardRanker's Table 1, and those of the BigCode leaderboard.
PAPER = ["py", "cpp", "java", "php", "ts", "cs", "sh", "js"]
LEADERBOARD = ["js", "java", "cpp", "swift", "php", "d", "jl", "lua", "r", "rkt", "rb", "rs"]
GROUP_METRICS = ["best_of_n", "pass@1", "best_of_n_logprob", "best_of_n_majority", "oracle"]


def task(suite: str, stop_tokens: list[str], repeats: bool) -> tuple[str, str]:
    """Return the file name and text of one task."""
    suffix = "_repeats" if repeats else ""
    name = f"{suite.replace('-', '_')}_bon{suffix}"
    # An included mapping is replaced as a whole, so the sampling settings stand here too.
    sampling = ["  do_sample: true", "  temperature: 0.8", "  top_p: 0.95"] if repeats else []
    variant = ["  variant: repeats"] if repeats else []
    lines = [
        f"include: _bon{suffix}.yaml",
        f"task: {name}",
        "dataset_kwargs:",
        f"  suite: {suite}",
        *variant,
        "generation_kwargs:",
        f"  until: {json.dumps(stop_tokens)}",
        *(sampling or ["  do_sample: false"]),
        "  max_gen_toks: 512",
    ]
    return f"{name}.yaml", "\n".join(lines) + "\n"


def group(name: str, languages: list[str]) -> tuple[str, str]:
    """Return the file name and text of one group: the plain mean over languages."""
    lines = [f"group: {name}", "task:"]
    lines += [f"  - multiple_{language}_bon" for language in languages]
    lines.append("aggregate_metric_list:")
    for metric in GROUP_METRICS:
        lines += [f'  - metric: "{metric}"', "    aggregation: mean"]
        lines += ["    weight_by_size: false", "    filter_list: bon"]
    lines += ["metadata:", "  version: 1"]
    return f"{name}.yaml", "\n".join(lines) + "\n"


def all_files() -> dict[str, str]:
    """Return every generated file, name to text."""
    files = dict(
        task(f"multiple-{benchmark}{language}", STOP_TOKENS[language], repeats)
        for benchmark in ("", "mbpp-")
        for language in MULTIPLE_LANGUAGES
        if language in STOP_TOKENS
        for repeats in (False, True)
    )
    files |= dict(task("mbpp", MBPP_STOP_TOKENS, repeats) for repeats in (False, True))
    files |= dict(
        [
            group("multiple_bon", sorted(STOP_TOKENS)),
            group("multiple_bon_paper", PAPER),
            group("multiple_bon_leaderboard", LEADERBOARD),
        ]
    )
    return files


if __name__ == "__main__":
    for file, text in all_files().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
