"""Installs the peers of settings.ini one by one into this Python; says which could not be had.

    python benchmarks/peers/install.py

One that cannot be installed does not keep the others out: its reason is kept, and becomes a row of
the table.
"""

import configparser
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFUSED = Path(sys.prefix, "peers_not_installed.json")


def wanted():
    "The extra `peers`."
    config = configparser.ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]["peers_requirements"].split()


def reason(said):
    "Why pip refused."
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else "pip failed"


def main():
    refused = {}
    for requirement in wanted():
        command = [sys.executable, "-m", "pip", "install", "--quiet", requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            refused[requirement] = reason(done.stderr)
            print(f"{requirement}: not installed ({refused[requirement]})")
    REFUSED.write_text(json.dumps(refused))


if __name__ == "__main__":
    main()
