"""Print the lowest version of each dependency that pyproject.toml promises, as pip constraints.

The extras that a user installs count too; those of the developers (docs, test, bench) do not.
"""

import re
import tomllib
from pathlib import Path

DEVELOPMENT = {"bench", "docs", "test"}
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,.-]+\])?>=([\w.]+)")


def lowest(requirement: str) -> str:
    """Turn ``name[extra]>=version`` into ``name==version``."""
    match = REQUIREMENT.fullmatch(requirement)
    if match is None:
        raise SystemExit(f"{requirement!r} has no single lower bound; write it as name>=version.")
    return f"{match[1]}=={match[2]}"


def main() -> None:
    """Read the project's dependencies and print one constraint per line."""
    path = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = list(project["dependencies"])
    for name in sorted(extras.keys() - DEVELOPMENT):
        requirements += extras[name]
    print(*map(lowest, requirements), sep="\n")


if __name__ == "__main__":
    main()
