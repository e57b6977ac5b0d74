"""Peak memory of public calls over what the process held before, each in a process of its own.

python examples/benchmarks/memory.py            all rows, a few minutes on two cores
python examples/benchmarks/memory.py predict    the rows whose names hold a word
python examples/benchmarks/memory.py --gigabytes 4 memmap

Memory of the process alone counts, not pages of files that it maps, since the system takes those
back when it needs them. It is read from /proc, so that the script needs Linux. The exit status is
1 if a row is over its limit.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

MB = 2**20
N_ROWS, N_FEATURES = 1_000_000, 20


def rows_of_a_table(n=N_ROWS, n_features=N_FEATURES):
    """Float32 samples, labels, and the parameters of a linear rule that made these."""
    import numpy as np

    generator = np.random.default_rng(0)
    X = generator.standard_normal((n, n_features), dtype=np.float32)
    weight = generator.standard_normal(n_features).astype(np.float32)
    return X, (X @ weight > 0).astype(int)


def small_net(X, y, **params):
    """Net that was trained on a few rows."""
    from sklearn_robust import NaturalNet

    return NaturalNet(max_epochs=1, batch_size=256, random_state=0, **params).fit(X, y)


def file_of_rows(gigabytes):
    """Memory map of float32 samples, written in parts, and labels."""
    import numpy as np

    n, n_features = int(gigabytes * 2**30 / 4 / 256), 256
    path = Path(tempfile.gettempdir()) / f"rows-of-{gigabytes}-GB.npy"
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, n)
    if not path.exists():
        part = path.with_suffix(".part")
        X = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(n, n_features))
        for start in range(0, n, 4096):
            some = y[start : start + 4096]
            X[start : start + 4096] = generator.random((len(some), n_features), dtype=np.float32)
            X[start : start + 4096, 0] = 0.8 * some
        X.flush()
        part.rename(path)
    return np.load(path, mmap_mode="r"), y


def predict_net(options):
    X, y = rows_of_a_table()
    net = small_net(X[:2000], y[:2000])
    return lambda: net.predict(X)


def proba_linear(options):
    from sklearn.linear_model import LogisticRegression

    from sklearn_robust.differentiable import open_model

    X, y = rows_of_a_table()
    model = open_model(LogisticRegression().fit(X[:2000], y[:2000]))
    model.predict_codes(X[:10])
    return lambda: model.predict_codes(X)


def score(make_model):
    def row(options):
        from sklearn_robust import robust_score
        from sklearn_robust.attacks import PGD

        X, y = rows_of_a_table()
        model = make_model(X[:2000], y[:2000])
        attack = PGD(eps=0.1, max_iter=3, random_state=0)
        robust_score(model, X[:100], y[:100], attack=attack)
        return lambda: robust_score(model, X, y, attack=attack)

    return row


def linear(X, y):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)


def score_of_cascade(options):
    from sklearn_robust import robust_score
    from sklearn_robust.attacks import PGD, Square, WorstCase

    X, y = rows_of_a_table()
    model = linear(X[:2000], y[:2000])
    members = [PGD(max_iter=2), Square(max_iter=3)]
    attack = WorstCase(members, eps=0.1, random_state=0)
    robust_score(model, X[:100], y[:100], attack=attack)
    return lambda: robust_score(model, X, y, attack=attack)


def fit_memmap(options):
    from sklearn_robust import NaturalNet

    X, y = file_of_rows(options.gigabytes)
    small_net(X[:2000], y[:2000])
    net = NaturalNet(max_epochs=1, batch_size=1024, random_state=0)
    return lambda: net.fit(X, y)


def predict_memmap(options):
    X, y = file_of_rows(options.gigabytes)
    net = small_net(X[:2000], y[:2000])
    return lambda: net.predict(X)


def score_memmap(options):
    from sklearn_robust import robust_score
    from sklearn_robust.attacks import PGD

    X, y = file_of_rows(options.gigabytes)
    net = small_net(X[:2000], y[:2000])
    attack = PGD(eps=0.1, max_iter=2, random_state=0)
    robust_score(net, X[:100], y[:100], attack=attack)
    return lambda: robust_score(net, X, y, attack=attack)


def fit_float32(options):
    from sklearn_robust import NaturalNet

    X, y = rows_of_a_table()
    small_net(X[:2000], y[:2000])
    net = NaturalNet(max_epochs=1, batch_size=4096, random_state=0)
    return lambda: net.fit(X, y)


def kernel_svc(options):
    from sklearn.svm import SVC

    from sklearn_robust.attacks import PGD

    X, y = rows_of_a_table(10_000)
    model = SVC(C=1e-3).fit(X[:5000], y[:5000])
    assert len(model.support_) > 4500
    attack = PGD(eps=0.1, max_iter=1, random_state=0)
    attack.evaluate(model, X[:10], y[:10])
    return lambda: attack.evaluate(model, X, y)


def kernel_svc_jacobian(options):
    from sklearn.svm import SVC

    from sklearn_robust.metrics import input_jacobian

    X, y = rows_of_a_table(10_000)
    model = SVC(C=1e-3).fit(X[:5000], y[:5000])
    input_jacobian(model, X[:10], y[:10])
    return lambda: input_jacobian(model, X, y)


def many_classes(n=200):
    """Net of 1,000 classes for images of 3 x 32 x 32, and samples."""
    import numpy as np
    import torch
    from torch import nn

    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1))
    module = nn.Sequential(features, nn.ReLU(), nn.Flatten(), nn.Linear(64 * 64, 1000)).eval()
    X = np.random.default_rng(0).random((n, 3, 32, 32), dtype=np.float32)
    with torch.no_grad():
        return module, X, module(torch.tensor(X)).argmax(1).numpy()


def classes_auto_attack(options):
    from sklearn_robust.attacks import APGD, FAB, AutoAttack

    module, X, y = many_classes()
    members = [APGD(loss="targeted_dlr", max_iter=5), FAB(n_target_classes=9, max_iter=3)]
    attack = AutoAttack(eps=1e-4, version="custom", attacks=members, random_state=0)
    return lambda: attack.evaluate(module, X, y)


def classes_fab_all(options):
    from sklearn_robust.attacks import FAB

    module, X, y = many_classes()
    return lambda: FAB(max_iter=1, eps=1e-4, random_state=0).evaluate(module, X[:64], y[:64])


def classes_deepfool(options):
    from sklearn_robust.attacks import DeepFool

    module, X, y = many_classes()
    return lambda: DeepFool(max_iter=1, eps=1e-4).evaluate(module, X[:64], y[:64])


def classes_jacobian(options):
    from sklearn_robust.metrics import input_jacobian

    module, X, y = many_classes(10)
    return lambda: input_jacobian(module, X, y, of="logits")


def classes_weights(options):
    from sklearn_robust.clustering import class_weight_matrix

    module, X, y = many_classes(2)
    return lambda: class_weight_matrix(module, X)


def classes_mean_jacobian(options):
    from sklearn_robust.clustering import class_weight_matrix

    module, X, y = many_classes(10)
    return lambda: class_weight_matrix(module, X, method="mean_jacobian")


def wide(n=200, n_features=100_000):
    """Linear model of 100,000 features, and samples."""
    import numpy as np
    from sklearn.linear_model import SGDClassifier

    generator = np.random.default_rng(0)
    X = generator.random((n, n_features), dtype=np.float32)
    y = generator.integers(0, 3, n)
    return SGDClassifier(loss="log_loss", max_iter=2, tol=None, random_state=0).fit(X, y), X, y


def features_pgd(options):
    from sklearn_robust import robust_score
    from sklearn_robust.attacks import PGD

    model, X, y = wide()
    attack = PGD(eps=1e-3, max_iter=10, random_state=0)
    return lambda: robust_score(model, X, y, attack=attack)


def features_scaled(options):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from sklearn_robust.metrics import input_jacobian

    model, X, y = wide()
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    return lambda: input_jacobian(pipeline, X, y)


DATA = N_ROWS * N_FEATURES * 4 / MB
ROWS = {
    "predict, net, 1,000,000 x 20": (predict_net, 2 * DATA),
    "predict, linear, 1,000,000 x 20": (proba_linear, 2 * DATA),
    "robust_score, net, 1,000,000 x 20": (score(small_net), 2 * DATA),
    "robust_score, pipeline, 1,000,000 x 20": (score(linear), 2 * DATA),
    "robust_score, cascade, 1,000,000 x 20": (score_of_cascade, 2 * DATA),
    "fit, float32, 1,000,000 x 20": (fit_float32, 2 * DATA),
    "fit, memmap": (fit_memmap, 300),
    "predict, memmap": (predict_memmap, 300),
    "robust_score, memmap": (score_memmap, 300),
    "PGD, SVC of 5,000 vectors, 10,000 rows": (kernel_svc, 1024),
    "input_jacobian, SVC of 5,000 vectors, 10,000 rows": (kernel_svc_jacobian, 1024),
    "AutoAttack's targeted members, 1,000 classes": (classes_auto_attack, 2048),
    "FAB, 1,000 classes": (classes_fab_all, 2048),
    "DeepFool, 1,000 classes": (classes_deepfool, 2048),
    "input_jacobian of logits, 1,000 classes": (classes_jacobian, 2048),
    "class_weight_matrix, 1,000 classes": (classes_weights, 2048),
    "class_weight_matrix, mean_jacobian, 1,000 classes": (classes_mean_jacobian, 2048),
    "robust_score by PGD, 100,000 features": (features_pgd, 1024),
    "input_jacobian of a pipeline, 100,000 features": (features_scaled, 1024),
}


def held(process):
    """Megabytes of a process that are no pages of a file; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [line.split() for line in lines if line.startswith(("RssAnon", "RssShmem"))]
    return sum(int(size) for _, size, _ in sizes) / 1024


def measure(name, options):
    """Peak over the baseline in megabytes, and seconds."""
    command = [sys.executable, __file__, "--run", name, "--gigabytes", str(options.gigabytes)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} failed before it was measured.")
        baseline = peak = held(process)
        start = time.perf_counter()
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.poll() is None:
            peak = max(peak, held(process))
            time.sleep(0.001)
    if process.returncode:
        raise SystemExit(f"{name} failed.")
    return peak - baseline, time.perf_counter() - start


def run(name, options):
    """Prepare one row, wait until the parent has seen the baseline, and run it."""
    warnings.simplefilter("ignore")
    call = ROWS[name][0](options)
    print("ready", flush=True)
    sys.stdin.readline()
    call()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="rows whose names hold one of these")
    parser.add_argument("--gigabytes", type=float, default=1, help="size of the memory map")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return run(options.run, options)
    over = False
    print(f"{'call':52}{'MB over baseline':>18}{'limit':>8}{'seconds':>9}")
    for name, (_, limit) in ROWS.items():
        if options.words and not any(word in name for word in options.words):
            continue
        megabytes, seconds = measure(name, options)
        over |= megabytes > limit
        mark = "  over" if megabytes > limit else ""
        print(f"{name:52}{megabytes:18.0f}{limit:8.0f}{seconds:9.1f}{mark}", flush=True)
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
