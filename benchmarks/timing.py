"""Timing side by side: contestants take turns, the best round of each counts."""

import time


def rounds_of(*contestants, rounds=5, clock=time.perf_counter):
    "Seconds of each round of each; they run in turn, so that a noisy neighbour hits all of them."
    times = [[] for _ in contestants]
    for _ in range(rounds):
        for run, seen in zip(contestants, times):
            start = clock()
            run()
            seen.append(clock() - start)
    return times


def best_of(*contestants, rounds=5):
    "Best seconds of each."
    return [min(t) for t in rounds_of(*contestants, rounds=rounds)]


def show(title, rows):
    "A small table on the screen."
    print(f"\n{title}")
    for name, value, unit in rows:
        print(f"  {name:32s} {value:12.4g} {unit}")
