"""A contest: one job, the package and its peers, in turn, on one core.

Seconds are processor time of the whole process: on one core that is what the work takes, and other
programs on the machine do not count. The best round of each counts; the spread of a ratio is its
lowest and highest value in one round.
"""

import json
import sys
import time
from typing import NamedTuple

from timing import rounds_of


class Entry(NamedTuple):
    "A program that does the job."

    name: str
    run: object  # a call does `work` units of the job
    work: float
    agrees: str = ""  # how far its result is the package's
    asked: float | None = None  # how many times as long it should take, at least


def one_line(text, most=200):
    "The first line of a text, without what belongs to the machine."
    lines = [line for line in str(text).strip().splitlines() if line.strip()]
    words = (lines[0] if lines else "no reason given").split()
    return " ".join(word.rsplit("/", 1)[-1] for word in words)[:most]


def entered(name, build, asked=None):
    "The entry that `build` makes, or a row that says why there is none."
    try:
        return build()
    except Exception as error:  # a peer that does not work is a row, not the end of the run
        reason = f"{type(error).__name__}: {one_line(error)}"
        return {"peer": name, "reason": reason, "asked": asked}


def contest(title, unit, same, ours, peers, rounds=7):
    """Seconds a unit of the package, and a row for each peer.

    `same` says in which respects the work is equal, and where it is not.
    """
    entries = [ours, *(peer for peer in peers if isinstance(peer, Entry))]
    for entry in entries:
        entry.run()  # compiles
    runs = [entry.run for entry in entries]
    seen = rounds_of(*runs, rounds=rounds, clock=time.process_time)
    each = [[t / entry.work for t in times] for entry, times in zip(entries, seen)]
    found = {entry.name: row_of(entry, times, each[0]) for entry, times in zip(entries, each)}
    rows = [found[p.name] if isinstance(p, Entry) else p for p in peers]
    return {"title": title, "unit": unit, "same": same, "seconds": min(each[0]), "rows": rows}


def row_of(entry, times, ours):
    "What is stored of an entry."
    ratios = [t / s for t, s in zip(times, ours)]
    return {
        "peer": entry.name,
        "seconds": min(times),
        "ratio": min(times) / min(ours),
        "lowest": min(ratios),
        "highest": max(ratios),
        "asked": entry.asked,
        "agrees": entry.agrees,
    }


def deliver(found):
    "Writes what a file has measured where the caller wants it, or shows it."
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            json.dump(found, file)
    elif isinstance(found, dict):
        print(json.dumps(found, indent=1))
    else:
        show(found)


def show(jobs):
    "The jobs on the screen."
    for job in jobs:
        print(f"\n{job['title']}: {job['seconds'] * 1e9:.4g} ns a {job['unit']}")
        for row in job["rows"]:
            print("  " + said(row))


def said(row):
    "A row in words."
    if "reason" in row:
        return f"{row['peer']}: not measured ({row['reason']})"
    asked = f", asked {row['asked']:g}" if row["asked"] else ""
    ratio, low, high = (times(row[name]) for name in ("ratio", "lowest", "highest"))
    return f"{row['peer']}: {ratio} times as long ({low} to {high}{asked}); {row['agrees']}"


def times(ratio):
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def within(difference):
    "A difference in words."
    return f"within {difference:.1g}" if difference else "equal"
