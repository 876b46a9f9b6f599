"""Kernels for notebooks, forked from a process that has imported what most notebooks import.

Imports take about two seconds of processor time in each of more than a hundred notebooks, and
TensorFlow four more where it is needed. A forked kernel is as fresh as any: nobody has run a cell
in it.

python tests/forked.py serve SOCKET              waits, and forks a kernel for each request
python tests/forked.py serve SOCKET tensorflow   the same, with TensorFlow imported
python -S tests/forked.py ask SOCKET CONNECTION  asks for one, and lives as long as it does
"""

import gc
import json
import os
import socket
import sys

USUAL = (
    "IPython.display",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "nbdev.showdoc",
    "numba",
    "pandas",
    "pes_toy.database",
    "pes_toy.energy",
    "pes_toy.relaxation",
)
INLINE = "module://matplotlib_inline.backend_inline"


def ask(path, connection, *options):
    "Asks for a kernel, and waits until it ends."
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who ends a kernel interrupts it first
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        wish = {
            "arguments": ["-f", connection, *options],
            "folder": os.getcwd(),
            "environment": dict(os.environ),
        }
        line.sendall(json.dumps(wish).encode() + b"\n")
        line.recv(1)


def import_usual():
    "Imports what most notebooks import, as it would be in a kernel."
    import importlib

    os.environ["MPLBACKEND"] = INLINE
    for name in USUAL:
        importlib.import_module(name)
    import pandas

    pandas.set_option("display.max_columns", 20)  # as in a kernel: it sees none when imported here


def import_tensorflow():
    "Imports TensorFlow as the package does; its threads begin with the first operation only."
    from pes_toy.engine.epochs import keras_with_tensorflow

    keras_with_tensorflow()


def serve(path, *more):
    "Imports, and forks a kernel for each request until the process is ended."
    import signal

    import_usual()
    if "tensorflow" in more:
        import_tensorflow()
    gc.collect()
    gc.freeze()  # kernels look for garbage among their own objects only
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for kernels
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(16)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                become_kernel(line)
                os._exit(0)
            line.close()


def become_kernel(line):
    "Runs a kernel as a process of its own would."
    import signal
    import threading

    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with line.makefile() as text:
        wish = json.loads(text.readline())
    os.setsid()
    os.environ.clear()
    os.environ.update(wish["environment"], MPLBACKEND=INLINE)
    os.environ.pop("JPY_PARENT_PID", None)  # the one who asks is no parent
    os.chdir(wish["folder"])
    threading.Thread(target=end_with, args=(line,), daemon=True).start()
    sys.argv = ["ipykernel_launcher.py"]
    sys.path[0] = ""
    IPKernelApp.launch_instance(wish["arguments"])


def end_with(line):
    "Ends this process when the one who asked for it has ended."
    line.recv(1)
    os._exit(1)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
