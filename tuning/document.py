"""The words of the report on the claims that are the same in Markdown and in HTML."""

import dataclasses
import shlex
from collections.abc import Sequence

from tfseq.tuning import costs, studies, verdicts
from tfseq.tuning.findings import Finding
from tfseq.tuning.study import Study

TITLE = "The report's claims, tried"
NOT_RUN = "not run"

INTRODUCTION = (
    "Every comparison that the report makes of its models, as a study: the arms differ in what the "
    "claim is about, all else is at the report's settings, and every arm has the same seeds and "
    "the same order of records.",
    "A claim is reproduced if all its comparisons support it, not reproduced if one contradicts "
    "it, and inconclusive otherwise. What a claim says of two arms, and its opposite, are tested "
    f"with one-sided paired t tests over the seeds at {100 * verdicts.ALPHA:g} %, with Holm's "
    "correction within a study; equality by two such tests against its margin. Where the claim is "
    "that a loss is higher, one that is shown to be less than 1 % higher contradicts it. The p "
    "value in a table is that for the claim. A trial that diverged counts as twice the highest "
    "finite loss of its study.",
    "The lines in the figures are what predicting zero and predicting the mean training label "
    "cost.",
)

# The claims about the data are answered by the figures of the data, not by training.
DATA_PAGE = "docs/data.md"
DATA_CLAIMS = {
    "data/redundant-records": "records 1 and 2 are strongly correlated in every sample (fig. 3)",
    "data/record-ranges": "records 1 and 2 lie in 0..0.25; records 3 and 4 look Gaussian between 0 "
    "and 0.6 (fig. 4)",
    "data/label-range": "all labels of a set lie in 0..4 (fig. 5)",
    "data/label-correlation": "records 1 and 2 correlate with the label in every sample (fig. 7)",
}


@dataclasses.dataclass(frozen=True)
class Document:
    """The report on the claims.

    Attributes:
        findings: In the order of the studies.
    """

    findings: Sequence[Finding]

    def commands(self) -> list[str]:
        """Returns the commands that compute the results and write the report."""
        searches: dict[str, list[str]] = {}
        for each in self.findings:
            given = {"--dataset": each.dataset, **each.flags}
            if each.dataset != "simulated_emg":
                given["--manual_dir"] = "its raw files"
            flags = [f"{flag}={value}" for flag, value in given.items() if value is not None]
            searches.setdefault(shlex.join(flags), []).append(each.study.name)
        return [
            *(
                f"python -m tfseq.tuning.search {_chosen(names)} {flags}"
                for flags, names in searches.items()
            ),
            "python -m tfseq.tuning.report",
        ]

    @property
    def datasets(self) -> list[str]:
        """The data sets, in the order in which they appear."""
        return list(dict.fromkeys(each.dataset for each in self.findings))

    def of(self, study: Study) -> list[Finding]:
        """Returns the findings of a study."""
        return [each for each in self.findings if each.study.name == study.name]

    def summary(self) -> list[tuple[Study, list[str]]]:
        """Returns the word of every study on each of `datasets`."""
        rows = []
        for study in studies.ALL:
            words = {each.dataset: each.verdict.word for each in self.of(study)}
            rows.append((study, [words.get(name, NOT_RUN) for name in self.datasets]))
        return rows

    def counts(self) -> list[str]:
        """Returns a sentence for each data set: how many claims came to what, at what cost."""
        lines = []
        for place, name in enumerate(self.datasets):
            words = [row[place] for _, row in self.summary()]
            order = (
                verdicts.REPRODUCED,
                verdicts.NOT_REPRODUCED,
                verdicts.INCONCLUSIVE,
                NOT_RUN,
            )
            parts = [f"{words.count(word)} {word}" for word in order if word in words]
            seconds = sum(each.seconds for each in self.findings if each.dataset == name)
            lines.append(
                f"{name}: of {len(words)} claims {', '.join(parts)}; {costs.duration(seconds)} of "
                "training in all."
            )
        return lines


def _chosen(names: Sequence[str]) -> str:
    """Returns the flag that chooses some studies, in few words."""
    known = [study.name for study in studies.ALL]
    if set(known) <= set(names):
        return "--all"
    patterns = []
    for model in dict.fromkeys(name.partition("/")[0] for name in names):
        of_model = [name for name in known if name.startswith(f"{model}/")]
        whole = set(of_model) <= set(names)
        patterns += [f"{model}/*"] if whole else [name for name in names if name in of_model]
    return shlex.join([f"--study={','.join(patterns)}"])
