"""Fuzzing by hand, as long as one likes: `python -m tests.fuzz --parser sdp --count 10000000 --seed 1`.

Without `--parser`, all of them, one after the other. Ends at the first find, which it prints with its input; the same
seed and number make it again (`--from`).
"""

import argparse
import sys
import time

from tests.fuzz.targets import NAMES_OF_TARGETS, Find, fuzz

AT_ONCE = 100_000


def main() -> int:
    """Fuzz as told; 1 after a find."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--parser", choices=NAMES_OF_TARGETS, action="append", help="which one; may be given again")
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="NUMBER", help="number of the first input")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop each after so long")
    asked = parser.parse_args()
    for name in asked.parser or NAMES_OF_TARGETS:
        began, done, taken = time.perf_counter(), 0, 0
        while done < asked.count and time.perf_counter() - began < asked.seconds:
            numbers = range(asked.first + done, asked.first + min(done + AT_ONCE, asked.count))
            try:
                taken += fuzz(name, numbers, asked.seed).taken
            except Find as find:
                print(find, file=sys.stderr)
                return 1
            done += len(numbers)
        seconds = time.perf_counter() - began
        print(f"{name}: {done} inputs, {taken} taken, {done - taken} refused, no find; {seconds:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
