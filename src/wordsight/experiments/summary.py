"""What a report says about itself, in its page and in the documentation alike."""

from wordsight.experiments.comparison import (
    MISSING,
    Comparison,
    compare,
    duration,
    in_words,
    memory,
    plain,
)
from wordsight.experiments.results import Results

__all__ = [
    "GLANCE",
    "HOW_TO_READ",
    "RERUN",
    "TIMES",
    "TITLE",
    "facts",
    "reason",
    "summary",
    "warnings",
]

TITLE = "Zero-shot learning through cross-modal transfer: the experiments rerun"
GLANCE = "At a glance"
HOW_TO_READ = (
    "Ours is the mean over the seeds ± the standard deviation of one seed. The difference is ours "
    "less the published value, in brackets in units of that standard deviation; it says nothing of "
    "the spread of the published value, which was printed for one run. Where a number is better "
    "the lower it is, it falls short when ours is higher."
)
TIMES = (
    "Shared work is done once for each seed and kept; its time, and that of every experiment, is "
    "the one measured when it was done, even where a later run took it from what was kept. "
    "Experiments are timed without the shared work."
)
RERUN = (
    "Every random choice follows from the seeds. The last digits may differ between machines and "
    "between versions of the libraries, since sums are rounded in another order."
)


def summary(results: Results) -> str:
    """Return the paragraph under the title."""
    comparisons = [each for experiment in results.experiments for each in compare(experiment)]
    verdicts = [each.verdict for each in comparisons if each.number.published is not None]
    reached, short = verdicts.count("reached"), verdicts.count("falls short")
    said = (
        f"{_count(len(results.experiments), 'experiment')} of Socher et al., Zero-Shot Learning "
        "Through Cross-Modal Transfer (ICLR 2013 workshop and NIPS 2013), and of the work it rests "
        f"on, run by Wordsight {results.version} with {_count(len(results.seeds), 'seed')} in "
        f"{duration(results.seconds)}."
    )
    if verdicts:
        said += f" {_count(len(verdicts), 'number')} can be set beside a published value: " + (
            f"{reached} {'reaches' if reached == 1 else 'reach'} it, "
            f"{short} {'falls' if short == 1 else 'fall'} short"
        )
        for verdict, words in (("for comparison", "for comparison only"), (MISSING, MISSING)):
            if times := verdicts.count(verdict):
                said += f", {times} {'is' if times == 1 else 'are'} {words}"
        said += "."
    return said


def warnings(results: Results) -> list[tuple[str, str]]:
    """Return what must be known before any number is read: a heading and a text each."""
    found = []
    if changed := results.changed_setting:
        changes = "; ".join(
            f"{in_words(name)} {plain(here)} instead of {plain(full)}"
            for name, (here, full) in changed.items()
        )
        found.append(
            (
                "Not the full setting",
                f"{changes}. Do not hold these numbers against the published ones.",
            )
        )
    if results.left_out:
        found.append(("Left out", f"{'; '.join(results.left_out)}."))
    return found


def reason(results: Results, each: Comparison) -> str:
    """Return why a number falls short; empty where it does not."""
    # what explains a number at full size says nothing of one with fewer images
    return "not the full setting" if each.reason and results.changed_setting else each.reason


def facts(results: Results) -> list[tuple[str, str]]:
    """Return what was run, on what and with what: a name and a text each."""
    data = dict(results.data)
    listed = [
        (
            "Images",
            "; ".join([plain(data.pop("name", "not named")), *([plain(data)] if data else [])]),
        ),
        ("Word vectors", results.words),
        ("Seeds", ", ".join(str(seed) for seed in results.seeds)),
        ("Setting", plain(results.setting)),
        ("Machine", plain(results.machine)),
        ("Time in all", duration(results.seconds)),
    ]
    if results.peak_bytes is not None:
        listed.append(("Peak memory", memory(results.peak_bytes)))
    return listed


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
