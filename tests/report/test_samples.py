"""Samples from files, folders of images and functions."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_robust.report import BadInput
from sklearn_robust.report._samples import load_samples

FRAME = pd.DataFrame({"age": [1.0, 2, 3, 4], "pay": [5.0, 6, 7, 8], "label": ["a", "b"] * 2})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_images(folder, sizes=((4, 4), (4, 4), (4, 4)), mode="L"):
    for number, (size, name) in enumerate(zip(sizes, ("dog", "cat", "dog"), strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        color = 51 * number if mode == "L" else (51 * number, 0, 255)
        Image.new(mode, size, color).save(folder / name / f"{number}.png")


def test_npz_files_hold_x_and_y():
    X, y = np.random.default_rng(0).random((5, 3)), np.array(["a", "b", "a", "b", "a"])
    np.savez("a.npz", X=X, y=y)
    found = load_samples("a.npz")
    np.testing.assert_array_equal(found.X, X.astype(np.float32))
    assert found.y.tolist() == y.tolist() and found.title == "a.npz"


def test_npz_files_of_a_comparison_give_their_test_part():
    X, y = np.ones((5, 3), np.float32), np.arange(5)
    np.savez("a.npz", X_train=X, y_train=y, X_test=2 * X, y_test=y)
    assert load_samples("a.npz").X.max() == 2


def test_tables_keep_their_columns():
    FRAME.to_csv("a.csv", index=False)
    found = load_samples("a.csv")
    assert list(found.X.columns) == ["age", "pay"] and found.y.tolist() == ["a", "b", "a", "b"]
    assert load_samples("a.csv", columns=["pay", "age"]).X.columns.tolist() == ["pay", "age"]
    other = FRAME.rename(columns={"label": "verdict"})
    other.to_csv("b.csv", index=False)
    assert load_samples("b.csv", target="verdict").y.tolist() == ["a", "b", "a", "b"]
    assert load_samples("b.csv", columns=["age", "pay"]).y.tolist() == ["a", "b", "a", "b"]


def test_parquet_is_read_by_pandas(folder, monkeypatch):
    (folder / "a.parquet").touch()
    monkeypatch.setattr(pd, "read_parquet", lambda path: FRAME)
    assert load_samples("a.parquet").X.shape == (4, 2)

    def missing(path):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    with pytest.raises(BadInput, match="pyarrow reads a.parquet, and is not installed"):
        load_samples("a.parquet")


def test_folders_of_images_keep_the_names_of_their_classes(folder):
    save_images(folder / "pets")
    found = load_samples("pets")
    assert found.X.shape == (3, 1, 4, 4) and found.X.dtype == np.float32
    assert found.class_names == ["cat", "dog"] and found.y.tolist() == [0, 1, 1]
    np.testing.assert_allclose(found.X[:, 0, 0, 0], [0.2, 0, 0.4], atol=1e-7)


def test_images_with_colours_have_three_channels(folder):
    save_images(folder / "pets", mode="RGB")
    found = load_samples("pets")
    np.testing.assert_allclose(found.X[0, :, 0, 0], [0.2, 0, 1], atol=1e-7)


def test_images_of_mixed_sizes_are_resized_on_request(folder):
    save_images(folder / "pets", sizes=((4, 4), (6, 5), (4, 4)))
    with pytest.raises(BadInput, match="images of 2 sizes, such as 4 x 4 and 6 x 5; add --image-"):
        load_samples("pets")
    assert load_samples("pets", image_size=3).X.shape == (3, 1, 3, 3)


def test_functions_return_samples_and_labels(folder):
    (folder / "mine.py").write_text(
        "def pair(): return [[1.0], [2.0]], [0, 1]\n"
        "def named(): return {'X': [[1.0]], 'y': [0]}\n"
        "def single(): return [[1.0]]\n"
        "def uneven(): return [[1.0], [2.0]], [0]\n"
        "def empty(): return [], []\n"
    )
    assert load_samples("mine.py:pair").X.shape == (2, 1)
    assert load_samples("mine.py:named").y.tolist() == [0]
    for name, words in {
        "single": "returns a list; it should return .X, y.",
        "uneven": "2 samples and 1 labels",
        "empty": "holds no sample",
    }.items():
        with pytest.raises(BadInput, match=words):
            load_samples(f"mine.py:{name}")


def test_samples_are_drawn_with_their_columns():
    pd.concat([FRAME] * 10).to_csv("a.csv", index=False)
    found = load_samples("a.csv", samples=8, seed=1)
    assert found.X.shape == (8, 2) and sorted(found.y) == ["a"] * 4 + ["b"] * 4
    assert (load_samples("a.csv", samples=8, seed=1).X == found.X).all(axis=None)


def test_named_data_give_their_test_part():
    found = load_samples("moons", samples=20)
    assert found.X.shape == (20, 2) and found.class_names is None


def test_bad_tables_are_refused(folder):
    cases = {
        "no": (FRAME.rename(columns={"label": "z"}), {}, "which column holds the labels"),
        "target": (FRAME, {"target": "hue"}, "has no column hue; it has age, pay, label"),
        "columns": (FRAME, {"columns": ["age", "sex"]}, "lacks columns that .* fitted on: sex"),
    }
    for name, (frame, options, words) in cases.items():
        frame.to_csv(f"{name}.csv", index=False)
        with pytest.raises(BadInput, match=words):
            load_samples(f"{name}.csv", **options)


def test_texts_and_gaps_of_a_table_are_kept(folder):
    FRAME.assign(sex="f", pay=[1, None, 2, 3]).to_csv("mixed.csv", index=False)
    found = load_samples("mixed.csv").X
    assert set(found.sex) == {"f"} and found.pay.isna().sum() == 1


def test_bad_sources_are_refused(folder):
    (folder / "empty").mkdir()
    (folder / "a.txt").touch()
    (folder / "a.csv").touch()
    (folder / "torn" / "cat").mkdir(parents=True)
    (folder / "torn" / "cat" / "1.png").write_bytes(b"text")
    np.savez("b.npz", Z=np.ones(3))
    np.save("c.npy", np.ones(3))
    (folder / "c.npy").rename("c.npz")
    for source, words in {
        "none": "there is no file or folder none",
        "empty": "empty holds no images in folders; wanted is one folder for each class",
        "a.txt": "a.txt is of no known kind",
        "a.csv": "a.csv cannot be read",
        "torn": "1.png cannot be read as an image",
        "b.npz": "has the arrays Z; wanted are X and y, or X_test and y_test",
        "c.npz": "holds a single array; wanted are X and y",
    }.items():
        with pytest.raises(BadInput, match=words):
            load_samples(source)
