"""Write nbs/live.js, the script of the moving figures of the site.

    python docs/live.py

It is what stands in docs/live/, squeezed, and the weights of the packaged network as text. The
scaling of the inputs is put into the first layer, which keeps 26 bits of each weight; the other
layers keep 22. That changes predictions by less than 1e-6. network.js says how the text is read.
"""

import json
from pathlib import Path

import numpy as np
import pes_toy as pt

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("physics", "network", "drawing", "figures")
PLACE = ROOT / "nbs" / "live.js"
HEAD = "// Made by docs/live.py of pes_toy from docs/live/*.js, where it can be read.\n"
DIGITS = [chr(code) for code in range(35, 127) if chr(code) != "\\"]


def digits(number, size):
    "A whole number in base 91."
    text = ""
    for _ in range(size):
        number, last = divmod(number, 91)
        text = DIGITS[last] + text
    return text


def scale_of(column):
    "A digit for the smallest scale, of four in a factor of 2, that holds a column."
    digit = int(np.ceil(4 * (np.log2(np.abs(column).max()) + 12)))
    if not 0 <= digit < 91:
        raise ValueError(f"weights must lie between 2^-12 and 2^10, got {np.abs(column).max():g}")
    return digit


def packed(rows, two):
    "Text of a matrix, and the matrix that is read from it."
    most = int(np.sqrt(91.0**7)) if two else 91**4
    chosen = [scale_of(column) for column in rows.T]
    scales = 2.0 ** (np.array(chosen) / 4 - 12)
    whole = np.rint((rows / scales + 1) * (most - 1) / 2).astype(int)
    numbers = whole.ravel().tolist()
    text = "".join(digits(digit, 1) for digit in chosen)
    if two:
        numbers += [0] * (len(numbers) % 2)
        text += "".join(digits(a * most + b, 7) for a, b in zip(numbers[::2], numbers[1::2]))
    else:
        text += "".join(digits(number, 4) for number in numbers)
    return text, scales * (2 * whole / (most - 1) - 1)


def layers_of(network):
    "Layers as network.js reads them, and the units of the inputs, whose scaling is in them."
    units = np.array([float(f"{1 / scale:.0e}") for scale in network.scale])
    layers = []
    for place, (W, b) in enumerate(network.weights):
        rows = np.vstack([W, b]).astype(float)
        if place == 0:
            rows[:-1] /= (network.scale * units)[:, None]
            rows[-1] -= (network.shift * units) @ rows[:-1]
        text, read = packed(rows, two=place > 0)
        if place == 0:  # what rounding the weights does to the bias
            rows[-1] += (network.shift * units) @ (rows[:-1] - read[:-1])
            text, _ = packed(rows, two=False)
        layers.append({"text": text, "rows": len(rows), "columns": len(b)})
    return layers, units.tolist()


def weights(network):
    "The network as a statement of JavaScript."
    inputs = network.descriptor
    shells = list(dict.fromkeys(a[:2] for a in inputs.angular))
    turns = list(dict.fromkeys(a[2:] for a in inputs.angular))
    in_order = tuple(shell + turn for shell in shells for turn in turns)
    known = network.spec.transform == "standardised" and network.spec.activation == "silu"
    if not (known and inputs.third_side and in_order == inputs.angular):
        raise ValueError("network.js reads standardised symmetry functions and silu only")
    layers, units = layers_of(network)
    settings = {
        "radial": inputs.radial,
        "shells": shells,
        "turns": turns,
        "cutoff": inputs.cutoff,
        "units": units,
        "shift": network.energy_shift,
        "scale": network.energy_scale,
        "layers": layers,
    }
    return f"live.weights = {json.dumps(settings, separators=(',', ':'))};\n"


def squeezed(source):
    "A script with short names and without comments, where the tool for that is installed."
    try:
        import minify
    except ImportError:
        return source
    return minify.string("application/javascript", source)


def script():
    "The text of live.js."
    first, *rest = [(ROOT / "docs" / "live" / f"{part}.js").read_text("utf-8") for part in PARTS]
    whole = "".join([first, weights(pt.sample_network()), *rest])
    return f"{HEAD}{squeezed(f'(() => {{{whole}}})();')}\n"


if __name__ == "__main__":
    PLACE.write_text(script(), encoding="utf-8")
