"""Runs a stranger's code in here, and says what came of it.

Ours, and run first. It takes away what leads to JavaScript and tells in words what there is not;
what really holds is around it (docs/decisions).
"""

import ast
import base64
import hashlib
import io
import json
import os
import sys
import traceback

FOLDER = "/mnt/data"
SOURCE = "<code>"

limits = {}
before = {}


class Output(io.TextIOBase):
    """Keeps the beginning and the end of what is written, and counts the rest."""

    def __init__(self, most):
        self._head, self._tail = [], ""
        self._left, self._tail_most = most * 3 // 4, most // 4
        self.left_out = 0

    def writable(self):
        return True

    def write(self, text):
        text = str(text)
        head = text[: self._left]
        self._left -= len(head)
        self._head.append(head)
        rest = text[len(head) :]
        if rest:
            tail = self._tail + rest[-self._tail_most :]
            self.left_out += max(0, len(self._tail) + len(rest) - self._tail_most)
            self._tail = tail[-self._tail_most :]
        return len(text)

    def text(self):
        gap = f"\n[… {self.left_out:,} characters left out …]\n" if self.left_out else ""
        return "".join(self._head) + gap + self._tail


def imports_of(code):
    """The packages a piece of code asks for, as JSON."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "[]"
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return json.dumps(sorted(found))


def prepare(request):
    """Goes to the working folder and remembers what lies there."""
    limits.update(json.loads(request))
    os.chdir(FOLDER)
    before.update({name: digest(name) for name in names_in_folder()})
    seal()


class Sealed:
    """Says in words that a module is not for use in here."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in SEALED:
            raise ModuleNotFoundError(f"{name} cannot be used in here", name=name)


SEALED = {
    "_ctypes", "_multiprocessing", "_posixsubprocess", "_pyodide", "_pyodide_core", "ctypes",
    "js", "micropip", "multiprocessing", "pyodide", "pyodide_js", "subprocess", "webbrowser",
}  # fmt: skip


def seal():
    """Takes away the modules that lead to JavaScript, and every way Pyodide offers to find them."""
    sys.meta_path[:] = [Sealed(), *(one for one in sys.meta_path if not is_of_pyodide(one))]
    sys.path_hooks[:] = [one for one in sys.path_hooks if not is_of_pyodide(one)]
    for name in list(sys.modules):
        if name.split(".")[0] in SEALED:
            del sys.modules[name]
    sys.stdin = io.StringIO("")


def is_of_pyodide(thing):
    module = getattr(type(thing), "__module__", "") or getattr(thing, "__module__", "")
    return module.split(".")[0] in SEALED


def run(code):
    """Runs the code; gives output, the last expression's value, the error and the files, as JSON."""
    output = Output(limits["output"])
    value = error = None
    missing = None
    sys.stdout = sys.stderr = output
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        value = evaluate(code, space)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            error = f"SystemExit: {stop.code}"
    except BaseException as problem:
        missing = problem.name if isinstance(problem, ModuleNotFoundError) else None
        error = describe(problem)
    try:
        save_figures()
    except BaseException as problem:
        error = error or describe(problem)
    sys.stdout = sys.stderr = io.StringIO()
    files, left_out = changed_files()
    answer = {
        "output": output.text(),
        "value": value,
        "error": error,
        "missing": missing,
        "files": files,
        "leftOut": left_out,
    }
    return json.dumps(answer)


def evaluate(code, space):
    """Like a notebook: the value of the last expression is what the code gives."""
    tree = ast.parse(code, SOURCE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, SOURCE, "exec"), space)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), SOURCE, "eval"), space)
    return None if value is None else shortened(repr(value), limits["value"])


def describe(problem):
    """The traceback from the stranger's first line on."""
    try:
        lines = traceback.TracebackException.from_exception(problem, compact=True)
        frames = lines.stack
        own = next((i for i, frame in enumerate(frames) if frame.filename == SOURCE), len(frames))
        del frames[:own]
        return shortened("".join(lines.format()).strip(), limits["error"])
    except BaseException:
        return type(problem).__name__


def shortened(text, most):
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def save_figures():
    """Figures nobody saved become pictures."""
    plots = sys.modules.get("matplotlib.pyplot")
    if plots is None or not plots.get_fignums():
        return
    if any(name.lower().endswith(PICTURES) and is_new(name) for name in names_in_folder()):
        return
    for number in plots.get_fignums():
        plots.figure(number).savefig(f"figure-{number}.png", dpi=144, bbox_inches="tight")


PICTURES = (".png", ".svg", ".jpg", ".jpeg", ".webp", ".pdf")


def names_in_folder():
    """The files in the working folder and below, links and hidden ones left out."""
    names = []
    for folder, folders, files in os.walk(FOLDER):
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
        for file in sorted(files):
            path = os.path.join(folder, file)
            if not file.startswith(".") and not os.path.islink(path):
                names.append(os.path.relpath(path, FOLDER))
    return names


def read(name):
    with open(os.path.join(FOLDER, name), "rb") as file:
        return file.read()


def digest(name):
    return hashlib.sha256(read(name)).digest()


def is_new(name):
    return before.get(name) != digest(name)


def changed_files():
    """What is new or changed, as far as the limits go, and the names of what is not handed over."""
    files, left_out, room = [], [], limits["fileBytes"]
    for name in names_in_folder():
        if not is_new(name):
            continue
        size = os.path.getsize(os.path.join(FOLDER, name))
        if len(files) == limits["files"] or size > room:
            left_out.append(name[:200])
            continue
        room -= size
        files.append({"name": name, "data": base64.b64encode(read(name)).decode()})
    return files, left_out[:20]
