"""``python -m wordsight``."""

import sys

from wordsight.cli import main

sys.exit(main())
