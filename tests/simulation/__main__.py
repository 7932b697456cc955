"""Run many seeds: `PYTHONPATH=tests .venv/bin/python -m simulation --seeds 20000 --jobs 2`."""

import argparse
import multiprocessing
import queue
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.queues import Queue

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.runner import Result, run_all


def main() -> int:
    """Run the seeds; the first that fails tells its story. Ends with 1 when one has failed."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a database server of its own")
    parser.add_argument("--keep-going", action="store_true", help="list what broke in every seed, without the stories")
    parser.add_argument("--story", action="store_true", help="tell the story of seeds that pass, too")
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    results: Queue[Result] = context.Queue()
    enough = context.Event()
    seeds = range(given.first, given.first + given.seeds)
    jobs = [
        context.Process(target=run_all, args=(seeds[job :: given.jobs], results, enough)) for job in range(given.jobs)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # like Ctrl-C: no database server is left behind
    began_s, failed, done = time.perf_counter(), 0, 0
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    try:
        for job in jobs:
            job.start()
        with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("", total=given.seeds)
            while done < given.seeds and (given.keep_going or not failed):
                try:
                    result = results.get(timeout=1)
                except queue.Empty:
                    if any(job.exitcode for job in jobs):
                        break
                    continue
                done += 1
                rate = done / (time.perf_counter() - began_s) * 60
                progress.update(bar, advance=1, description=f"{rate:.0f} seeds a minute, {failed} failed")
                if result.faults:
                    failed += 1
                if result.faults and given.keep_going:
                    progress.print(f"seed {result.seed}: {result.faults[0].splitlines()[0]}", markup=False)
                elif result.faults or given.story:
                    progress.print(result.story(), markup=False, soft_wrap=True)
    finally:
        enough.set()
        while any(job.is_alive() for job in jobs):
            with suppress(queue.Empty):
                results.get(timeout=0.1)  # a process with something to tell does not end
        spent_s = time.perf_counter() - began_s
        print(f"{done} of {given.seeds} seeds, {failed} failed, {spent_s:.0f} s, {done / spent_s * 60:.0f} a minute")
    return 0 if done == given.seeds and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
