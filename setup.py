"""Everything is in settings.ini; this file only hands it to setuptools."""
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters=["="], interpolation=None)
config.read(Path(__file__).parent / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]
words = lambda key: cfg.get(key, "").split()
groups = ("networks", "explore", "distributed", "ase", "dft", "xtb", "peers", "dev")
extras = {group: words(f"{group}_requirements") for group in groups}
extras["all"] = sorted({r for group in groups if group not in ("dft", "xtb", "peers", "dev") for r in extras[group]})
pythons = [f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)]

setup(
    name=cfg["lib_name"], version=cfg["version"], description=cfg["description"], keywords=cfg["keywords"],
    author=cfg["author"], author_email=cfg["author_email"], url=cfg["git_url"], license="MIT",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"), long_description_content_type="text/markdown",
    classifiers=["Development Status :: 4 - Beta", "Intended Audience :: Science/Research", *pythons],
    packages=find_packages(include=["pes_toy", "pes_toy.*"]), package_data={"pes_toy": ["sample/*", "thesis/*.toml", "thesis/*.json"]}, zip_safe=False,
    python_requires=f">={cfg['min_python']}", install_requires=words("requirements"), extras_require=extras,
    entry_points={"console_scripts": words("console_scripts"), "nbdev": [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
)
