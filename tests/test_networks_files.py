"""Networks in one file: the same bits, damaged and changed ones refused."""

import json
from pathlib import Path

import numpy as np
import pytest

import matplotlib

matplotlib.use("agg")

from models import SPECS, Waves, handmade, in_process, name, same_weights, spread
from pes_toy.base.tables import read_arrays, write_arrays
from pes_toy.models import _digest, load_network
from pes_toy.training import TrainingSpec


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: name(s.inputs))
def test_saved_networks_give_the_same_bits(spec, tmp_path):
    network = handmade(
        spec,
        history=dict(loss=[0.1, 1 / 3]),
        about=dict(validation_mae=1 / 7, validation_rmse=1 / 3, database=None, ended="epochs"),
    )
    again = load_network(network.save(tmp_path / "a.npz"))
    x, w = spread(4, 2, 20, np.random.default_rng(1))
    for a, b in zip(again.energy_and_forces(x, w), network.energy_and_forces(x, w)):
        np.testing.assert_array_equal(a, b)
    assert again.spec == spec and (again.history, again.about, again.n_parameters, repr(again)) == (
        network.history,
        network.about,
        network.n_parameters,
        repr(network),
    )
    assert same_weights(again, network) and again.weights[0][0].dtype == np.float32
    again.save(tmp_path / "b.npz")
    assert (
        load_network(str(tmp_path / "b.npz")).predict(x, w).tobytes()
        == network.predict(x, w).tobytes()
    )


def refused(
    path, content, message="no network file, damaged or cut short|does not hold what was written"
):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_network(path)
    assert path.name in str(caught.value) and "train" in str(caught.value)


def test_damaged_files_are_refused(tmp_path, small):
    path, other = small.save(tmp_path / "good.npz"), tmp_path / "bad.npz"
    whole = path.read_bytes()
    for n in {0, 1, 3, 4, 10, 100, *range(0, len(whole), 97), *range(len(whole) - 30, len(whole))}:
        refused(other, whole[:n])
    for content in (
        b"no network",
        "Netzwerk für Σ".encode(),
        whole[::-1],
        b"\0" * len(whole),
        whole[:1000] + whole[1100:],
        json.dumps(small.spec.to_dict()).encode(),
    ):
        refused(other, content)
    rng = np.random.default_rng(0)
    with np.load(path) as file:
        begins = [whole.index(name.encode() + b".npy") + len(name) + 4 for name in file.files]
    for start in begins:  # a changed bit in the numbers or in the header
        for at in start + rng.integers(40, 60, 3):
            refused(other, whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])


def test_changed_files_are_refused(tmp_path, small):
    path = small.save(tmp_path / "good.npz")
    with np.load(path) as file:
        arrays = {k: file[k] for k in file.files}

    def write(**changes):
        content = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
        np.savez(tmp_path / "changed.npz", **content)
        return (tmp_path / "changed.npz").read_bytes()

    def header(drop=(), **changes):
        return np.array(
            json.dumps(
                {
                    k: v
                    for k, v in {**json.loads(str(arrays["header"])), **changes}.items()
                    if k not in drop
                }
            )
        )

    other = tmp_path / "bad.npz"
    np.testing.assert_array_equal(
        load_network(tmp_path / "changed.npz").weights[0][0] if write() else None,
        small.weights[0][0],
    )  # rewritten but the same: fine
    refused(
        other,
        write(header=header(format=3)),
        "network format 3, this package reads 1 to 2; update pes_toy.*train again",
    )
    refused(other, write(header=header(format="one")))
    for drop in ("format", "digest", "pes_toy"):
        refused(other, write(header=header([drop])))
    for change in (
        dict(energy_shift=0.0),
        dict(n_particles=5),
        dict(spec={**small.spec.to_dict(), "activation": "tanh"}),
        dict(history={}),
        dict(layers=1),
        dict(more=1),
    ):
        refused(other, write(header=header(**change)))
    for text in ("[1, 2]", "{", "", '{"format": 1}'):
        refused(other, write(header=np.array(text)))
    for key in arrays:
        refused(other, write(**{key: None}))
    for key in set(arrays) - {"header"}:
        (
            refused(other, write(**{key: arrays[key] + 1e-7})),
            refused(other, write(**{key: arrays[key].ravel()[:-1]})),
        )
    refused(other, write(W9=np.zeros(2)))
    refused(other, write(b0=np.array([{}], dtype=object)))


def test_paths_of_networks(tmp_path, small, monkeypatch):
    path = small.save(tmp_path / "a.npz")
    before = path.read_bytes()
    for wrong, error in (
        (3, TypeError),
        (None, TypeError),
        (tmp_path / "a.npy", ValueError),
        (tmp_path / "a", ValueError),
        ("a.h5", ValueError),
    ):
        with pytest.raises(error, match="path must"):
            small.save(wrong)
        with pytest.raises(error, match="path must"):
            load_network(wrong)
    for absent in (tmp_path / "b.npz", tmp_path):
        with pytest.raises((FileNotFoundError, ValueError)):
            load_network(absent)
    with pytest.raises(FileNotFoundError, match="no folder"):
        small.save(tmp_path / "nowhere" / "a.npz")

    def full(file, **arrays):
        Path(file).write_bytes(b"half of it")
        raise OSError("no space left")

    other = handmade(TrainingSpec())
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="no space"):
            other.save(path)
    odd = handmade(TrainingSpec(), about=dict(thing=object()))
    with pytest.raises(TypeError):
        odd.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [
        "a.npz"
    ]  # the old one is there, and nothing else
    other.save(path)
    assert load_network(path).spec == TrainingSpec() and [p.name for p in tmp_path.iterdir()] == [
        "a.npz"
    ]


def test_a_descriptor_of_ones_own_has_to_be_there(tmp_path):
    path = handmade(TrainingSpec(Waves())).save(tmp_path / "waves.npz")
    said = in_process(
        """
import sys
import pes_toy
try: pes_toy.load_network(sys.argv[1])
except ValueError as error: print(error)""",
        path,
    )
    assert "got 'Waves'. One of your own must be defined or imported first" in said


def test_every_flipped_bit_is_refused_or_harmless(tmp_path):
    network = handmade(TrainingSpec(hidden=(4,)))
    path, x = network.save(tmp_path / "a.npz"), np.random.default_rng(0).uniform(0, 5, (4, 2))
    whole, wanted = path.read_bytes(), network.predict(x, 5.0)
    begin = whole.index(
        b"PK\x01\x02"
    )  # the directory of the archive, where zipfile has its own errors
    for at in range(begin, len(whole)):
        for bit in (1, 128):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            try:
                assert load_network(path).predict(x, 5.0) == wanted
            except ValueError as error:
                assert "a.npz" in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["spec"].update(dropout=0.1),
        lambda header: header["spec"].update(activation="gelu"),
        lambda header: header["spec"].update(inputs=dict(type="Bispectrum")),
        lambda header: header.update(model="Transformer"),
        lambda header: header.pop("energy_shift"),
    ],
    ids=["setting", "word", "descriptor", "model", "parts"],
)
def test_what_a_later_version_writes_asks_for_an_update(change, tmp_path, small):
    path = small.save(tmp_path / "a.npz")
    arrays = read_arrays(path)
    header = json.loads(str(arrays.pop("header")))
    change(header)
    content = {k: v for k, v in header.items() if k not in ("format", "pes_toy", "digest")}
    header["digest"] = _digest(arrays, content)
    write_arrays(path, dict(header=np.array(json.dumps(header)), **arrays))
    with pytest.raises(ValueError, match="a.npz.*update") as said:
        load_network(path)
    assert "damaged" not in str(said.value)


def test_headers_that_are_no_dictionary(tmp_path, small):
    path = small.save(tmp_path / "good.npz")
    with np.load(path) as file:
        arrays = {k: file[k] for k in file.files}
    for text in ("3", "null", '"text"'):
        np.savez(tmp_path / "c.npz", **{**arrays, "header": np.array(text)})
        refused(tmp_path / "bad.npz", (tmp_path / "c.npz").read_bytes())
    (tmp_path / "bad.npz").write_bytes(b"text")
    with pytest.raises(ValueError) as caught:
        load_network(tmp_path / "bad.npz")
    assert "allow_pickle" not in str(caught.value)
