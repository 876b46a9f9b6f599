"""What a notebook shows, compared with what it stores: words exactly, numbers to a tolerance.

Times, sizes of memory and speeds are left out: they belong to the machine. A cell in which more
belongs to the machine says so, in a comment `# varies: why`; it is not compared. One that shows
what a training came to may say `# varies by 20 %: why`, which is its tolerance then: another kind
of processor rounds in another order, and a training of few epochs comes to another place.
"""
import html
import math
import re

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.I)
UNIT = r"(?:s|ms|us|µs|ns|min|minutes|seconds?|kB|MB|GB|times|x|it/s|threads?|configurations/s)"
TIME = re.compile(NUMBER.pattern + rf"(?:\s*(?:to|and|,)\s*{NUMBER.pattern})*\s*{UNIT}\b", re.I)
ADDRESS = re.compile(r"0x[0-9a-f]+")
TAG = re.compile(r"<[^>]+>")
VARIES = re.compile(r"(^|\s)# varies: \w+", re.M)
VARIES_BY = re.compile(r"(?:^|\s)# varies by (\d+) %: \w+", re.M)
RELATIVE = 0.02  # a trained network is the same only on the same kind of processor


def text_of(output):
    "The text of one output; empty for pictures, widgets and what goes to stderr."
    if output.get("name") == "stderr":
        return ""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    if "text/html" in data:
        return html.unescape(TAG.sub(" ", "".join(data["text/html"])))
    if any(kind.startswith(("image/", "application/")) for kind in data):
        return ""
    return "".join(data.get("text/plain", ""))


def shown(cell):
    "All text that a cell shows."
    return " ".join(text_of(output) for output in cell.get("outputs", []))


def parts(text):
    "Words and numbers of a text, without what belongs to the machine."
    text = TIME.sub(" ", ADDRESS.sub(" ", text))
    words = " ".join(NUMBER.sub(" # ", text).split())
    return words, NUMBER.findall(text)


def unit_of_last_digit(number):
    "One unit of the last digit that is printed: 0.01 for 3.14, 1e-7 for 2.5e-6; 0 for whole ones."
    if re.fullmatch(r"[-+]?\d+", number):
        return 0.0
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def tolerance(source):
    "The relative tolerance of the numbers that a cell shows."
    said = VARIES_BY.search(source)
    return int(said[1]) / 100 if said else RELATIVE


def close(a, b, relative=RELATIVE):
    "Two printed numbers agree to the tolerance, or in all but the last digit."
    a, b = (re.sub("[,_]", "", number) for number in (a, b))
    last = max(unit_of_last_digit(a), unit_of_last_digit(b))
    if relative > RELATIVE and not last:
        last = 1.0  # of whole numbers, such as per cents
    return math.isclose(float(a), float(b), rel_tol=relative, abs_tol=1.01 * last)


def difference(stored, fresh, relative=RELATIVE):
    "How two outputs of a cell differ, in a line; empty where they do not."
    (old_words, old), (new_words, new) = parts(stored), parts(fresh)
    if old_words != new_words or len(old) != len(new):
        return f"stored {stored.strip()[:300]!r}, a run shows {fresh.strip()[:300]!r}"
    wrong = [f"{a} is now {b}" for a, b in zip(old, new) if not close(a, b, relative)]
    return ", ".join(wrong[:5])


def stale(stored, fresh):
    "The cells of a notebook that show something else than they store."
    found = []
    for number, (old, new) in enumerate(zip(stored.cells, fresh.cells)):
        if new.cell_type != "code" or VARIES.search(new.source):
            continue
        said = difference(shown(old), shown(new), tolerance(new.source))
        if said:
            found.append(f"cell {number}: {said}\n{new.source[:300]}")
    return found
