"""Run many seeds: `PYTHONPATH=tests .venv/bin/python -m simulation --seeds 20000`."""

import argparse
import sys
import time

from simulation.runner import a_simulation


def main() -> int:
    """Run the seeds; the first that fails prints its story."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep-going", action="store_true", help="list failing seeds instead of telling the first")
    given = parser.parse_args()
    began_s = time.perf_counter()
    failed = 0
    with a_simulation() as simulation:
        for number, seed in enumerate(range(given.first, given.first + given.seeds), 1):
            result = simulation.run(seed)
            if result.faults:
                failed += 1
                print(f"seed {seed}: {result.faults[0]}" if given.keep_going else result.story())
                if not given.keep_going:
                    return 1
            if number % 50 == 0:
                rate = number / (time.perf_counter() - began_s) * 60
                print(
                    f"\r{number} of {given.seeds} seeds, {rate:.0f} a minute, {failed} failed", end="", file=sys.stderr
                )
    spent_s = time.perf_counter() - began_s
    print(f"\n{given.seeds} seeds, {failed} failed, {spent_s:.0f} s, {given.seeds / spent_s * 60:.0f} a minute")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
