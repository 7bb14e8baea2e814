"""Writes the measured part of docs/performance.md and its bar chart from benchmarks/results."""

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.contenders import AS_THEY_ARE, BFLOAT16, EXPORT, EXPORT_COMPILED, STRIPS

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "benchmarks" / "results"
_PAGE = _ROOT / "docs" / "performance.md"
_CHARTS = _ROOT / "docs" / "figures" / "performance"
_BEGIN, _END = "<!-- measured: python -m benchmarks.run -->", "<!-- end of what was measured -->"
# What a column of inference is called.
_COLUMNS = {
    "tfseq": "compiled",
    EXPORT: "export",
    EXPORT_COMPILED: "export compiled",
    STRIPS: "in strips",
    AS_THEY_ARE: "layers as they are",
    BFLOAT16: "mixed_bfloat16",
}
# What a first look at PyTorch would use; channels_last takes knowing.
_USUAL = tuple(
    f"PyTorch{setting}" for setting in ("", " compiled", " bfloat16", " compiled bfloat16")
)


def write() -> None:
    """Renders every results file into the page and a chart."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(_RESULTS.glob("*.json"))}
    for name, each in results.items():
        _draw(each, _CHARTS / f"{name}.png")
    text = "\n\n".join(tables(name, each) for name, each in results.items())
    page = _PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def ratio(
    times: dict[str, dict[str, Any]], ours: str, rivals: tuple[str, ...] | None = None
) -> tuple[float, float, float] | None:
    """Returns how many times as fast one contender is as the best rival: middle, low, high.

    Args:
        times: What `benchmarks.turns.compare` returned.
        ours: A contender.
        rivals: Those it is compared with; None is all of PyTorch.

    Returns:
        The median of the ratios of single turns, the lowest and the highest; None if there is no
        rival.
    """
    known = [name for name in times if name.startswith("PyTorch")]
    known = [name for name in known if rivals is None or name in rivals]
    if not known:
        return None
    best = min(known, key=lambda name: times[name]["milliseconds"])
    ratios = [
        theirs / mine
        for theirs, mine in zip(times[best]["turns"], times[ours]["turns"], strict=True)
    ]
    return statistics.median(ratios), min(ratios), max(ratios)


def tables(name: str, results: dict[str, Any]) -> str:
    """Returns the measured part of the page for one machine."""
    machine = results["machine"]
    versions = ", ".join(f"{key} {value}" for key, value in machine["versions"].items())
    on_jax = ", Keras's JAX backend" if machine.get("backend") == "jax" else ""
    parts = [
        f"### {machine['name']}{on_jax}\n"
        f"{versions}, Python {machine['python']}. Copying moves "
        f"{machine['copy_gigabytes_per_second']:.0f} GB/s, a product of matrices reaches "
        f"{machine['float32_gigaflops']:.0f} GFLOP/s in float32 and "
        f"{machine['bfloat16_gigaflops']:.0f} in bfloat16. All numbers: "
        f"[{name}.json](../benchmarks/results/{name}.json).",
        f"![Records a second in training](figures/performance/{name}.png)",
    ]
    sections = (
        ("training", _training),
        ("inference", _inference),
        ("epochs", _epochs),
        ("memory", _memory),
        ("reading", _reading),
        ("scaling", _scaling),
    )
    parts += [render(results[key]) for key, render in sections if key in results]
    return "\n\n".join(parts)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _times(value: tuple[float, float, float] | None) -> str:
    return "-" if value is None else "{:.1f} x ({:.1f} to {:.1f})".format(*value)


def _training(section: dict[str, Any]) -> str:
    rows = []
    for model, found in section.items():
        times = found["times"]
        rivals = [name for name in times if name.startswith("PyTorch")]
        best = min(rivals, key=lambda name: times[name]["milliseconds"])
        for ours in (name for name in times if name.startswith("tfseq")):
            mine = times[ours]
            digits = 1 if mine["milliseconds"] > 10 else 2
            rows.append(
                [
                    f"`{model}` {ours.removeprefix('tfseq').strip()}".strip(),
                    f"{mine['milliseconds']:.{digits}f}",
                    f"{times[best]['milliseconds']:.{digits}f} ({best.removeprefix('PyTorch ')})",
                    _times(ratio(times, ours)),
                    _times(ratio(times, ours, _USUAL)),
                    f"{mine['milliseconds'] / found['floor']['milliseconds']:.1f} x",
                    f"{mine['first_step_seconds']:.1f}",
                    f"{mine['peak_gigabytes']:.1f}" if "peak_gigabytes" in mine else "-",
                ]
            )
    header = [
        "training step",
        "ms",
        "best PyTorch, ms",
        "faster than it (turns)",
        "than PyTorch without channels_last",
        "of the floor",
        "first step, s",
        "memory, GB",
    ]
    return _table(header, rows)


def _inference(section: dict[str, Any]) -> str:
    measured = set().union(*(found["times"] for found in section.values()))
    sides = [side for side in _COLUMNS if side in measured]
    rows = []
    models = [what.split(",")[0] for what in section]
    for what in sorted(section, key=lambda each: models.index(each.split(",")[0])):
        times = section[what]["times"]
        rivals = [name for name in times if name.startswith("PyTorch")]
        best = min(rivals, key=lambda name: times[name]["milliseconds"])
        rows.append(
            [
                what,
                *(f"{times[ours]['milliseconds']:.2f}" if ours in times else "-" for ours in sides),
                f"{times[best]['milliseconds']:.2f} ({best.removeprefix('PyTorch ')})",
                *(_times(ratio(times, ours) if ours in times else None) for ours in sides),
            ]
        )
    names = [_COLUMNS[side] for side in sides]
    header = ["inference", *(f"{name}, ms" for name in names), "best PyTorch, ms"]
    return _table([*header, *(f"{name} is faster" for name in names)], rows)


def _epochs(section: dict[str, Any]) -> str:
    rows, records = [], 0
    for model, found in section.items():
        if model == "first_step_seconds":
            continue
        records = found["records"]
        bare = found["bare_seconds"]
        from_disk = found.get("seconds_from_disk")
        rows.append(
            [
                f"`{model}`",
                f"{statistics.median(bare):.2f}",
                *_beside(bare, [statistics.median(later) for _, *later in found["seconds"]]),
                *_beside(bare, [first for first, *_ in found["seconds"]]),
                *_beside(bare, from_disk and [statistics.median(later) for _, *later in from_disk]),
            ]
        )
    header = [f"epoch of {records} records", "bare steps, s"]
    for what in ("epoch", "first epoch", "epoch from disk"):
        header += [f"{what}, s", "ratio (turns)"]
    start = f"From the command to the end of its first step: {section['first_step_seconds']:.1f} s."
    return f"{_table(header, rows)}\n\n{start}"


def _beside(bare: list[float], seconds: list[float] | None) -> list[str]:
    """Returns an epoch's seconds, the median of its turns, and how many times the bare steps'."""
    if not seconds:
        return ["-", "-"]
    ratios = [each / steps for each, steps in zip(seconds, bare, strict=True)]
    spread = f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
    return [f"{statistics.median(seconds):.2f}", spread]


def _memory(section: dict[str, Any]) -> str:
    header = ["`tfseq.train`, two epochs of 1280 records, checkpoints and export", "memory, GB"]
    return _table(header, [[f"`{model}`", f"{peak:.1f}"] for model, peak in section.items()])


def _reading(section: dict[str, Any]) -> str:
    rates = section["records_per_second"]
    return _table(["reading", "records/s"], [[name, f"{rate:.0f}"] for name, rate in rates.items()])


def _scaling(section: dict[str, Any]) -> str:
    tables = []
    for axis, title in (("batch_size", "batch size"), ("steps", "time steps, batch 16")):
        sizes = list(next(iter(section.values()))[axis])
        rows = [
            [f"`{model}`", *(f"{found[axis][size]['milliseconds']:.1f}" for size in sizes)]
            for model, found in section.items()
        ]
        tables.append(_table([f"ms a training step by {title}", *sizes], rows))
    return "\n\n".join(tables)


def _draw(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import pandas as pd
    import seaborn as sns
    from matplotlib import ticker

    rows = [
        {"model": model, "contender": side, "records/s": found["batch_size"] / each}
        for model, found in results["training"].items()
        for side, each in ((s, t["milliseconds"] / 1000) for s, t in found["times"].items())
    ]
    sns.set_theme(style="whitegrid", context="paper")
    grid = sns.catplot(
        pd.DataFrame(rows), kind="bar", y="contender", x="records/s", col="model", col_wrap=2,
        sharex=False, sharey=False, height=2.2, aspect=2, color="#4878a8",
    )  # fmt: skip
    grid.set_titles("{col_name}: training, records/s")
    grid.set_axis_labels("", "")
    for axes in grid.axes.flat:
        axes.bar_label(axes.containers[0], fmt="{:,.0f}", padding=2, fontsize=7)
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    grid.figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    grid.figure.savefig(path, dpi=100)


if __name__ == "__main__":
    write()
