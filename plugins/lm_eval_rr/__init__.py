"""rr-harness inside lm-evaluation-harness: the model ``rewardranker`` and the best-of-n tasks."""
