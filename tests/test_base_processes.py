"""Helpers: every question has one answer, in any order; crashes are told, and nobody is left."""

import math
import os
import signal
import subprocess
import sys
import time

import pytest
from pes_toy.base.processes import Helper, Helpers


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 3])
def test_every_question_is_answered_once(workers):
    with Helpers("math:factorial", {}, workers) as helpers:
        for number in range(40):
            helpers.ask(number)
        found = [helpers.answer() for _ in range(40)]
        assert helpers.waiting == 0
    assert sorted(found) == [(number, math.factorial(number)) for number in range(40)]


def test_floats_keep_their_bits():
    numbers = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    with Helpers("operator:neg", {}, 1) as helpers:
        for number in numbers:
            helpers.ask(number)
            assert helpers.answer()[1].hex() == (-number).hex()


def test_errors_are_told_with_their_reason():
    with Helpers("math:sqrt", {}, 1) as helpers:
        helpers.ask(-1.0)
        with pytest.raises(RuntimeError, match="ValueError"):
            helpers.answer()
    with Helpers("os:_exit", {}, 1) as helpers:
        helpers.ask(5)
        with pytest.raises(ChildProcessError, match="code 5 on the question 5"):
            helpers.answer()
    with Helpers("no_such_module:f", {}, 1) as helpers:
        helpers.ask(1)
        with pytest.raises(ChildProcessError):
            helpers.answer()


def test_what_a_library_prints_is_no_answer():
    with Helpers("builtins:print", {}, 1) as helpers:
        helpers.ask("hello")
        assert helpers.answer() == ("hello", None)


def test_nobody_is_left():
    helper = Helper("time:sleep", {})
    pid = helper.process.pid
    assert is_there(pid)
    helper.close()
    assert not is_there(pid)


ORPHAN = """
import os, signal
from pes_toy.base.processes import Helper
helper = Helper("math:sqrt", {})
helper.ask(4.0)
print(helper.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_helpers_end_with_a_killed_parent():
    said = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True)
    assert said.returncode == -signal.SIGKILL
    until = time.monotonic() + 20
    while is_there(int(said.stdout)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_there(int(said.stdout))


def test_a_script_without_a_guard_may_use_them(tmp_path):
    "multiprocessing would begin the script again in each process."
    script = tmp_path / "script.py"
    script.write_text(
        "from pes_toy.base.processes import Helpers\n"
        "with Helpers('math:sqrt', {}, 2) as helpers:\n"
        "    helpers.ask(9.0)\n"
        "    print(helpers.answer())\n"
    )
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert said.stdout == "(9.0, 3.0)\n", said.stderr
