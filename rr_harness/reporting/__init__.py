"""Numbers to people."""
