"""The command line: one file per command, imported when its command is used."""
