"""The table that a person reads, and the same as JSON.

In come rows and the machine; out goes text, a block for each row: every rival's median with least and most, and every
bar with what it came to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Bar, Figure, Row


def table(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """All of it as text."""
    lines = [f"{name:10} {value}" for name, value in machine.items()]
    for row in rows:
        lines += ["", f"{row.what}: {row.how}"]
        width = max(map(len, row.figures), default=0)
        lines += [f"  {name:{width}}  {_figure(figure, row.unit)}" for name, figure in row.figures.items()]
        lines += [f"  {_bar(bar)}" for bar in row.bars]
        lines += [f"  ({note})" for note in row.notes]
    bars = [bar for row in rows for bar in row.bars]
    met = [bar for bar in bars if bar.is_met]
    unknown = [bar for bar in bars if bar.is_met is None]
    lines += ["", f"{len(met)} of {len(bars)} bars met" + (f", {len(unknown)} not measured" if unknown else "")]
    return "\n".join(lines)


def document(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """All of it as JSON."""
    return json.dumps({"machine": dict(machine), "rows": [_row(row) for row in rows]}, indent=2)


def _row(row: Row) -> dict[str, Any]:
    return {
        "what": row.what,
        "how": row.how,
        "unit": row.unit,
        "figures": {
            name: None
            if figure is None
            else {
                "median": figure.median,
                "min": min(figure.values),
                "max": max(figure.values),
                "values": figure.values,
            }
            for name, figure in row.figures.items()
        },
        "bars": [
            {"what": bar.what, "value": bar.value, "least": bar.least, "most": bar.most, "met": bar.is_met}
            for bar in row.bars
        ],
        "notes": list(row.notes),
    }


def _figure(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return "not installed"
    least, most = min(figure.values), max(figure.values)
    return f"{_number(figure.median):>9} {unit:8} ({_number(least)} to {_number(most)})"


def _bar(bar: Bar) -> str:
    asked = f"at least {bar.least:g}" if bar.least is not None else f"at most {bar.most:g}"
    value = "?" if bar.value is None else _number(bar.value)
    verdict = {None: "not measured", True: "met", False: "BELOW ITS BAR"}[bar.is_met]
    return f"= {value} {bar.what}; {asked}: {verdict}"


def _number(value: float) -> str:
    """Three digits are all that a shared machine can tell."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
