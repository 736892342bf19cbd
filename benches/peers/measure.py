"""Measures two other tools on this machine: AiCore's collector and Arize Phoenix, at the versions in their requirements.txt.

    python3 measure.py [--quick]

Each is installed from PyPI into an environment of its own in the user's cache; later runs use it again. Out: one JSON object
on standard output, with an entry per tool that holds its version and either `measured` or `error`. Progress goes to standard
error. `make bench` runs this and puts the figures beside opstream's own.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "opstream" / "peers"
# Name, package whose version counts, and how much is measured: calls or spans.
PEERS = [("aicore", "core-for-ai", 3000), ("phoenix", "arize-phoenix", 5000)]
QUICK_DIVISOR = 5
MEASURED_WITHIN_S = 1200


def main():
    arguments = argparse.ArgumentParser(description="Measures AiCore's collector and Arize Phoenix.")
    arguments.add_argument("--quick", action="store_true", help="measure a fifth")
    quick = arguments.parse_args().quick
    answer = {}
    for name, package, amount in PEERS:
        entry = {"package": package, "version": pinned(name, package)}
        try:
            interpreter = environment(name)
            entry["measured"] = measure(name, interpreter, amount // QUICK_DIVISOR if quick else amount)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            entry["error"] = explain(error)
        answer[name] = entry
    print(json.dumps(answer))


def pinned(name, package):
    for line in (HERE / name / "requirements.txt").read_text().splitlines():
        if line.startswith(f"{package}=="):
            return line.split("==")[1]
    raise ValueError(f"{name}/requirements.txt does not pin {package}")


def environment(name):
    """The interpreter that has the tool; installs it unless that was done with the same requirements."""
    requirements = HERE / name / "requirements.txt"
    folder = CACHE / name
    interpreter, installed = folder / "bin" / "python", folder / "requirements.txt"
    if installed.exists() and installed.read_bytes() == requirements.read_bytes():
        return interpreter
    say(f"installing {name} from PyPI")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--requirement", requirements], timeout=900)
    shutil.copyfile(requirements, installed)
    return interpreter


def measure(name, interpreter, amount):
    say(f"measuring {name}")
    return json.loads(run([interpreter, HERE / name / "measure.py", str(amount)], timeout=MEASURED_WITHIN_S))


def run(command, timeout):
    """Standard output of a command."""
    done = subprocess.run(command, capture_output=True, check=True, timeout=timeout, cwd="/")
    return done.stdout


def explain(error):
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with {error.returncode}"
    return str(error)


def say(text):
    print(text, file=sys.stderr, flush=True)


main()
