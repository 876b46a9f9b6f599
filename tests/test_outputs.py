"""The comparison of stored outputs itself: it must see what is stale, and nothing else."""
import pytest
from outputs import difference

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
