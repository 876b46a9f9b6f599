"""An exact, cheap, periodic toy world for people who study machine-learned potentials.

Every public name is loaded when it is first used, so that `import pes_toy` is quick.
"""

__version__ = "0.1.0"

import importlib as _importlib
import pkgutil as _pkgutil

# the one list of public names, by the module in which each is at home
_homes = {
    "base.limits": ["unlimited"],
    "lattice": ["cells", "lattice_points", "wrap", "plot_lattice"],
    "potentials": [
        "Morse",
        "LennardJones",
        "AreaPair",
        "AreaPerimeter",
        "PairArea",
        "ModifiedLennardJones",
        "Potential",
    ],
    "energy": [
        "energy_per_particle",
        "forces",
        "energy_and_forces",
        "brute_force_energy",
        "cost",
        "Cost",
    ],
    "structures": ["Structures", "Structure"],
    "structure_files": ["read"],
    "elasticity": [
        "stress",
        "pressure",
        "strained",
        "equation_of_state",
        "EquationOfState",
        "elastic_constants",
        "ElasticConstants",
        "hessian",
        "vibrations",
        "Vibrations",
        "plot_cell",
    ],
    "relaxation": ["relax", "Relaxation"],
    "rest": ["relax_cell", "CellRelaxation"],
    "specification": ["DatabaseSpec"],
    "database": ["Database", "concat", "sample_database"],
    "datasets": ["Dataset", "load"],
    "generation": ["estimate"],
    "many": ["generate"],
    "descriptors": [
        "proximity_matrices",
        "proximity_eigenvalues",
        "proximity_eigenvalue_gradients",
        "degenerate_eigenvalues",
        "DegenerateWarning",
        "Descriptor",
        "ProximityEigenvalues",
        "RelativeDistances",
        "descriptor_from_settings",
        "numerical_gradients",
        "drag_path",
    ],
    "symmetry_functions": ["SymmetryFunctions"],
    "judging": ["report", "DescriptorReport"],
    "prepared": ["prepare", "inputs_of"],
    "verification": ["verify"],
    "subjects": ["Verification", "Check", "grade"],
    "models": ["Predictor", "load_network", "Drag"],
    "networks": ["Network", "sample_network"],
    "training": ["TrainingSpec", "DivergedError"],
    "streamed": ["train"],
    "unlike": ["train_last_layer"],
    "scores": ["Scores", "score", "BaselineSpec", "Baseline", "fit_baseline", "Average"],
    "experiments": ["Experiment", "run_experiment", "vary"],
    "sweeps": ["Sweep", "sweep"],
    "studies": ["study"],
    "observables": [
        "pair_distribution",
        "PairDistribution",
        "mean_square_displacement",
        "Displacement",
        "mean_with_error",
        "Mean",
    ],
    "motion": ["dynamics", "Trajectory"],
    "quadrature": ["partition_function", "Partition"],
    "committee": ["Committee", "train_committee", "Calibration", "Reliability"],
    "active": ["active_learning", "LearningCurves"],
    "xtb": ["Xtb", "XtbSpec", "sample_real"],
    "xtb_sets": ["xtb_structures"],
    "exchange": ["to_atoms", "from_atoms", "calculator", "save_figure", "figure_settings"],
}
_home = {name: module for module, names in _homes.items() for name in names}
_modules = [found.name for found in _pkgutil.iter_modules(__path__) if found.name[0] != "_"]
__all__ = [*_home, *_modules]


def __getattr__(name):
    if name in _modules:
        return _importlib.import_module(f"pes_toy.{name}")
    if name not in _home:
        raise AttributeError(f"module 'pes_toy' has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"pes_toy.{_home[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
