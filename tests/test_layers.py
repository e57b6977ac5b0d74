"""The order of the house: imports point down, heavy libraries stay in their rooms."""

import ast
from pathlib import Path

import pytest

import sklearn_robust

PACKAGE = Path(sklearn_robust.__path__[0])

# From the ground up: a room imports from the floors below its own, never from a neighbour.
FLOORS = [
    {"_version", "exceptions", "_docstrings", "_layouts", "_parameters", "_samples"},
    {"_archive", "_functional", "_outputs", "_parallel", "_random"},
    {"_norms"},
    {"_validation"},
    {"_tables"},
    {"_threat_arrays"},
    {"_threat_model"},
    {"_streams", "_units"},
    {"differentiable", "modules", "datasets"},
    {"_trees"},
    {"attacks", "clustering"},
    {"certification"},
    {"nets", "callbacks"},
    {"metrics", "spectral"},
    {"plotting"},
    {"report", "cli"},
    {"__main__"},
    {"__init__"},
]
HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}
NEIGHBOURLY = {"report", "cli"}  # the top may use everything

# Rooms that may import a heavy library, and whether they may do so before it is needed.
HEAVY = {
    "skorch": ({"nets", "callbacks"}, True),
    "matplotlib": ({"plotting", "report"}, False),
    "torchvision": ({"datasets", "callbacks", "nets", "report", "cli"}, False),
}


def imports(tree, parents=(), in_function=False):
    """Yield (line, dotted name, inside a function) of all that a module imports.

    ``parents`` are the packages around the module, outermost first; relative imports need them.
    What only a type checker imports counts like an import inside a function.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, in_function
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else ()
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{source}.{alias.name}", in_function
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            yield from imports(node, parents, in_function or function or typing)


def faults(path, text):
    """List what the module at ``path``, relative to the package, imports against the order."""
    room = path.parts[0].removesuffix(".py")
    if room not in HEIGHT:
        return [f"{path}: the room {room} has no floor; give it one here"]
    found = []
    parents = ("sklearn_robust", *path.parts[:-1])
    for line, name, in_function in imports(ast.parse(text), parents):
        library, *rest = name.split(".")
        if library == "sklearn_robust":
            other = rest[0] if rest and rest[0] in HEIGHT else "__init__"
            if rest and rest[0] == "__version__":
                other = "_version"
            together = other == room or {other, room} <= NEIGHBOURLY
            if HEIGHT[other] >= HEIGHT[room] and not together:
                found.append(f"{path}:{line}: {room} imports {other}, which is not below it")
        elif library in HEAVY:
            rooms, early = HEAVY[library]
            if room not in rooms:
                found.append(f"{path}:{line}: {room} imports {library}")
            elif not (early or in_function):
                found.append(f"{path}:{line}: {library} is imported outside a function")
    return found


@pytest.mark.parametrize(
    "path",
    [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))],
    ids=str,
)
def test_imports_point_down(path):
    assert faults(path, (PACKAGE / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("attacks/_pgd.py", "from ..nets import NaturalNet"),
        ("attacks/_pgd.py", "from sklearn_robust.clustering import linearize"),
        ("attacks/_pgd.py", "import sklearn_robust.metrics"),
        ("attacks/_pgd.py", "from .. import nets"),
        ("attacks/_pgd.py", "from sklearn_robust import robust_score"),
        ("attacks/deep/_pgd.py", "from ...nets import NaturalNet"),
        ("attacks/_pgd.py", "def f():\n    from ..nets import NaturalNet"),
        ("attacks/_pgd.py", "import skorch"),
        ("_functional.py", "from ._validation import check_inputs"),
        ("nets/_base.py", "from ..callbacks import RobustEarlyStopping"),
        ("metrics/_robust.py", "def f():\n    import matplotlib.pyplot"),
        ("plotting/_surface.py", "from matplotlib import pyplot"),
        ("plotting/_surface.py", "class A:\n    import matplotlib"),
        ("datasets/_vision.py", "import torchvision"),
        ("attic/_old.py", ""),
    ],
)
def test_an_import_against_the_order_is_found(path, line):
    assert len(faults(Path(path), line)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("__init__.py", "from .metrics import robust_score"),
        ("nets/_base.py", "import skorch\nfrom ..attacks import PGD\nfrom ._natural import A"),
        ("nets/_base.py", "from .. import _functional, attacks, __version__"),
        ("nets/_base.py", "from sklearn_robust.exceptions import BlackBoxWarning"),
        ("plotting/_surface.py", "def f():\n    from matplotlib import pyplot"),
        ("plotting/_surface.py", "if TYPE_CHECKING:\n    from matplotlib.axes import Axes"),
        ("datasets/_vision.py", "def f():\n    import torchvision"),
        ("cli.py", "from .report import write\nfrom .nets import NaturalNet"),
        ("__main__.py", "from .cli import main"),
    ],
)
def test_an_import_within_the_order_passes(path, line):
    assert faults(Path(path), line) == []
