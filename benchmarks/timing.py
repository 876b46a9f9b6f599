"""Timing side by side: contestants take turns, the best round of each counts."""

import time


def best_of(*contestants, rounds=5):
    "Best seconds of each; they run in turn, so that a noisy neighbour hits all of them."
    times = [[] for _ in contestants]
    for _ in range(rounds):
        for run, seen in zip(contestants, times):
            start = time.perf_counter()
            run()
            seen.append(time.perf_counter() - start)
    return [min(t) for t in times]


def show(title, rows):
    "A small table on the screen."
    print(f"\n{title}")
    for name, value, unit in rows:
        print(f"  {name:32s} {value:12.4g} {unit}")
