"""python -m tests.bench.loopbench [--thin] [--rate R] [--jobs N] [--out FOLDER]"""

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import fmean

from tests.bench.loopbench import grid, table, workers
from tests.bench.loopbench.grid import Cell
from tests.bench.loopbench.run import Bench, Store

Task = tuple[Cell, float]


def main() -> None:
    asked = _arguments()
    Bench(asked.out)  # the base is taught once, before anything shares it
    store = Store(asked.out / "cells.jsonl")
    with ProcessPoolExecutor(
        asked.jobs, multiprocessing.get_context("spawn"), workers.begin, (asked.out,)
    ) as pool:
        if asked.rate is None:
            _all(pool, store, [(cell, cell.rate or 0.0) for cell in grid.trials(asked.thin)])
        rates = chosen_rates(store)
        for (loss, tuning), rate in rates.items() if asked.rate is None else ():
            print(f"rate of {loss}, {tuning}: {rate:g}")
        wanted = grid.cells(asked.thin)
        given = [asked.rate or rates[one.loss, one.tuning] for one in wanted]
        _all(pool, store, list(zip(wanted, given, strict=True)))
    print(table.whole(list(store.found.values())))


def chosen_rates(store: Store) -> dict[tuple[str, str], float]:
    """Of each loss and way to tune the rate that won most on the seeds kept for that."""
    won: dict[tuple[str, str], dict[float, list[float]]] = {}
    for row in store.found.values():
        if row["rate"] is not None:
            seen = won.setdefault((row["loss"], row["tuning"]), {})
            seen.setdefault(row["rate"], []).append(row["win"])
    return {
        name: max(sorted(tried), key=lambda rate: fmean(tried[rate])) for name, tried in won.items()
    }


def _all(pool: ProcessPoolExecutor, store: Store, tasks: Sequence[Task]) -> None:
    waiting = [pool.submit(workers.measured, *task) for task in _missing(store, tasks)]
    done = len(tasks) - len(waiting)
    for each in as_completed(waiting):
        row = each.result()
        store.add(row)
        done += 1
        print(
            f"{done}/{len(tasks)} {row['key']}: win {row['win']:.2f}, {row['cpu_s']} s", flush=True
        )


def _missing(store: Store, tasks: Sequence[Task]) -> Iterator[Task]:
    return ((cell, rate) for cell, rate in tasks if cell.key not in store.found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Which loss needs the fewest votes?")
    parser.add_argument("--thin", action="store_true", help="a tenth of the cells")
    parser.add_argument("--rate", type=float, help="one learning rate for all; none is tried")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each of one thread")
    parser.add_argument("--out", type=Path, default=Path(".loopbench"), help="kept between runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
