"""What every descriptor must pass, the package's and a user's own."""

import json
import warnings

import numpy as np

from pes_toy.descriptors import DegenerateWarning, descriptor_from_settings, numerical_gradients


def shortest(x, w):
    "Shortest distance of two particles (M,)."
    w = np.reshape(w, (-1, 1, 1, 1))
    t = x[:, :, None] - x[:, None]
    t -= w * np.round(t / w)
    r = np.linalg.norm(t, axis=-1) + 9 * np.eye(x.shape[1])
    return r.min(axis=(1, 2))


def spaced(N, d, M, rng, low=1.6, high=6.0):
    "Random configurations (M, N, d) of mixed widths without close pairs."
    apart = 0.35 if d > 1 else 0.08
    found = []
    widths = []
    for _ in range(200_000):
        w = rng.uniform(low, high)
        x = rng.uniform(0, w, (N, d))
        if shortest(x[None], w)[0] > apart:
            found.append(x)
            widths.append(w)
        if len(found) == M:
            return np.array(found), np.array(widths)
    raise AssertionError("no room")


def largest_value(values):
    "What deviations are measured by: the largest value of a configuration."
    axes = tuple(range(1, values.ndim))
    return np.abs(values).max(axis=axes, keepdims=True) + 1e-3


def everywhere(x, w, values):
    "Inputs that are smooth in the neighbourhood of a configuration: all."
    return np.ones(values.shape, bool)


def check_descriptor_battery(
    descriptor,  # the instance to check
    x,  # (M, N, d) configurations without close pairs
    w,  # (M,) their widths
    *,
    size=largest_value,  # values -> what their deviations are measured by
    smooth=everywhere,  # (x, w, values) -> where numerical derivatives can be trusted
):
    "Shapes, symmetries, derivatives, settings, and the same numbers alone and among others."
    check_shapes(descriptor, x, w)
    check_symmetries(descriptor, x, w, size)
    check_faces(descriptor, x, w, size)
    check_derivatives(descriptor, x, w, size, smooth)
    check_alone_and_among_others(descriptor, x, w)
    check_settings(descriptor)


def check_shapes(descriptor, x, w):
    M, N, d = x.shape
    values = descriptor.values(x, w)
    K = descriptor.n_inputs(N, d)
    assert values.shape == ((M, N, K) if descriptor.local else (M, K))
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(descriptor(x, w), values)


def same_lattices(x, w, rng):
    "The same lattices, by what was done to them."
    M, N, d = x.shape
    mirror = np.where(np.arange(d) == 0, -1, 1)
    return {
        "translation": x + rng.uniform(-20, 20, (M, 1, d)),
        "other images": x + w[:, None, None] * rng.integers(-3, 4, (M, N, d)),
        "reflection": x * mirror,
        "exchanged axes": x[..., ::-1],
        "rotation": x[..., ::-1] * mirror,
    }


def check_symmetries(descriptor, x, w, size):
    rng = np.random.default_rng(x.shape[1])
    values = descriptor.values(x, w)
    scale = size(values)

    def same(other, wanted, name):
        np.testing.assert_allclose(other / scale, wanted / scale, rtol=0, atol=1e-10, err_msg=name)

    for name, y in same_lattices(x, w, rng).items():
        same(descriptor.values(y, w), values, name)
    order = rng.permutation(x.shape[1])
    expected = values[:, order] if descriptor.local else values
    same(descriptor.values(x[:, order], w), expected, "permutation")


def check_faces(descriptor, x, w, size):
    "Nothing happens when a particle crosses a face."
    for axis in range(x.shape[2]):
        y = x.copy()
        z = x.copy()
        y[:, 0, axis] = 1e-13
        z[:, 0, axis] = w - 1e-13
        apart = shortest(y, w) > 0.2  # where a particle stands on another, 2e-13 is a long way
        before = descriptor.values(y, w)
        step = np.abs(before - descriptor.values(z, w)) / size(before)
        assert (step[apart] <= 1e-10).all()


def check_derivatives(descriptor, x, w, size, smooth):
    M, N, d = x.shape
    values = descriptor.values(x, w)
    g = np.random.default_rng(N).normal(size=values.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        gradients = descriptor.gradients(x, w)
        pulled = descriptor.pullback(x, w, g)
    assert gradients.shape == (*values.shape, N, d)
    assert pulled.shape == x.shape
    largest = np.abs(gradients).max() + 1e-12
    flat = gradients.reshape(M, -1, N, d)
    contracted = np.einsum("mk,mkid->mid", g.reshape(M, -1), flat)
    np.testing.assert_allclose(pulled, contracted, rtol=0, atol=1e-11 * largest)
    numeric = numerical_gradients(descriptor.values, x, w, step=3e-6)
    scale = np.maximum(size(values)[..., None, None], largest)
    wrong = np.abs(gradients - numeric) / scale
    wrong[~smooth(x, w, values)] = 0
    assert wrong.max(initial=0) < 1e-6
    of_all = gradients.sum(axis=-2)  # moving everything changes nothing
    exact = 1e-11 if "gradients" in vars(type(descriptor)) else 1e-6
    np.testing.assert_allclose(of_all, 0, atol=exact * largest)


def check_alone_and_among_others(descriptor, x, w):
    "The same bits alone, in a part, backwards, with one width for all or one for each."
    values = descriptor.values(x, w)
    g = np.ones_like(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        gradients = descriptor.gradients(x, w)
        pulled = descriptor.pullback(x, w, g)
        for m in (0, len(x) - 1):
            np.testing.assert_array_equal(descriptor(x[m], float(w[m])), values[m])
            one = slice(m, m + 1)
            np.testing.assert_array_equal(descriptor.gradients(x[one], w[one])[0], gradients[m])
            np.testing.assert_array_equal(descriptor.pullback(x[one], w[one], g[one])[0], pulled[m])
    np.testing.assert_array_equal(descriptor.values(x[::-1], w[::-1]), values[::-1])
    many = np.stack([x[0]] * 3)
    np.testing.assert_array_equal(descriptor(many, w[0]), descriptor(many, np.full(3, w[0])))


def check_settings(descriptor):
    text = json.dumps(descriptor.settings)
    again = descriptor_from_settings(json.loads(text))
    assert again == descriptor and hash(again) == hash(descriptor)
    assert json.dumps(again.settings) == text
