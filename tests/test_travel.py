"""To other processes: methods, settings, results, and what a user made; what cannot go says so."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pes_toy as pt
import pytest
from runs import BASELINE, OWN, made_up


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_pools_are_given_arrives(method):
    script = Path(__file__).parent / "travel.py"
    said = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), method],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert said.returncode == 0 and said.stdout.endswith("all arrived\n"), said.stderr
    assert "Predictor.predict is the same" in said.stdout


@pytest.mark.parametrize("thing", [OWN[0], BASELINE, made_up(), pt.Morse], ids=repr)
def test_copies_through_pickle_are_equal(thing):
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        assert repr(pickle.loads(pickle.dumps(thing, protocol))) == repr(thing)


def test_methods_keep_their_names():
    "A bound method is sent by the name of its function: that of another hangs a Pool."
    wrong = []
    for name in dir(pt):
        kind = getattr(pt, name)
        if not isinstance(kind, type):
            continue
        for attribute, function in vars(kind).items():
            if attribute.startswith("_orig_"):  # as fastcore keeps what it replaced
                continue
            function = getattr(function, "__func__", function)
            if getattr(function, "__module__", "").startswith("pes_toy.") and callable(function):
                if getattr(function, "__name__", attribute) != attribute:
                    wrong.append(f"{name}.{attribute} is called {function.__name__}")
    assert not wrong


def test_a_lambda_says_how_it_could_travel():
    own = pt.Potential(lambda r: 0.0 * r, cutoff=1.0, name="mine")
    for thing in (own, own.pair, pt.DatabaseSpec(potential=own)):
        with pytest.raises(pickle.PicklingError, match="'mine' cannot travel.*top of a module"):
            pickle.dumps(thing)
