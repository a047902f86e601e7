"""Compare what is installed with the published list of known holes, where that can be reached.

`pip-audit` asks for every package; it is installed into an environment of its own. Where the list
cannot be reached that is said, and nothing fails: minimum versions, which SECURITY.md explains,
hold without it.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

UNREACHABLE = "the list of known holes cannot be reached from here: nothing was compared"


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def main() -> int:
    """Print what was found; fail on a hole that a newer version closes."""
    with tempfile.TemporaryDirectory(prefix="wordsight-audit-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        install = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "pip-audit"]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            say(UNREACHABLE)
            return 0
        asked = subprocess.run(
            [
                python, "-m", "pip_audit", "--path", sysconfig.get_paths()["purelib"],
                "--progress-spinner", "off", "--timeout", "5", "--format", "json",
            ],
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
    try:
        found = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        say(UNREACHABLE)
        return 0
    compared = [one for one in found if "vulns" in one]
    if not compared:
        say(UNREACHABLE)
        return 0
    open_holes = [
        f"{one['name']} {one['version']}: {hole['id']}, closed in {', '.join(hole['fix_versions'])}"
        for one in compared
        for hole in one["vulns"]
        if hole["fix_versions"]
    ]
    say(f"{len(compared)} of {len(found)} packages were compared with the list of known holes")
    for hole in open_holes:
        say(hole)
    return int(bool(open_holes))


if __name__ == "__main__":
    sys.exit(main())
