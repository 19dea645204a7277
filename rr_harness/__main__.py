"""``python -m rr_harness``."""

from rr_harness.cli.main import main

main()
