"""The table that ``evaluate`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rr_harness.metrics.summary import RuleSummary, Summary

_MEANING = {
    "first": "the candidate drawn first",
    "logprob": "highest mean log-probability",
    "majority": "most frequent text",
    "oracle": "any that passes: the limit",
    "random": "one at random: pass@1",
    "reranker": "highest score",
}


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print the numbers of one pool file.

    Args:
        summary: what to print.
        console: where to; default standard output.
    """
    console = console or Console()
    low, high = summary.n
    n = str(low) if low == high else f"{low} to {high}"
    console.print(f"{summary.problems} problems, n = {n}", highlight=False)
    if summary.unmeasured:
        console.print(
            f"{summary.unmeasured} more problems were not run and are left out "
            "(see the verdicts below)",
            style="yellow",
        )
    if summary.problems:
        line = "   ".join(f"pass@{k} {value:.3f}" for k, value in summary.pass_at.items())
        console.print(f"{line}   (unbiased)", highlight=False)
        console.print(_rules_table(summary))
    verdicts = "   ".join(f"{name} {count}" for name, count in summary.verdicts.items())
    console.print(f"verdicts   {verdicts or 'none'}", highlight=False)


def _rules_table(summary: Summary) -> Table:
    table = Table("rule", "best-of-n", "95 % interval", "recovered gap", "picks", box=None)
    for column in (1, 2, 3):
        table.columns[column].justify = "right"
    known = sorted(summary.rules.items(), key=lambda item: -(item[1].best_of_n or -1.0))
    for name, rule in known:
        table.add_row(name, *_cells(rule), _MEANING.get(name, "highest score"))
    return table


def _cells(rule: RuleSummary) -> tuple[str, str, str]:
    if rule.best_of_n is None:
        return "n/a", "", ""
    interval = f"{rule.interval[0]:.3f} to {rule.interval[1]:.3f}" if rule.interval else "n/a"
    gap = "n/a" if rule.recovered_gap is None else f"{round(rule.recovered_gap, 3) + 0.0:+.3f}"
    return f"{rule.best_of_n:.3f}", interval, gap
