"""``python -m wordsight``."""

from wordsight.cli import main

main()
