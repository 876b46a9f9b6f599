"""What pes_toy asks of tblite, answered by a wave in the cell; every seventh cell fails."""

import os
import time

import numpy as np


class TBLiteRuntimeError(RuntimeError):
    pass


class Calculator:
    def __init__(self, method, numbers, positions, lattice=None, periodic=None):
        assert method == "GFN1-xTB" and len({*numbers.tolist()}) == 1
        assert (lattice is None) == (periodic is None)
        self.positions = np.array(positions)
        self.lattice = lattice

    def set(self, name, value):
        assert name in ("verbosity", "temperature") and value >= 0

    def singlepoint(self):
        time.sleep(float(os.environ.get("STANDIN_SECONDS", 0)))
        N = len(self.positions)
        if self.lattice is None:
            return dict(energy=-1.0 * N, gradient=np.zeros((N, 3)), virial=np.zeros((3, 3)))
        width = self.lattice[0, 0]
        if int(1e6 * width) % 7 == 0:
            raise TBLiteRuntimeError("SCF not converged in 250 cycles")
        phase = 2 * np.pi * self.positions / width
        energy = -1.1 * N + 0.01 * (1 - np.cos(phase)).sum()
        gradient = 0.01 * np.sin(phase) * 2 * np.pi / width
        return dict(energy=energy, gradient=gradient, virial=0.001 * np.eye(3))
