"""rr-harness: pick the right program out of n, inside the evaluation harness you already run."""

__version__ = "0.1.0"
