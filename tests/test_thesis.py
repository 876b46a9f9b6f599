"""The account of the thesis: every claim has its function, and the verdicts follow."""
import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from notebooks import ROOT

from pes_toy.cli import main
from pes_toy.thesis.account import Claim, Found, account, changed, claims, stored, verdict

CLAIMS = {claim.name: claim for claim in claims()}
QUICK = [claim for claim in CLAIMS.values() if not claim.slow]


def claim_id(claim):
    return claim.name


def test_the_list_is_whole():
    assert len(CLAIMS) >= 150
    assert {claim.name for claim in QUICK} <= set(stored()) <= set(CLAIMS)
    for claim in CLAIMS.values():
        module, function = claim.by.split(".")
        assert callable(getattr(importlib.import_module(f"pes_toy.thesis.{module}"), function))
        assert claim.where and claim.says and claim.why


# The chapter on databases asks itself about its claims: they need what it generates anyway.
@pytest.mark.parametrize("claim", [c for c in QUICK if not c.by.startswith("databases.")],
                         ids=claim_id)  # fmt: skip
def test_claim_is_recomputed(claim):
    assert not changed(claim)


def test_a_changed_value_is_told(monkeypatch):
    claim = QUICK[0]
    kept = stored()
    off = np.asarray(kept[claim.name].thesis, float) + 1.0
    other = {**kept, claim.name: kept[claim.name]._replace(thesis=off.tolist())}
    monkeypatch.setattr("pes_toy.thesis.account.stored", lambda: other)
    assert changed(claim).startswith(claim.name)


def test_verdicts_follow_from_values():
    claim = Claim("c", "nowhere", "two", 2.0, "theory.ordered_sum", "a count", within=0.1)
    assert verdict(claim, Found(2.05)) == "reproduced"
    assert verdict(claim, Found(2.05, 3.0)) == "corrected"
    assert verdict(claim, Found(3.0, 2.0)) == "not reproduced"
    assert verdict(claim, Found(float("nan"), 2.0)) == "not reproduced"


def test_nothing_is_left_out_because_it_fails():
    count = account().count()
    assert count["corrected"] >= 5 and count["not reproduced"] >= 5
    lines = account().lines
    assert all(line.claim.reason for line in lines if line.verdict == "not reproduced")


def test_account_is_escaped_and_complete():
    html = account()._repr_html_()
    assert html.count("<tr>") == len(account()) + 1
    assert "not reproduced" in repr(account())


def test_another_python_prints_it():
    code = "from pes_toy.thesis.account import account; print(account())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert f"{len(stored())} claims" in ran.stdout


def test_command_prints_lines_of_the_account(tmp_path, capsys):
    out = str(tmp_path / "account.json")
    assert main(["thesis", "minimum-10", "figure-12", "--out", out]) == 0
    assert "2 claims" in capsys.readouterr().out
    rows = json.loads(Path(out).read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == ["minimum-10", "figure-12"]
    assert rows[0]["verdict"] == verdict(CLAIMS["minimum-10"], stored()["minimum-10"])
    assert main(["thesis", "--verdict", "corrected", "--chapter", "potentials"]) == 0
    said = capsys.readouterr().out
    assert " 0 reproduced" in said and " 0 not reproduced" in said
    assert main(["thesis", "minimum-10", "--recompute"]) == 0
    assert "minimum-10 (section 3.1.4, figure 8a)" in capsys.readouterr().out


@pytest.mark.parametrize("words, told", [
    (["minimum-11"], "minimum-11"),
    (["--out", "account.txt"], "must end in .json"),
])
def test_command_refuses(words, told, capsys):
    assert main(["thesis", *words]) == 1
    assert told in capsys.readouterr().err


def test_values_are_one_claim_a_line():
    text = (ROOT / "pes_toy" / "thesis" / "values.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(json.loads(text)) + 2
