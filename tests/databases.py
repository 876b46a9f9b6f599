"What the tests of databases share: unlike specifications, and when two databases are the same."
import numpy as np
import pes_toy as pt

SPECS = {
    "default": pt.DatabaseSpec(n_configurations=500),
    "thesis": pt.DatabaseSpec.thesis(n_configurations=200),
    "widths": pt.DatabaseSpec.thesis_widths(n_configurations=300),
    "diverse": pt.DatabaseSpec.diverse(n_configurations=300),
    "3-D": pt.DatabaseSpec(
        n_configurations=60, dimension=3, n_particles=5, width=3.2, epochs=10
    ),
    "narrow": pt.DatabaseSpec(n_configurations=60, width=(1.5, 2.5), n_widths=3),
    "fire": pt.DatabaseSpec(n_configurations=60, relaxer="fire"),
    "Lennard-Jones": pt.DatabaseSpec(
        n_configurations=20, potential=pt.LennardJones(), depth=1, epochs=5, forces=True
    ),
}
COLUMNS = ("positions", "width", "energy", "forces", "acceptance", "depth", "epochs", "index")


def make(**settings):
    "A database without a progress bar."
    return pt.generate(pt.DatabaseSpec(**settings), progress=False)


def same(a, b):
    "Whether two databases hold the same bits in all columns that generation fills."
    for name in COLUMNS:
        one, other = getattr(a, name), getattr(b, name)
        if (one is None) != (other is None):
            return False
        if one is not None and not np.array_equal(one, other, equal_nan=True):
            return False
    return True
