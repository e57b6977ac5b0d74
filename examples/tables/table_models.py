"""What works with what: each architecture through each public function, as a table of the docs.

Run with ``make table-models``, or ``python examples/tables/table_models.py``. Rows are models with
random weights, columns are functions; a cell says "right" where the numbers are those of plain
torch in float64, "refused" where one sentence says what to do instead, else "wrong" or "raw
error". Models of libraries that are not installed are left out. ``--models GRU LSTM`` takes those
whose names begin so, ``--full`` adds torchvision's nets at their full size, ``--brief`` looks at
the first four functions alone, ``--summary`` prints one line for each model, and ``--notes`` says
why a cell is not right.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the models are those of the tests

from tests.real_models.architectures import ARCHITECTURES, FULL  # noqa: E402
from tests.real_models.functions import FUNCTIONS, Subject, cell  # noqa: E402
from tests.real_models.verdicts import ABSENT, RAW, REFUSED, RIGHT, WRONG  # noqa: E402


def parse(arguments=None):
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=[""], help="beginnings of names")
    parser.add_argument("--full", action="store_true", help="torchvision's nets at full size too")
    parser.add_argument("--brief", action="store_true", help="the first four functions alone")
    parser.add_argument("--summary", action="store_true", help="one line of words per model")
    parser.add_argument("--notes", action="store_true", help="print why cells are not right")
    return parser.parse_args(arguments)


def rows_of(architectures, functions, notes):
    """Yield the name and the verdicts of each installed architecture."""
    for architecture in architectures:
        if not architecture.installed:
            print(f"{architecture.name}: {architecture.needs} is not installed", file=sys.stderr)
            continue
        start, subject = time.perf_counter(), Subject(architecture)
        verdicts = {function: cell(subject, function) for function in functions}
        seconds = time.perf_counter() - start
        print(f"{architecture.name}: {seconds:.0f} s", file=sys.stderr)
        for function, verdict in verdicts.items():
            if notes and verdict.note and verdict.kind != RIGHT:
                print(f"  {function}: {verdict.kind}: {verdict.note}", file=sys.stderr)
        yield architecture.name, verdicts


def as_rst(rows, functions):
    """Text of the table."""
    lines = [".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
    for cells in [
        ["", *functions],
        *([name, *(v.kind for v in found.values())] for name, found in rows),
    ]:
        lines += [
            f"   {'* -' if not number else '  -'} {text}" for number, text in enumerate(cells)
        ]
    return "\n".join(lines)


def as_summary(rows):
    """Text of a table with a line for each model: how many functions are right, which are not."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    cells = [("model", "right", "refused in a sentence")]
    for name, found in rows:
        asked = {function: v.kind for function, v in found.items() if v.kind != ABSENT}
        right = [function for function, kind in asked.items() if kind == RIGHT]
        other = [function for function in asked if function not in right]
        cells.append((name, f"{len(right)} of {len(asked)}", ", ".join(other)))
    for row in cells:
        lines += [
            f"   {'* -' if not number else '  -'} {text}".rstrip()
            for number, text in enumerate(row)
        ]
    return "\n".join(lines)


def main():
    """Print the table and the number of cells of each kind."""
    options = parse()
    chosen = [
        a
        for a in ARCHITECTURES + (FULL if options.full else [])
        if a.name.startswith(tuple(options.models))
    ]
    functions = list(FUNCTIONS)[: 4 if options.brief else None]
    rows = list(rows_of(chosen, functions, options.notes))
    print(as_summary(rows) if options.summary else as_rst(rows, functions))
    kinds = [v.kind for _, found in rows for v in found.values() if v.kind != ABSENT]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in (RIGHT, REFUSED, WRONG, RAW))
    print(f"\n{len(kinds)} cells: {counts}.")


if __name__ == "__main__":
    main()
