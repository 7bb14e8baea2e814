"""What the trials of a cross-validation say: errors by group and by fold, and their spread."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

_ERRORS = ("mse", "mean_label_mse", "relative_mse")
# A table of more groups is for the file alone.
_SHOWN = 40


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the errors on all records, on those of each group and fold, and their spread.

    A relative error is the mean squared error as a part of that of the mean label on the same
    records, the mean label being that of the records that were trained on. Over groups, each counts
    alike however many records it has, and so does each fold over folds. Several seeds are averaged
    before that; the spread over seeds is that of the error on all records.

    Args:
        rows: Of trials that have not diverged: every fold with every seed.

    Returns:
        `records`, `mse`, `mean_label_mse` and `relative_mse` of all; `over_groups`, `over_folds`
        and `over_seeds`: of each error the `mean` and the `standard_deviation` (of a sample, n - 1;
        None of one); `groups`, the highest relative error first, and `folds`: lists with the errors
        of each. None stands where labels do not vary, so that the mean label has no error.
    """
    records = pd.DataFrame(
        [
            {"fold": row["fold"], "seed": row["seed"], **record}
            for row in rows
            for record in row["records"]
        ]
    )
    by_group, by_fold, by_seed = (_errors(records, key) for key in ("group", "fold", "seed"))
    by_group.insert(0, "fold", records.groupby("group")["fold"].first())
    by_fold.insert(0, "groups", records.groupby("fold")["group"].unique().map(sorted))
    by_group = by_group.sort_values("relative_mse", ascending=False, kind="stable")
    (whole,) = _listed(_errors(records.assign(of="all"), "of").reset_index(drop=True))
    return {
        **whole,
        "over_groups": _spread(by_group),
        "over_folds": _spread(by_fold),
        "over_seeds": _spread(by_seed),
        "groups": _listed(by_group.reset_index()),
        "folds": _listed(by_fold.reset_index()),
    }


def _errors(records: pd.DataFrame, key: str) -> pd.DataFrame:
    grouped = records.groupby(key)
    found = grouped[["mse", "mean_label_mse"]].mean()
    found.insert(0, "records", grouped["record_id"].nunique())
    return found.assign(relative_mse=found["mse"] / found["mean_label_mse"])


def _spread(errors: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    return {
        name: {"mean": _json(errors[name].mean()), "standard_deviation": _json(errors[name].std())}
        for name in _ERRORS
    }


def _listed(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: _json(value) for name, value in row.items()} for row in table.to_dict("records")]


def _json(value: Any) -> Any:
    """Returns a value as JSON can hold it."""
    return value if not isinstance(value, float) or math.isfinite(value) else None


def table(summary: Mapping[str, Any]) -> str:
    """Returns what `summarize` has found as text."""
    groups = summary["groups"]
    lines = [
        f"{'group':<32}{'fold':>6}{'records':>9}{'mse':>10}{'mean label':>12}{'relative':>10}",
        *(_line(group["group"], group, group["fold"]) for group in groups[:_SHOWN]),
    ]
    if len(groups) > _SHOWN:
        lines.append(f"... and {len(groups) - _SHOWN} groups with lower relative errors")
    lines += ["", _line("all records", summary)]
    for name in ("groups", "folds", "seeds"):
        spread = summary[f"over_{name}"]
        for title, key in (("mean", "mean"), ("standard deviation", "standard_deviation")):
            if spread["mse"]["standard_deviation"] is not None:
                errors = {each: spread[each][key] for each in _ERRORS}
                lines.append(_line(f"{title} over {name}", errors))
    return "\n".join(lines)


def _line(title: str, errors: Mapping[str, Any], fold: int | str = "") -> str:
    cells = (
        f"{'-' if errors[name] is None else f'{errors[name]:.4f}':>{width}}"
        for name, width in zip(_ERRORS, (10, 12, 10), strict=True)
    )
    return f"{title:<32}{fold:>6}{errors.get('records', ''):>9}{''.join(cells)}"
