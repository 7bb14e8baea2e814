"""What studies cost: trials, epochs, and the time that they take."""

import time
from collections.abc import Callable, Sequence

from tfseq.tuning import plans, results
from tfseq.tuning.options import Options
from tfseq.tuning.plans import Plan
from tfseq.tuning.study import Study

# Seconds to begin a trial and seconds an epoch, of 3000 records of simulated_emg with the report's
# settings on 2 cores of an AMD EPYC.
_MEASURED_HERE = {"mlp": (5, 30), "cnn": (4, 1.5), "conv_ae": (5, 4), "resnet": (5, 2.7)}


def table(studies: Sequence[Study], given: Options) -> str:
    """Returns the studies with their cost as text.

    The time is that of the trials of the study that have been run, as far as there are any;
    otherwise what whole trials took on the machine that was measured.
    """
    lines = [f"{'study':<24}{'arms':>5}{'trials':>8}{'done':>6}{'epochs':>8}  time of all"]
    total = 0.0
    for study in studies:
        planned = plans.of(study, given)
        done = len(planned) - len(plans.missing(planned))
        seconds, source = _seconds(study, planned, given)
        total += seconds
        epochs = sum(plan.config.epochs for plan in planned)
        counts = f"{len(study.arms):>5}{len(planned):>8}{done:>6}{epochs:>8}"
        lines.append(f"{study.name:<24}{counts}  {duration(seconds)}, {source}")
        lines.append(f"    {study.claim}")
    return "\n".join([*lines, f"All: {duration(total)}, one after the other."])


def _seconds(study: Study, planned: Sequence[Plan], given: Options) -> tuple[float, str]:
    rows = [row for row in results.read(given.folder(study)) if not row["diverged"]]
    if rows:
        each = sum(row["seconds"] for row in rows) / sum(row["epochs"] for row in rows)
        return each * sum(plan.config.epochs for plan in planned), "by the trials that were run"
    seconds = 0.0
    for plan in planned:
        begin, epoch = _MEASURED_HERE[plan.config.model.name]
        seconds += begin + epoch * plan.config.epochs
    return seconds, "on 2 cores, full width, 3000 records"


def progress(planned: Sequence[Plan]) -> Callable[[str, float], None]:
    """Returns a function that prints a line for each trial that has been run.

    It is given what came of the trial and its seconds, and adds how many of all that are planned
    have been run and when the rest will have been.
    """
    start, waiting = time.perf_counter(), len(plans.missing(planned))

    def say(outcome: str, seconds: float) -> None:
        left = len(plans.missing(planned))
        each = (time.perf_counter() - start) / max(1, waiting - left)
        print(
            f"[{len(planned) - left}/{len(planned)}] {outcome} ({seconds:.1f} s; "
            f"{duration(each * left)} to go)",
            flush=True,
        )

    return say


def duration(seconds: float) -> str:
    """Returns a time span in words, such as "about 3 min"."""
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
