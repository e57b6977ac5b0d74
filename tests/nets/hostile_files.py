"""Files that try to run code, to eat the machine, or to lie about what they hold."""

import io
import json
import os
import pickle
import resource
import signal
import struct
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sklearn_robust import NaturalNet, load_net
from sklearn_robust.datasets import load_npz
from tests.cases import blobs, quick

__all__ = ["HOSTILE", "Hostile", "Outcome", "open_in_child"]

X, Y = blobs()
MARKER = "was_here"  # what a file that runs code leaves behind
SECONDS, MEGABYTES = 60, 150


@dataclass(frozen=True)
class Hostile:
    """A hostile file.

    Parameters
    ----------
    write : callable
        ``write(folder) -> path``.
    read : callable
        ``read(path)``: what a user does with the file.
    may_load : bool
        Whether reading it may end well, with the harm left out.
    """

    write: Callable
    read: Callable
    may_load: bool = False


@dataclass
class Outcome:
    """What came of reading a file in a process of its own."""

    error: str | None  # name of the error's class
    text: str
    ours: bool  # a sentence of the library
    warned: tuple = ()
    seconds: float = 0.0
    megabytes: float = 0.0
    ran_code: bool = False


# -- reading in a child ---------------------------------------------------------------------------


def open_in_child(hostile, folder):
    """Read the file in a fork that may neither run long nor use much memory.

    Parameters
    ----------
    hostile : Hostile
        What to write and read.
    folder : Path
        Where.
    """
    path = hostile.write(folder)
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _read(hostile, path, folder, sink)
    os.close(sink)
    outcome = _wait(child, source)
    outcome.ran_code = (folder / MARKER).exists()
    return outcome


def _read(hostile, path, folder, sink):
    """Read the file, tell the parent what came of it, and end: runs in the child."""
    os.chdir(folder)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    before = _resident()
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = address_space + 3 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            hostile.read(path)
            found = Outcome(None, "", False)
        except BaseException as error:
            found = Outcome(type(error).__name__, str(error)[:5000], _is_ours(error))
    found.warned = tuple(str(w.message)[:300] for w in told)
    found.seconds = time.monotonic() - start
    found.megabytes = (_peak() - before) / 2**20
    os.write(sink, pickle.dumps(found)[: 2**16])
    os._exit(0)


def _is_ours(error):
    from tests.real_models.verdicts import is_ours

    return is_ours(error, sklearn=False)


def _resident():
    """Resident memory now; where the system can, the peak is forgotten."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _wait(child, source):
    start, parts = time.monotonic(), []
    while time.monotonic() - start < SECONDS:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            while part := os.read(source, 2**16):
                parts.append(part)
            os.close(source)
            if not parts:
                return Outcome("died", f"the process ended with status {status}", False)
            return pickle.loads(b"".join(parts))
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(source)
    return Outcome("hang", f"no answer after {SECONDS} seconds", False, (), float(SECONDS))


# -- net files ------------------------------------------------------------------------------------


def _saved(folder):
    """Parts of a sound net file: what it says, and its weights."""
    path = folder / "sound.net"
    quick(NaturalNet, module__hidden=[4]).fit(X, Y).save(path)
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("net.json")), archive.read("weights.pt")


def _write_net(folder, about, weights, pack=zipfile.ZIP_DEFLATED):
    path = folder / "hostile.net"
    with zipfile.ZipFile(path, "w", pack) as archive:
        archive.writestr("net.json", about if isinstance(about, str | bytes) else json.dumps(about))
        archive.writestr("weights.pt", weights)
    return path


def _says(**changes):
    """A net file whose JSON says something else; ``...`` leaves an entry out."""

    def write(folder):
        about, weights = _saved(folder)
        about.update(changes)
        return _write_net(folder, {k: v for k, v in about.items() if v is not ...}, weights)

    return Hostile(write, _use_net)


def _params(may_load=False, **changes):
    """A net file whose parameters say something else."""

    def write(folder):
        about, weights = _saved(folder)
        about["params"].update(changes)
        return _write_net(folder, about, weights)

    return Hostile(write, _use_net, may_load)


def _only(**params):
    """A net file that holds these parameters and no others."""
    return _says(params=params)


def _json(text):
    """A net file with any text in the place of its JSON; may be a function of the sound one."""

    def write(folder):
        about, weights = _saved(folder)
        return _write_net(folder, text(about) if callable(text) else text, weights)

    return Hostile(write, _use_net)


def _weights(change):
    """A net file whose state dict went through ``change``."""

    def write(folder):
        about, weights = _saved(folder)
        state, packed = torch.load(io.BytesIO(weights), weights_only=True), io.BytesIO()
        torch.save(change(state), packed)
        return _write_net(folder, about, packed.getvalue())

    return Hostile(write, _use_net)


def _raw_weights(make):
    def write(folder):
        about, weights = _saved(folder)
        return _write_net(folder, about, make(weights))

    return Hostile(write, _use_net)


def _use_net(path):
    """What a user does: load, predict, print."""
    net = load_net(path)
    net.predict(X)
    repr(net)


def _every(state, value):
    return {name: torch.full_like(weight, value) for name, weight in state.items()}


class Code:
    """What unpickles to a call."""

    def __reduce__(self):
        return (os.system, (f"touch {MARKER}",))


def _pickled(content=None):
    return pickle.dumps({"features.1.weight": Code()} if content is None else content)


def _compiler(folder):
    """A file that names a script of its own as the C++ compiler."""
    script = folder / "compiler.sh"
    script.write_text(f'#!/bin/sh\ntouch "{folder / MARKER}"\nexec g++ "$@"\n')
    script.chmod(0o755)
    about, weights = _saved(folder)
    pair = {"tuple": ["cpp.cxx", {"tuple": [None, str(script)]}]}
    about["params"].update(compile=True, compile__options={"dict": [pair]})
    return _write_net(folder, about, weights)


def _compile_backend(folder):
    """A file that asks for the backend that calls the compiler, with verbose logs."""
    about, weights = _saved(folder)
    about["params"].update(compile=True, compile__backend=f"os.system('touch {MARKER}')")
    return _write_net(folder, about, weights)


def _bomb(member, n_megabytes):
    """A file with one member of zeros that unpacks to much more than it takes."""

    def write(folder):
        about, weights = _saved(folder)
        path, parts = folder / "hostile.net", {"net.json": json.dumps(about), "weights.pt": weights}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in parts.items():
                if name != member:
                    archive.writestr(name, content)
            with archive.open(member, "w", force_zip64=True) as file:
                file.write(b'{"net": "' if member == "net.json" else weights)
                for _ in range(n_megabytes):
                    file.write((b"a" if member == "net.json" else b"\0") * 2**20)
                file.write(b'"}' if member == "net.json" else b"")
        return path

    return Hostile(write, _use_net)


def _large_weights(folder):
    """Weights that are none of the module's, packed to a thousandth of their size."""
    about, weights = _saved(folder)
    state, packed = torch.load(io.BytesIO(weights), weights_only=True), io.BytesIO()
    torch.save({**state, "extra": torch.zeros(80_000_000)}, packed)
    return _write_net(folder, about, packed.getvalue())


def _lying_size(folder):
    """The archive's directory says that the weights are small."""
    path = _bomb("weights.pt", 300).write(folder)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")  # the last entry of the directory is that of the bomb
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    path.write_bytes(content)
    return path


def _twice(folder):
    """Two descriptions: which one counts depends on the reader."""
    about, weights = _saved(folder)
    path = folder / "hostile.net"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("net.json", json.dumps(about))
        archive.writestr(
            "net.json", json.dumps({**about, "classes": {"array": [5, 6], "dtype": "int64"}})
        )
        archive.writestr("weights.pt", weights)
    return path


def _nested(depth):
    return "[" * depth + "]" * depth


def _deep_attack(depth):
    """A MinMaxNet with cascades within cascades, deeper than json can write."""

    def text(about):
        kind = '{"object": "sklearn_robust.attacks._worst_case:WorstCase", "params": {'
        attack = f'{kind}"attacks": {{"list": [' * depth + f"{kind}}}}}" + "]}}}" * depth
        about = {**about, "net": "sklearn_robust.nets._min_max:MinMaxNet", "params": {"attack": 0}}
        return json.dumps(about).replace('"attack": 0', f'"attack": {attack}')

    return _json(text)


def _cut(folder):
    about, weights = _saved(folder)
    path = _write_net(folder, about, weights)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _device_file(folder):
    return Path("/dev/zero")


def _init_from(change):
    """A hostile file given as ``init_from``."""

    def read(path):
        quick(NaturalNet, module__hidden=[4], init_from=str(path)).fit(X, Y)

    return Hostile(change.write, read, change.may_load)


COMPLEX = {"tensor": [1, 2], "dtype": "complex64"}
NETS = {
    "compiler of its own": Hostile(_compiler, _use_net, True),
    "code as compile backend": Hostile(_compile_backend, _use_net, True),
    "DistributedDataParallel": _only(
        module={"class": "torch.nn.parallel.distributed:DistributedDataParallel"}
    ),
    "DataParallel": _only(module={"class": "torch.nn.parallel.data_parallel:DataParallel"}),
    "a container as module": _only(module={"class": "torch.nn.modules.container:Sequential"}),
    "a lazy layer": _only(
        module={"class": "torch.nn.modules.linear:LazyLinear"}, module__out_features=10**9
    ),
    "weights that unpack to 300 MB": _bomb("weights.pt", 300),
    "weights of 320 MB that are not the module's": Hostile(_large_weights, _use_net),
    "a size that is a lie": Hostile(_lying_size, _use_net),
    "JSON of 160 MB": _bomb("net.json", 160),
    "JSON nested 200,000 deep": _json(_nested(200_000)),
    "JSON that is a list": _json("[1, 2]"),
    "JSON that is a number": _json("3"),
    "JSON that is cut": _json('{"net": "skl'),
    "no UTF-8": _json(b"\xff\xfe{}"),
    "a number of 100,000 digits": _json('{"format": 1' + "0" * 100_000 + "}"),
    "8 million numbers": _json('{"net": [' + "0," * (7 * 2**20) + "0]}"),
    "a million lists": _json("[" + "[]," * 1_000_000 + "[]]"),
    "a million texts": _json(json.dumps(["a"] * 1_000_000)),
    "a billion hidden units": _params(module__hidden=10**9),
    "100,000 x 100,000 hidden units": _params(module__hidden={"list": [100_000, 100_000]}),
    "100,000 layers": _params(module__hidden={"list": [1] * 100_000}),
    "a billion features": _says(input_shape=[10**9]),
    "an image of 10^5 x 10^5": _says(input_shape=[3, 100_000, 100_000]),
    "a negative shape": _says(input_shape=[-4]),
    "a shape of text": _says(input_shape="4"),
    "10 million classes": _says(classes={"array": [0, 1], "dtype": "S100000000"}),
    "classes that repeat": _says(classes={"array": [1, 1], "dtype": "int64"}),
    "classes of objects": _says(classes={"array": [{}, []], "dtype": "object"}),
    "classes that are none": _says(classes=None),
    "three classes for two logits": _says(classes={"array": [0, 1, 2], "dtype": "int64"}),
    "a dtype that is no dtype": _params(criterion__weight={"tensor": [1, 2], "dtype": "load"}),
    "a dtype that does not exist": _params(criterion__weight={"tensor": [1, 2], "dtype": "none"}),
    "complex weights of classes": _params(True, criterion__weight=COMPLEX),
    "an array that holds text": _params(criterion__weight={"array": ["a"], "dtype": "float32"}),
    "an array of a wrong dtype": _params(criterion__weight={"array": [1], "dtype": "M8[parsec]"}),
    "an unknown container": _params(lr={"evil": [1]}),
    "two containers in one": _params(lr={"list": [1], "tuple": [2]}),
    "an empty container": _params(lr={}),
    "a list that is a number": _params(lr={"list": 3}),
    "an unknown parameter": _params(no_such_parameter=1),
    "text for a learning rate": _params(True, lr="fast"),
    "a device that does not exist": _params(device="cuda:99"),
    "the device meta": _params(device="meta"),
    "no params": _says(params=...),
    "no net": _says(net=...),
    "no history": _says(history=...),
    "a history of text": _says(history="abc"),
    "a history of numbers": _says(history=[1, 2]),
    "a net that is a list": _says(net=["a"]),
    "columns that are a number": _says(columns=5),
    "columns for other features": _says(columns=["a"]),
    "cascades 5,000 deep": _deep_attack(5000),
    "a verbosity of 10^12": _params(True, verbose=10**12),
    "NaN weights": _weights(lambda state: _every(state, torch.nan)),
    "infinite weights": _weights(lambda state: _every(state, torch.inf)),
    "weights of text": _weights(lambda state: dict.fromkeys(state, "a")),
    "weights of integers": _weights(lambda s: {k: v.long() for k, v in s.items()}),
    "weights of complex numbers": _weights(lambda s: {k: v.to(torch.cfloat) for k, v in s.items()}),
    "sparse weights": _weights(lambda s: {k: v.to_sparse() for k, v in s.items()}),
    "weights without memory": _weights(lambda s: {k: v.to("meta") for k, v in s.items()}),
    "weights that claim 4 TB": _weights(lambda s: {k: torch.zeros(1).expand(10**12) for k in s}),
    "weights in a list": _weights(lambda state: list(state.values())),
    "weights that are a tensor": _weights(lambda state: torch.zeros(3)),
    "weights of other names": _weights(lambda s: {f"other.{k}": v for k, v in s.items()}),
    "weights of other shapes": _weights(lambda s: {k: v[:1] for k, v in s.items()}),
    "names that are numbers": _weights(lambda s: dict(enumerate(s.values()))),
    "code in the weights": _raw_weights(lambda weights: _pickled()),
    "empty weights": _raw_weights(lambda weights: b""),
    "weights cut short": _raw_weights(lambda weights: weights[: len(weights) // 2]),
    "weights of noise": _raw_weights(lambda weights: bytes(range(256)) * 8),
    "a file that is cut": Hostile(_cut, _use_net),
    "two descriptions": Hostile(_twice, _use_net, True),
    "a device file": Hostile(_device_file, _use_net),
}
NETS["init_from: code in the weights"] = _init_from(NETS["code in the weights"])
NETS["init_from: weights that unpack to 300 MB"] = _init_from(NETS["weights that unpack to 300 MB"])
NETS["init_from: NaN weights"] = _init_from(NETS["NaN weights"])


# -- npz files ------------------------------------------------------------------------------------


def _npz(may_load=False, **changes):
    def write(folder):
        arrays = {"X_train": X, "X_test": X, "y_train": Y, "y_test": Y, **changes}
        path = folder / "hostile.npz"
        np.savez_compressed(path, **arrays)
        return path

    return Hostile(write, load_npz, may_load)


def _array_file(header, body=b""):
    """Bytes of an ``.npy`` member with any header."""
    text = header.encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def _npz_member(content):
    """A file whose X_train is made of any bytes."""

    def write(folder):
        path = folder / "hostile.npz"
        np.savez(path, X_test=X, y_train=Y, y_test=Y)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X_train.npy", content() if callable(content) else content)
        return path

    return Hostile(write, load_npz)


def _header(shape, dtype="<f4"):
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"


def _npz_bomb(folder):
    """1 GB of zero pixels in 1 MB, for 48 labels."""
    path = folder / "hostile.npz"
    np.savez(path, X_test=X, y_train=Y, y_test=Y)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("X_train.npy", "w", force_zip64=True) as file:
            file.write(_array_file(_header(f"({2**10}, {2**20})", "|u1")))
            for _ in range(2**10):
                file.write(b"\0" * 2**20)
    return path


def _pickle_as_npz(folder):
    path = folder / "hostile.npz"
    path.write_bytes(_pickled())
    return path


def _with(value, dtype=np.float32):
    changed = X.astype(dtype)
    changed[0, 0] = value
    return changed


BIG = np.where(Y == 1, np.uint64(2**63 + 1), np.uint64(0))
NPZ = {
    "NaN samples": _npz(X_train=_with(np.nan)),
    "infinite samples": _npz(X_test=_with(np.inf)),
    "samples beyond float32": _npz(X_train=_with(1e300, np.float64)),
    "complex samples": _npz(X_train=X.astype(complex)),
    "NaN labels": _npz(y_train=np.where(Y == 1, np.nan, 0.0)),
    "complex labels": _npz(y_train=Y.astype(complex)),
    "dates as labels": _npz(y_train=Y.astype("M8[D]")),
    "spans of time as labels": _npz(y_train=Y.astype("m8[s]")),
    "labels above 2**63": _npz(y_train=BIG, y_test=BIG),
    "raw bytes as labels": _npz(y_train=Y.astype("V4")),
    "no samples": _npz(X_train=X[:0], y_train=Y[:0]),
    "samples of no feature": _npz(X_train=X[:, :0], X_test=X[:, :0]),
    "records": _npz(X_train=np.zeros((48, 4), dtype=[("a", "f4")])),
    "a header that declares 8 TB": _npz_member(_array_file(_header(f"({2**41},)"))),
    "a header of negative size": _npz_member(_array_file(_header("(-5, 4)"))),
    "a header that overflows": _npz_member(_array_file(_header(f"({2**40}, {2**40})"))),
    "code in a header": _npz_member(
        _array_file(f"__import__('os').system('touch {MARKER}') or {_header('(1, 1)')}")
    ),
    "a header of 60,000 brackets": _npz_member(_array_file("(" * 60_000)),
    "pickled samples": _npz_member(lambda: _array_file(_header("(1, 1)", "|O"), _pickled())),
    "a gigabyte of zeros": Hostile(_npz_bomb, load_npz),
    "a pickle under the name": Hostile(_pickle_as_npz, load_npz),
}


# -- checkpoints ----------------------------------------------------------------------------------


def _trainer(folder):
    return quick(NaturalNet, module__hidden=[4], checkpoint=str(folder))


def _checkpoint(change):
    """A folder whose newest checkpoint holds something else, under a right digest."""

    def write(folder):
        _trainer(folder / "fit").set_params(max_epochs=1).fit(X, Y)
        return _rewrite(folder / "fit", change)

    return Hostile(write, _resume, may_load=True)


def _rewrite(folder, change):
    from sklearn_robust.nets._persistence.fingerprint import digest

    for path in folder.rglob("*.pt"):
        head, _, payload = path.read_bytes().partition(b"\n")
        content = torch.load(io.BytesIO(payload), weights_only=True)
        changed = change(content)
        if not isinstance(changed, bytes):
            packed = io.BytesIO()
            torch.save(changed, packed)
            changed = packed.getvalue()
        magic = head[: -len(digest(payload))]
        path.write_bytes(magic + digest(changed).encode() + b"\n" + changed)
    return folder


def _resume(folder):
    _trainer(folder).set_params(max_epochs=1).fit(X, Y)


def _without(key):
    return lambda content: {k: v for k, v in content.items() if k != key}


def _replaced(key, value):
    return lambda content: {**content, key: value}


def _null_name(folder):
    return folder


CHECKPOINTS = {
    "checkpoint without the net": _checkpoint(_without("net")),
    "checkpoint without its story": _checkpoint(_without("about")),
    "checkpoint without generators": _checkpoint(_without("random")),
    "checkpoint without callbacks": _checkpoint(_without("callbacks")),
    "checkpoint with text for the net": _checkpoint(_replaced("net", "abc")),
    "checkpoint with an empty net": _checkpoint(_replaced("net", {})),
    "checkpoint with a short generator": _checkpoint(_replaced("random", {"cpu": torch.zeros(3)})),
    "checkpoint that is a list": _checkpoint(lambda content: [1, 2]),
    "checkpoint that holds code": _checkpoint(lambda content: _pickled()),
    "a null byte in the folder's name": Hostile(
        _null_name, lambda folder: _trainer("\0").fit(X, Y)
    ),
}

HOSTILE = {**NETS, **NPZ, **CHECKPOINTS}

if __name__ == "__main__":  # a list for people
    sys.stdout.write("\n".join(HOSTILE) + "\n")
