"""Formulas from text mean what they say, and run no code."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pes_toy.formulas import formula

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("1/r**12 - 2/r**6", lambda r: r**-12 - 2 * r**-6),
        ("-r + 2*r", lambda r: r),
        ("where(r < 1.5, 1, 0) + pi*0", lambda r: float(r < 1.5)),
        ("2**-r", lambda r: 2.0**-r),
        ("maximum(exp(-r), sqrt(r)/10)", lambda r: max(np.exp(-r), np.sqrt(r) / 10)),
        ("7/2", lambda r: 3.5),
        ("r**2**3", lambda r: r**8),
        ("abs(1 - r)", lambda r: abs(1 - r)),
    ],
)
def test_formulas_mean_what_they_say(text, wanted):
    for r in (0.7, 1.0, 2.3):
        np.testing.assert_allclose(formula(text)(r), wanted(r), rtol=1e-14)


NO_FORMULAS = [
    "__import__('os')",
    "().__class__",
    "r.real",
    "[r]",
    "{r}",
    "lambda: r",
    "r if r else 1",
    "r and 1",
    "not r",
    "r @ r",
    "r // 1",
    "r % 2",
    "r << 1",
    "r == 1",
    "f'{r}'",
    "(r := 2)",
    "*r",
    "r; r",
    "print(r)",
    "exp",
    "exp(r, r)",
    "exp(x=r)",
    "exp(*r)",
    "where(r)",
    "True",
    "None",
    "1j",
    "'1'",
    "...",
    "e",
    "r1",
    "",
    " ",
    "\0",
    "r\nr",
    "await r",
    "r[0]",
    "eval('1')",
    "9" * 600,
    "-" * 490 + "r",
    "(" * 240 + "r" + ")" * 240,
    "9" * 400,
]


@pytest.mark.parametrize("text", NO_FORMULAS)
def test_formulas_run_no_code(text):
    with pytest.raises(ValueError):
        formula(text)


FORMULA_LIKE = st.text("r0123456789.+-*/()<>, expwhlog", max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), FORMULA_LIKE))
@example("1e999*r")
def test_any_text_is_a_formula_or_a_value_error(text):
    try:
        assert callable(formula(text))
    except ValueError:
        pass
