"""Compare trained weights and verdicts with those of another version of the package, bit for bit.

``compare_numbers.py write FILE`` trains five nets on the digits, attacks each with six attacks in
three norms, and writes weights, adversarial examples and verdicts to an .npz file.
``compare_numbers.py check FILE`` does the same and names every array that differs from the file's.
Run both on one machine: other processors round differently.
"""

import argparse

import numpy as np
import torch

from sklearn_robust import AdvTrainNet, GAIRATNet, JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import APGD, BIM, FAB, FGSM, PGD, Square
from sklearn_robust.datasets import load_digits_images

NETS = {
    "natural": NaturalNet(),
    "adv_train": AdvTrainNet(attack__eps=0.1),
    "jacobian": JacobianRegNet(lam=0.01),
    "min_max": MinMaxNet(attack__eps=0.1, attack__max_iter=5),
    "gairat": GAIRATNet(attack__eps=0.1, attack__max_iter=5, max_epochs=4),
}
EPS = {"linf": 0.15, "l2": 1.0, "l1": 4.0}
ATTACKS = {
    "fgsm": FGSM(),
    "bim": BIM(),
    "pgd": PGD(n_restarts=2, loss="margin"),
    "apgd": APGD(max_iter=20),
    "fab": FAB(max_iter=10),
    "square": Square(max_iter=200),
}
N_ATTACKED = 100


def numbers():
    """Weights of all nets, and what every attack finds, by name."""
    X, y = load_digits_images()
    X_attacked, y_attacked = X[-N_ATTACKED:], y[-N_ATTACKED:]
    found = {}
    for name, net in NETS.items():
        net.set_params(max_epochs=4, random_state=0, device="cpu").fit(X[:1000], y[:1000])
        for weight, value in net.module_.state_dict().items():
            found[f"{name}/weights/{weight}"] = value.numpy()
        for norm, eps in EPS.items():
            for kind, attack in ATTACKS.items():
                attack.set_params(norm=norm, eps=eps, random_state=0)
                result = attack.evaluate(net, X_attacked, y_attacked)
                found[f"{name}/{norm}/{kind}/fooled"] = result.fooled
                found[f"{name}/{norm}/{kind}/X_adv"] = result.X_adv
                if kind in ("pgd", "fgsm"):
                    key = f"{name}/{norm}/{kind}/generated"
                    found[key] = attack.generate(net, X_attacked, y_attacked)
    return found


def main():
    """Write the numbers, or compare them with a file's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = numbers()
    if args.action == "write":
        np.savez_compressed(args.file, **found)
        print(f"{len(found)} arrays written to {args.file}.")
        return
    with np.load(args.file) as known:
        if set(known) != set(found):
            raise SystemExit(f"other arrays: {sorted(set(known) ^ set(found))[:10]}")
        differ = {name: _gap(known[name], value) for name, value in found.items()}
    differ = {name: gap for name, gap in differ.items() if gap is not None}
    for name, gap in differ.items():
        print(f"{name}: {gap}")
    print(f"{len(found) - len(differ)} of {len(found)} arrays are equal bit for bit.")
    raise SystemExit(bool(differ))


def _gap(known, value):
    """Describe how two arrays differ; None if they do not."""
    if known.dtype == value.dtype and np.array_equal(known, value):
        return None
    if known.shape != value.shape:
        return f"shape {known.shape} became {value.shape}"
    return f"largest difference {np.abs(known.astype(float) - value.astype(float)).max():.3g}"


if __name__ == "__main__":
    main()
