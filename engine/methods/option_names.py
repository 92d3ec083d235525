"""Whether TRL and PEFT know an option by name, read from their source and not by importing them.

To import them takes seconds and torch, which the web process never loads. Their settings are
dataclasses with one annotated line for each option, so the names stand in the text.
"""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from engine.core.errors import UserError, quoted
from engine.core.recipe import TrainRecipe
from engine.methods import allowed_options, library_options, refused_options

LORA = "peft.tuners.lora.config.LoraConfig"
SOME = 6  # words of a list that a sentence names
WORDS = {  # option: the list of its words
    "optim": "transformers.training_args.OptimizerNames",
    "lr_scheduler_type": "transformers.trainer_utils.SchedulerType",
}


def check_before_start(recipe: TrainRecipe) -> None:
    """UserError for the first option that the job itself would refuse, where that is seen at once.

    What depends on several options together, or on the machine, is left to the job.
    """
    allowed_options.check_recipe(recipe)
    refused_options.check_names(recipe)
    for where, config, values in (
        ("trl", recipe.CONFIG, recipe.trl),
        ("lora", LORA, recipe.lora if recipe.tuning != "full" else {}),
    ):
        known = names(config)
        for name in values if known else ():
            library_options.refuse_unknown(config.rpartition(".")[2], name, known)
            _check_word(name, values[name])
        library_options.refuse_doubles(type(recipe).model_fields, values, where)


def _check_word(name: str, value: object) -> None:
    known = words(WORDS[name]) if name in WORDS else frozenset()
    if known and value not in known:
        raise UserError(
            f"{name} can't be {quoted(value)}.{library_options.nearest(str(value), known)}",
            f"It is one of {', '.join(sorted(known)[:SOME])}"
            f"{' and others' if len(known) > SOME else ''}.",
        )


@cache
def words(enumeration: str) -> frozenset[str]:
    """The values of a class of words, dotted; nothing where its source is not there."""
    module, _, class_name = enumeration.rpartition(".")
    source = _read(module)
    defined = source.classes.get(class_name) if source else None
    constants = (
        line.value.value
        for line in (defined.body if defined else ())
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
    )
    return frozenset(each for each in constants if isinstance(each, str))


@cache
def names(config: str) -> frozenset[str]:
    """All options of the class, those of the classes it extends included; `config` is dotted.

    Nothing where its source is not there, or where a method names no class.
    """
    if not config:
        return frozenset()
    module, _, class_name = config.rpartition(".")
    source = _read(module)
    if source is None:
        return frozenset()
    defined = source.classes.get(class_name)
    if defined is None:  # a package hands on what a module of it defines
        return names(source.imported[class_name]) if class_name in source.imported else frozenset()
    own = {
        line.target.id
        for line in defined.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and not _left_out(line)
    }
    bases = (base.id for base in defined.bases if isinstance(base, ast.Name))
    return frozenset(own.union(*(names(source.home(base)) for base in bases)))


class _Source(NamedTuple):
    module: str
    classes: dict[str, ast.ClassDef]
    imported: dict[str, str]

    def home(self, name: str) -> str:
        """Where a class that this module names is defined."""
        return self.imported.get(name, f"{self.module}.{name}")


@cache
def _read(module: str) -> _Source | None:
    path = _path(module)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    imported = {}
    for line in ast.walk(tree):
        if isinstance(line, ast.ImportFrom):
            above = package[: len(package) - line.level + 1] if line.level else []
            source = ".".join([*above, line.module or ""]).rstrip(".")
            imported.update(
                {each.asname or each.name: f"{source}.{each.name}" for each in line.names}
            )
    classes = {line.name: line for line in tree.body if isinstance(line, ast.ClassDef)}
    return _Source(module, classes, imported)


def _path(module: str) -> Path | None:
    """The file of a module; its package is found without running any of its code."""
    package, *inside = module.split(".")
    found = find_spec(package)
    if found is None or found.origin is None:
        return None
    place = Path(found.origin).parent.joinpath(*inside)
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _left_out(line: ast.AnnAssign) -> bool:
    """Whether it is no option: a class's constant, or a field with init=False."""
    if ast.unparse(line.annotation).startswith("ClassVar"):
        return True
    call = line.value
    return isinstance(call, ast.Call) and any(
        word.arg == "init" and isinstance(word.value, ast.Constant) and word.value.value is False
        for word in call.keywords
    )
