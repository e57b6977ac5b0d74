"""The README's Python runs as it stands, and the pages of the project agree with each other."""

import re
from pathlib import Path

from sklearn_robust import __version__

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) > 3
    exec(compile("\n".join(blocks), "README.md", "exec"), {"__name__": "readme"})


def test_the_pictures_of_the_readme_exist():
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / picture).is_file(), picture


def test_continuous_integration_runs_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    commands = re.findall(r"^make .*$", script, flags=re.MULTILINE)
    assert {"make lint", "make test"} <= set(commands)
    assert all(f"$ {command}" in README.read_text() for command in commands)


def test_the_version_has_a_dated_section_of_the_changelog_and_is_the_one_to_cite():
    cited = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {__version__}\n" in cited
    assert re.search(r"^date-released: \d{4}-\d\d-\d\d$", cited, flags=re.MULTILINE)
    changelog = (ROOT / "docs" / "changelog.md").read_text()
    assert re.search(rf"^## {re.escape(__version__)} \(.*\d{{4}}\)$", changelog, flags=re.MULTILINE)
