"""Count what the design of the package promises: how often a call opens its model, and the like.

``count_structure.py`` prints each count beside its limit, in less than half a minute. It counts
whichever version of the package is first on the path.
"""

import ast
import importlib
import inspect
import pkgutil
import sys
import warnings
from collections import Counter
from pathlib import Path

import torch
from _public_calls import DISPLAYS, INDICATORS, SCORES
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.optim.adam import adam

import sklearn_robust
from sklearn_robust import MinMaxNet, NaturalNet, robust_score
from sklearn_robust import differentiable as package_of_models
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.modules import MLP

PACKAGE = Path(sklearn_robust.__path__[0])
NORMS = {"linf", "l2", "l1"}
LOOPS = {"_evaluate", "robust_mask", "verdict"}  # methods of an attack that find robust samples


def opened(call, *data):
    """Count the models that a call opens; one that is passed on or opens another counts once."""
    model = getattr(package_of_models, "Model", None)  # versions before it have as_module alone
    doors = {package_of_models.as_module.__code__}
    if model is not None:
        doors.add(model.__init__.__code__)
    count = depth = 0

    def watch(frame, event, _):
        nonlocal count, depth
        if frame.f_code not in doors:
            return
        if event == "call":
            count += not depth and not _is_open(frame.f_locals["estimator"])
            depth += 1
        elif event == "return":
            depth -= 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.setprofile(watch)
        try:
            call(*data)
        finally:
            sys.setprofile(None)
    return count


def _is_open(thing):
    ours = type(thing).__module__.startswith("sklearn_robust.differentiable")
    return ours and not isinstance(thing, BaseEstimator)


class _Reached(Exception):
    """The function that was waited for is about to run."""


def calls_until(codes, call):
    """Our calls, those of skorch, our files and our frames on the stack, until a function runs."""
    ours, skorch, files, stack = 0, 0, set(), 0

    def watch(frame, event, _):
        nonlocal ours, skorch, stack
        if event != "call":
            return
        if frame.f_code in codes:
            sys.setprofile(None)
            while frame is not None:
                stack += _is_ours(frame.f_code)
                frame = frame.f_back
            raise _Reached
        if _is_ours(frame.f_code):
            ours += 1
            files.add(frame.f_code.co_filename)
        skorch += "/skorch/" in frame.f_code.co_filename

    sys.setprofile(watch)
    try:
        call()
    except _Reached:
        return ours, skorch, len(files), stack
    finally:
        sys.setprofile(None)
    raise RuntimeError("the call ended without reaching the function")


def _is_ours(code):
    return code.co_filename.startswith(f"{PACKAGE}/")


def trees():
    """Syntax trees of all modules, by their paths relative to the package."""
    return {
        path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def calls_of(tree):
    """Yield (callee, arguments) of all calls in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func, node.args


def protocols(modules):
    """Number of getattr and hasattr with a literal name."""
    return sum(
        isinstance(callee, ast.Name)
        and callee.id in ("getattr", "hasattr")
        and len(args) > 1
        and isinstance(args[1], ast.Constant)
        for tree in modules.values()
        for callee, args in calls_of(tree)
    )


def norm_tables(modules):
    """Files with a dict literal that has two or more norms as keys, and how many each has."""
    found = {}
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                # Normalizer of scikit-learn has a "max" beside l1 and l2: another thing.
                of_norms = len(keys & NORMS) > 1 and "max" not in keys
                found[path] = found.get(path, 0) + of_norms
    return {str(path): count for path, count in found.items() if count}


def norm_branches(modules):
    """Files that compare something with the name of a norm, and how often."""
    found = {}
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                named = any(isinstance(s, ast.Constant) and s.value in NORMS for s in sides)
                found[str(path)] = found.get(str(path), 0) + named
    return {path: count for path, count in found.items() if count}


def loops(modules):
    """Files that ask an attack for its robust samples: the evaluation, and whoever goes past it."""
    return [str(path) for path, tree in modules.items() if _finds_robust_samples(path, tree)]


def _finds_robust_samples(path, tree):
    if path.parts[0] == "attacks":
        return any(isinstance(n, ast.FunctionDef) and n.name == "robust_mask" for n in tree.body)
    methods = {
        callee.attr
        for callee, _ in calls_of(tree)
        if isinstance(callee, ast.Attribute) and ast.unparse(callee.value) != "self"
    }
    fooled = any(
        isinstance(node, ast.Attribute)
        and node.attr == "fooled"
        and isinstance(node.value, ast.Call)
        for node in ast.walk(tree)
    )
    return bool(methods & LOOPS) or fooled


def public_functions():
    """Functions behind the public names: themselves, constructors and public methods."""
    for info in (None, *pkgutil.iter_modules([str(PACKAGE)])):
        if info is not None and (info.name.startswith("_") or info.name in ("cli", "report")):
            continue
        module = importlib.import_module(f"sklearn_robust.{info.name}" if info else PACKAGE.name)
        for name in module.__all__:
            thing = vars(module)[name]
            if inspect.isclass(thing):
                yield from _methods(thing)
            elif callable(thing):
                yield thing


def _methods(cls):
    for base in cls.__mro__:
        if base.__module__.startswith("sklearn_robust"):
            for name, value in vars(base).items():
                function = inspect.unwrap(getattr(value, "__func__", value))
                public = name == "__init__" or not name.startswith("_")
                if public and inspect.isfunction(function):
                    yield function


def annotations():
    """Annotated and all arguments of public signatures, hinted returns, functions, and the rest."""
    functions = set(public_functions())
    hinted = total = returns = 0
    missing = []
    for function in functions:
        signature = inspect.signature(function)
        arguments = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        bare = [p.name for p in arguments if p.annotation is p.empty]
        total += len(arguments)
        hinted += len(arguments) - len(bare)
        has_return = signature.return_annotation is not signature.empty
        returns += has_return
        if bare or not has_return:
            missing.append(function.__module__.split(".")[1])
    where = [f"{name}: {count} functions" for name, count in Counter(missing).most_common()]
    return hinted, total, returns, len(functions), where


def upward_imports():
    """Imports against the order of the layers, by the layer test beside the package."""
    sys.path.insert(0, str(PACKAGE.parent))
    from tests.test_layers import faults

    paths = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    return [f for path in paths for f in faults(path, (PACKAGE / path).read_text("utf-8"))]


def show(title, value, limit, details=()):
    """Print one count, its limit, and where it comes from."""
    print(f"{title:<64s} {value!s:>7s}  limit {limit}")
    for detail in details:
        print(f"    {detail}")


def show_opened(title, calls, *data):
    """Print how many models each of several public calls opens."""
    counts = {name: opened(call, *data) for name, call in calls.items()}
    over = [f"{name}: {count}" for name, count in counts.items() if count != 1]
    show(
        f"models opened per call: {title}, the most of {len(calls)}", max(counts.values()), 1, over
    )


def main():
    """Print all counts."""
    torch.set_num_threads(1)
    X, y = load_digits_images()
    X, y = X[:300], y[:300]
    net = NaturalNet(MLP, max_epochs=3, random_state=0, device="cpu").fit(X, y)
    flat = X.reshape(len(X), -1)
    pipe = make_pipeline(StandardScaler(), NaturalNet(max_epochs=1, device="cpu")).fit(flat, y)

    data = (net, X[:20], y[:20])
    show_opened("scores", SCORES, *data)
    show_opened("indicators", INDICATORS, *data)
    show_opened("displays", DISPLAYS, *data)

    modules = trees()
    found = loops(modules)
    show("loops that find robust accuracy", len(found), 1, found)
    tables = norm_tables(modules)
    details = [f"{path}: {count}" for path, count in tables.items()]
    show("files with tables of norms", len(tables), 1, details)
    branches = norm_branches(modules)
    show("branches on the name of a norm", sum(branches.values()), "-", branches)
    show("files directly in nets/", len(list((PACKAGE / "nets").glob("*.py"))), 20)
    show("getattr and hasattr with literal names", protocols(modules), 40)

    hinted, total, returns, functions, missing = annotations()
    share = f"{100 * hinted / total:.1f} %"
    show(f"annotated arguments of public signatures, of {total}", share, "100 %")
    share = f"{100 * returns / functions:.1f} %"
    show(f"public functions with a return annotation, of {functions}", share, "100 %", missing)

    call = lambda: robust_score(pipe, flat[:20], y[:20], attack=PGD(eps=0.1))  # noqa: E731
    ours, _, files, stack = calls_until({torch.autograd.grad.__code__}, call)
    show("own calls from robust_score to the first gradient", ours, 300)
    show("own files on the way, and own frames on the stack", f"{files}, {stack}", "18, -")
    codes = {inspect.unwrap(adam).__code__}
    call = lambda: MinMaxNet(max_epochs=1, device="cpu").fit(flat, y)  # noqa: E731
    ours, skorch, files, stack = calls_until(codes, call)
    show(f"own calls from MinMaxNet().fit to the optimiser ({skorch} of skorch)", ours, 400)
    show("own files on the way, and own frames on the stack", f"{files}, {stack}", "-")
    upward = upward_imports()
    show("upward imports", len(upward), 0, upward)


if __name__ == "__main__":
    main()
