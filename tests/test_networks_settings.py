"""What a training's specification refuses, and how it survives."""

import dataclasses
import json
import math

import numpy as np
import pytest

import matplotlib

matplotlib.use("agg")

from models import FIELDS, SPECS, Waves, name
from pes_toy.descriptors import Descriptor, ProximityEigenvalues
from pes_toy.training import TrainingSpec


IMPOSSIBLE = [
    (dict(inputs="eigenvalues"), "inputs"),
    (dict(inputs="symmetry", orders=(-4,)), "orders"),
    (dict(inputs=Waves(), orders=(-4,)), "orders"),
    (dict(inputs=ProximityEigenvalues(), orders=(-4,)), "orders"),
    *((dict(orders=v), "orders") for v in ((), (-1,), (-2, -2), ("a",), (math.nan,))),
    *((dict(inputs=i, R_0p=4.0), "R_0p") for i in ("symmetry", "distances", Waves())),
    *((dict(R_0p=v), "R_0p") for v in (0, -1.0, math.nan, math.inf, "3", (1, 2, 3), True)),
    *((dict(transform=v), "transform") for v in ("log", None, 1)),
    *(
        (dict(hidden=v), "hidden")
        for v in (0, (8, 0), (8, 2.5), ("8",), None, True, ((8, 8), (8, 8)))
    ),
    *((dict(activation=v), "activation") for v in ("gelu", None)),
    *((dict(optimizer=v), "optimizer") for v in ("adamm", None)),
    *(
        (dict(learning_rate=v), "learning_rate")
        for v in (0, -1e-3, math.nan, math.inf, "fast", None, True)
    ),
    *((dict(schedule=v), "schedule") for v in ("linear", None)),
    *((dict(loss=v), "loss") for v in ("mape", None)),
    *((dict(force_weight=v), "force_weight") for v in (-1, math.nan, None)),
    *((dict(stress_weight=v), "stress_weight") for v in (-1, math.nan, None)),
    *((dict(batch_size=v), "batch_size") for v in (0, 1.5, "all", None)),
    *((dict(epochs=v), "epochs") for v in (0, 2.5, None)),
    *((dict(patience=v), "patience") for v in (0, -1, 2.5, "never")),
    *((dict(validation=v), "validation") for v in (0, 1, 1.5, -0.1, math.nan, None)),
    *((dict(standardise_energy=v), "standardise_energy") for v in (1, None, "yes")),
    *((dict(seed=v), "seed") for v in (-1, 0.5, None)),
]


@pytest.mark.parametrize("setting,blamed", IMPOSSIBLE, ids=lambda v: str(v)[:50])
def test_impossible_settings_are_named(setting, blamed):
    with pytest.raises((ValueError, TypeError), match=rf"\b{blamed}\b"):
        TrainingSpec(**setting)


def test_every_setting_can_be_wrong():
    assert {blamed for _, blamed in IMPOSSIBLE} == set(FIELDS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: name(s.inputs))
def test_specifications_survive(spec):
    text = json.dumps(spec.to_dict())
    again = TrainingSpec.from_dict(json.loads(text))
    assert (
        again == spec
        and hash(again) == hash(spec)
        and json.dumps(again.to_dict()) == text
        and list(spec.to_dict()) == [field for field in FIELDS if field != "stress_weight"]
    )
    assert (
        again.descriptor == spec.descriptor
        and isinstance(spec.descriptor, Descriptor)
        and dataclasses.replace(spec) == spec
    )
    assert {spec: 1}[again] and spec != dataclasses.replace(spec, seed=spec.seed + 1)
    for field in FIELDS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(spec, field, getattr(spec, field))


def test_specifications_have_one_form():
    assert TrainingSpec(hidden=64) == TrainingSpec(hidden=[64]) == TrainingSpec(
        hidden=np.array([64])
    ) and TrainingSpec(activation="ReLU", optimizer="Adam", loss="MAE") == TrainingSpec(
        activation="relu"
    )
    assert (
        TrainingSpec(orders=[-2.0, -3], R_0p=[3, 3]) == TrainingSpec()
        and TrainingSpec(orders=-2).orders == (-2,)
        and TrainingSpec.from_dict({}) == TrainingSpec()
    )
    with pytest.raises(ValueError, match="'layers' is no setting"):
        TrainingSpec.from_dict(dict(layers=3))
    with pytest.raises(ValueError, match="must be defined or imported first"):
        TrainingSpec.from_dict(dict(inputs=dict(type="Unheard")))
    with pytest.raises(TypeError, match="a Descriptor"):
        TrainingSpec(inputs=Waves)


def test_what_came_later_leaves_no_trace_where_it_is_not_used():
    "Files and keys of stored studies stay what they were; what is not the default is kept."
    assert "stress_weight" not in TrainingSpec(stress_weight=0).to_dict()
    plain = TrainingSpec(stress_weight=0.5)
    assert plain.to_dict()["stress_weight"] == 0.5
    assert TrainingSpec.from_dict(plain.to_dict()) == plain != TrainingSpec()


def test_numpy_booleans_survive():
    assert TrainingSpec(standardise_energy=np.False_) == TrainingSpec.from_dict(
        json.loads(json.dumps(TrainingSpec(standardise_energy=np.False_).to_dict()))
    )


@pytest.mark.parametrize(
    "wrong", [None, 3, ProximityEigenvalues, np.zeros(2), ["proximity"]], ids=str
)
def test_inputs_are_named(wrong):
    with pytest.raises(TypeError, match="inputs must be"):
        TrainingSpec(inputs=wrong)
