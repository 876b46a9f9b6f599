"""An exact, cheap, periodic toy world for people who study machine-learned potential energy surfaces.

Every public name is loaded when it is first used, so that `import pes_toy` is quick.
"""
__version__ = "0.1.0"

import importlib as _importlib

_homes = {
    "potentials": ["Morse", "LennardJones", "AreaPair", "AreaPerimeter", "PairArea", "ModifiedLennardJones", "Potential"],
    "lattice": ["cells", "lattice_points", "wrap", "plot_lattice"],
    "energy": ["energy_per_particle", "forces", "energy_and_forces", "brute_force_energy", "cost", "Cost"],
    "relaxation": ["relax", "Relaxation"],
    "descriptors": ["plain_proximity_matrices", "proximity_matrices", "proximity_eigenvalues", "proximity_eigenvalue_gradients",
                    "degenerate_eigenvalues", "DegenerateWarning", "Descriptor", "ProximityEigenvalues", "RelativeDistances",
                    "descriptor_from_settings", "numerical_gradients", "prepare", "inputs_of", "drag_path"],
    "symmetry_functions": ["plain_symmetry_functions", "SymmetryFunctions"],
    "judging": ["report", "DescriptorReport"],
    "networks": ["Predictor", "Network", "load_network", "sample_network", "Drag"],
    "training": ["TrainingSpec", "train", "DivergedError"],
    "scores": ["Scores", "score", "BaselineSpec", "Baseline", "fit_baseline", "Average"],
    "experiments": ["Experiment", "run_experiment", "vary"],
    "sweeps": ["Sweep", "sweep"],
    "studies": ["study"],
    "exchange": ["to_atoms", "from_atoms", "calculator", "save_figure", "figure_settings"],
    "specification": ["DatabaseSpec"],
    "database": ["Database", "load", "concat", "sample_database"],
    "generation": ["generate", "estimate"],
}
_modules = ["lattice", "potentials", "energy", "diagnostics", "verdicts", "relaxation", "specification", "database", "generation", "descriptors", "symmetry_functions", "judging", "networks", "training", "scores", "experiments", "sweeps", "studies", "formulas", "views",
            "potential_views", "configuration_views", "data_views", "widgets", "explore", "exchange", "cli"]
_home = {name: module for module, names in _homes.items() for name in names}
__all__ = [*_home, *_modules]


def __getattr__(name):
    if name in _modules: return _importlib.import_module(f"pes_toy.{name}")
    if name not in _home: raise AttributeError(f"module 'pes_toy' has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"pes_toy.{_home[name]}"), name)
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__})
