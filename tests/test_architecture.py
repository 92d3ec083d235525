"""The rules of the house, checked on the source: layers, sizes, imports, and what is never used."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import plugins

REPO = Path(__file__).parents[1]
MODULES = sorted(path for top in ("engine", "ui", "spaces") for path in (REPO / top).rglob("*.py"))
NAMES = [str(path.relative_to(REPO)) for path in MODULES]
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "evaluate", "accelerate"}
HEAVY |= {"tensorboard", "mlflow", "wandb", "trackio"}
MAY_BE_HEAVY = {"methods", "metrics", "models", "work", "trackers"}
LIGHT = ("engine.services", "engine.store", "engine.formats", "engine.checks", "engine.cli", "ui")
UNSAFE_IMPORTS = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
UNSAFE_CALLS = {"os.system", "os.popen", "torch.load", "eval", "exec"}
UNSAFE_OPTIONS = {"trust_remote_code"}  # has no business here, not even switched off
UNSAFE_WHEN_ON = {"trust_remote_code", "shell", "allow_pickle"}
MACHINE_PATHS = re.compile(r"(?<![\w.)}\]*])/(work|root|farm|opt/pypi|opt/wheels)/|/tmp/bash" + "_")
REGISTRIES = re.compile(
    r"\b(pypi|pythonhosted|download\.pytorch|registry\.npmjs)" + r"\.(org|com)\b"
)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(REPO)}:{getattr(node, 'lineno', 1)}"


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement may load."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: function bodies are left out."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from run_at_import(node)


def dotted(node: ast.AST) -> str:
    """`a.b` for a name or an attribute of a name, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def unsafe(node: ast.AST) -> set[str]:
    """What this node does that the house never does."""
    if isinstance(node, ast.Call):
        return UNSAFE_CALLS & {dotted(node.func)}
    if isinstance(node, ast.keyword):
        off = isinstance(node.value, ast.Constant) and node.value.value is False
        return {node.arg or ""} & (UNSAFE_WHEN_ON if not off else UNSAFE_OPTIONS)
    if isinstance(node, ast.Dict):
        return UNSAFE_OPTIONS & {key.value for key in node.keys if isinstance(key, ast.Constant)}
    if isinstance(node, ast.AnnAssign):
        return UNSAFE_OPTIONS & {dotted(node.target)}
    names = imported(node)
    return UNSAFE_IMPORTS & {name.split(".")[0] for name in names} | UNSAFE_CALLS & set(names)


def committed() -> list[Path]:
    """Every file of the repository that git knows and that still stands."""
    command = ["git", "-c", f"safe.directory={REPO}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    paths = [REPO / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_imports_point_down():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--no-logo", "--no-cache"], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_plug_ins_are_reached_through_plugins_load_only():
    known = {
        target.partition(":")[0]
        for family in plugins.BUILT_IN.values()
        for target in family.values()
    }
    found = [
        f"{where(path, node)} imports {name}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        for name in known & set(imported(node))
        if Path(*name.split(".")[:-1]) != path.relative_to(REPO).parent
    ]
    assert not found, "\n".join(found)


def test_package_with_a_single_module_does_not_exist():
    folders = {path.parent for path in MODULES if path.parts[-2:] != ("spaces", "app.py")}
    single = [
        str(folder.relative_to(REPO))
        for folder in folders
        if sum(path.name != "__init__.py" for path in folder.glob("*.py")) == 1
        and (folder / "__init__.py").exists()
        and not any((child / "__init__.py").exists() for child in folder.iterdir())
    ]
    assert not single, single


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_uses_nothing_that_runs_foreign_code(path):
    found = [
        f"{where(path, node)} uses {what}"
        for node in ast.walk(parsed(path))
        for what in unsafe(node)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "import pickle",
        "from torch import load",
        "import torch\ntorch.load(path)",
        "import os\nos.system(command)",
        "run(command, shell=True)",
        "np.load(path, allow_pickle=True)",
        "load(path, trust_remote_code=False)",
        "options = {'trust_remote_code': True}",
        "class R:\n    trust_remote_code: bool = False",
    ],
)
def test_the_rule_against_foreign_code_sees(source):
    assert [what for node in ast.walk(ast.parse(source)) for what in unsafe(node)]


@pytest.mark.parametrize(
    "source", ["model.eval()", "'never eval(x)'", "run(command, shell=False)", "executor.exec(x)"]
)
def test_the_rule_against_foreign_code_leaves_alone(source):
    assert not [what for node in ast.walk(ast.parse(source)) for what in unsafe(node)]


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_heavy_libraries_are_imported_inside_functions_of_the_workers_folders(path):
    tree = parsed(path)
    parts = path.relative_to(REPO).parts
    allowed = parts[0] == "engine" and parts[1] in MAY_BE_HEAVY
    nodes = run_at_import(tree) if allowed else ast.walk(tree)
    found = [
        f"{where(path, node)} imports {name}"
        for node in nodes
        for name in imported(node)
        if name.split(".")[0] in HEAVY
    ]
    assert not found, "\n".join(found)


def test_the_web_process_and_the_command_load_no_heavy_library():
    dotted_names = [".".join(path.relative_to(REPO).with_suffix("").parts) for path in MODULES]
    light = [
        name.removesuffix(".__init__")
        for name in dotted_names
        if name.startswith(LIGHT) and "migrations" not in name and not name.endswith("__main__")
    ]
    program = (
        "import importlib, json, sys\n"
        f"for name in {light!r}: importlib.import_module(name)\n"
        f"print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_no_committed_file_names_a_machine_path_or_a_package_registry():
    found = []
    for path in committed():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATHS.search(line) or REGISTRIES.search(line):
                found.append(f"{path.relative_to(REPO)}:{number} {line.strip()[:80]}")
    assert not found, "\n".join(found)
