"""Equation (10) with n = 6, R_0 = 2, as the peers compute it, with numpy or JAX."""

Y = 2.0**-6
TILT = -6.0 * Y * (1.0 - Y)
LIFT = Y * (2.0 - Y) - 2.0 * TILT


def value(np, s):
    "Value at the mean side s; np: numpy or jax.numpy."
    y = 1.0 / (s * s)
    y = y * y * y
    return np.where(s < 2.0, y * (y - 2.0) + LIFT + TILT * s, 0.0)


def slope(np, s):
    "Its derivative."
    y = 1.0 / (s * s)
    y = y * y * y
    return np.where(s < 2.0, TILT - 12.0 / s * y * (y - 1.0), 0.0)


def plain(s):
    "Value, in plain Python."
    if s >= 2.0:
        return 0.0
    y = s**-6.0
    return y * (y - 2.0) + LIFT + TILT * s
