"""The comparison of stored outputs itself: it must see what is stale, and nothing else."""
import pytest
from outputs import difference, tolerance

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("stored, fresh", [
    ("energy -3.167 E_c", "energy -3.167 E_c"),
    ("MAE 0.00183 E_c", "MAE 0.00184 E_c"),
    ("25,000 drawn in 3.2 s", "25,000 drawn in 11 s"),
    ("29 us alone, 8.26 us among many", "55 us alone, 9 us among many"),
    ("<Axes at 0x7f00>", "<Axes at 0x8f11>"),
    ("1.2e-14", "1.3e-14"),
])
def test_what_is_the_same(stored, fresh):
    assert not difference(stored, fresh)


@pytest.mark.parametrize("stored, fresh", [
    ("energy -3.167 E_c", "energy -3.667 E_c"),
    ("MAE 0.00183 E_c", "MAE 0.0183 E_c"),
    ("it passes", "it fails"),
    ("25,000 drawn", "24,000 drawn"),
    ("[1, 2]", "[1, 2, 3]"),
    ("(2, 3)", "(2, 4)"),
    ("", "something"),
])
def test_what_is_stale(stored, fresh):
    assert difference(stored, fresh)


def test_a_cell_may_have_a_tolerance_of_its_own():
    source = "score(network)  # varies by 20 %: a training of few epochs"
    assert tolerance(source) == 0.2 and tolerance("score(network)") == 0.02
    trained = "MAE 0.0120 E_c, 65 % of 78"
    assert not difference(trained, "MAE 0.0131 E_c, 66 % of 80", tolerance(source))
    assert difference(trained, "MAE 0.0160 E_c, 65 % of 78", tolerance(source))
    assert difference(trained, "RMSE 0.0120 E_c, 65 % of 78", tolerance(source))
