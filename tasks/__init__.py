"""Task files of rr-harness for lm-evaluation-harness."""
