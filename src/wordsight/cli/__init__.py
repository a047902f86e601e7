"""The command line: parse, call, print.

Each command imports what it needs when it is called, so that ``wordsight --help`` is there at
once. Results go to stdout; progress, logs and errors to stderr.
"""

from wordsight.cli.application import app, main

__all__ = ["app", "main"]
