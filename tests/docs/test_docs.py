"""Every public name says what it does, what it takes, of which shape, and what it raises."""

import ast
import dataclasses
import inspect
import re
import textwrap
from importlib import import_module

import numpy as np
import numpy.typing as npt

import dyce_search as ds
from dyce_search import errors, serving, testing
from dyce_search.records import confidence
from dyce_search.search import SOLVERS, find_solver

PUBLISHED = (  # methods of others: the source is named
    *(name for name in SOLVERS if name not in ("exhaustive", "same_threshold", "random")),
    "patience",
    "bootstrap_band",
    "expected_scores",
    "fit_temperatures",
    "reliability",
    "exit_auroc",
    "load_records",
    "entropy",
    "softmax",
    "train_heads",
)


def public_names():
    """Name -> object, of all that is for users."""
    found = {name: getattr(ds, name) for name in ds.__all__}
    found |= {name: find_solver(name) for name in SOLVERS}
    for room in (testing, errors, confidence):
        found |= {name: value for name, value in vars(room).items() if is_own(value, room) and name[0] != "_"}
    found |= {name: getattr(serving, name) for name in serving.__all__}
    try:
        runtime = import_module("dyce_search.runtime")
    except ImportError:
        return found
    return found | {name: getattr(runtime, name) for name in runtime.__all__}


def is_own(value, room):
    return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == room.__name__


def members(cls):
    """Name -> function, of the methods and properties that a class of this package has."""
    found = {}
    for base in reversed([base for base in cls.__mro__ if base.__module__.startswith("dyce_search")]):
        for name, member in vars(base).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(function):
                found[name] = function
    return found


NAMES = public_names()
FUNCTIONS = {name: value for name, value in NAMES.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in NAMES.items() if inspect.isclass(value)}
METHODS = {f"{name}.{method}": found for name, cls in CLASSES.items() for method, found in members(cls).items()}
CALLABLES = FUNCTIONS | METHODS
EVERYTHING = NAMES | METHODS


def entries(docstring, *sections):
    """Name -> text, of the entries of sections such as "Args"; those of a docstring's own level only."""
    found = {}
    for section in sections:
        match = re.search(rf"^{section}:\n((?:[ ]+.*\n|\n)*)", inspect.cleandoc(docstring) + "\n", flags=re.MULTILINE)
        body = textwrap.dedent(match[1]) if match else ""
        for name, text in re.findall(r"^(\w+): (.*(?:\n[ ]+.*)*)", body, flags=re.MULTILINE):
            found[name] = text
    return found


def described(function):
    """The docstring that a function points to for its arguments, else its own."""
    doc = inspect.getdoc(function) or ""
    other = re.search(r"[Aa]rguments and errors are those of `(\w+)`", doc)
    return inspect.getdoc(CALLABLES[other[1]]) if other else doc


def constructors(cls):
    """The functions of this package that check what a class is made from."""
    made = [vars(base).get(name) for base in cls.__mro__ for name in ("__init__", "__post_init__")]
    return [one for one in made if inspect.isfunction(one) and one.__code__.co_filename != "<string>"]


def raised(function):
    """Names of the package's errors that a function itself raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    names = {ast.unparse(call.func).rpartition(".")[2] for call in calls}
    return {name for name in names if name.endswith("Error") and hasattr(errors, name)}


def is_array(annotation):
    """Whether an annotation means an array, an `ArrayLike` (a union with `_SupportsArray` in it) or a tensor."""
    found = re.search(r"ndarray|_SupportsArray|torch\.Tensor", str(annotation))
    return found is not None and "Callable" not in str(annotation)


SHAPE = re.compile(r"\((?:[A-Z.]|\d)[^()]*\)")


def test_everything_has_a_docstring():
    first_lines = {name: (inspect.getdoc(value) or "nothing").splitlines()[0] for name, value in EVERYTHING.items()}
    assert [name for name, line in first_lines.items() if not line.endswith((".", ":"))] == []


def test_every_parameter_is_described():
    missing, shapeless, unknown = [], [], []
    for name, function in CALLABLES.items():
        known = entries(described(function), "Args")
        parameters = inspect.signature(function).parameters
        for parameter in parameters.values():
            if parameter.name in ("self", "cls"):
                continue
            if parameter.name not in known:
                missing.append(f"{name}: {parameter.name}")
            elif is_array(parameter.annotation) and not SHAPE.search(known[parameter.name]):
                shapeless.append(f"{name}: {parameter.name}")
        unknown += [
            f"{name}: {entry}" for entry in entries(inspect.getdoc(function), "Args") if entry not in parameters
        ]
    assert (missing, shapeless, unknown) == ([], [], [])


def test_every_field_is_described():
    missing, shapeless = [], []
    for name, cls in CLASSES.items():
        known = {}
        for base in cls.__mro__:
            known = entries(base.__doc__ or "", "Attributes", "Args") | known
        if dataclasses.is_dataclass(cls):
            fields = [field for field in dataclasses.fields(cls) if not field.name.startswith("_")]
            missing += [f"{name}: {field.name}" for field in fields if field.name not in known]
            arrays = [field.name for field in fields if is_array(field.type)]
            shapeless += [f"{name}: {field}" for field in arrays if not SHAPE.search(known.get(field, ""))]
        elif "__init__" in vars(cls) and "See `dyce_search.search` for the arguments" not in cls.__init__.__doc__:
            missing += [f"{name}: {taken}" for taken in inspect.signature(cls).parameters if taken not in known]
    assert (missing, shapeless) == ([], [])


def test_arrays_that_properties_give_have_a_shape():
    shapeless = []
    for name, function in METHODS.items():
        cls, _, member = name.partition(".")
        is_property = isinstance(inspect.getattr_static(CLASSES[cls], member), property)
        if is_property and is_array(inspect.signature(function).return_annotation):
            shapeless += [name] * (not SHAPE.search(inspect.getdoc(function)))
    assert shapeless == []


def test_errors_are_described():
    missing = []
    for name, function in CALLABLES.items():
        known = entries(described(function), "Raises")
        missing += [f"{name}: {error}" for error in raised(function) if error not in known]
    for name, cls in CLASSES.items():
        known = {error for base in cls.__mro__ for error in entries(base.__doc__ or "", "Raises")}
        made = {error for constructor in constructors(cls) for error in raised(constructor)}
        missing += [f"{name}: {error}" for error in made if error not in known]
    assert missing == []


def test_functions_have_an_example():
    """But for solvers, which `search` calls, and for what the tests of solvers are made of."""
    functions = [name for name in FUNCTIONS if name not in SOLVERS and name not in vars(testing)]
    assert [name for name in functions if ">>> " not in inspect.getdoc(FUNCTIONS[name])] == []


def test_methods_of_others_name_their_source():
    known = [name for name in PUBLISHED if name in NAMES]
    assert len(known) > 10
    assert [name for name in known if not re.search(r"\b(19|20)\d\d\b", described(NAMES[name]))] == []


def test_what_is_missing_would_be_found():
    def careless(array: npt.ArrayLike, other: int) -> None:
        """Does something.

        Args:
            array: any,
                or none.

        Raises:
            CostsError: never.
        """
        raise errors.CostsError("no")

    assert entries(careless.__doc__, "Args") == {"array": "any,\n    or none."}
    assert entries(careless.__doc__, "Raises") == {"CostsError": "never."}
    annotation = inspect.signature(careless).parameters["array"].annotation
    assert is_array(annotation)
    assert is_array(npt.NDArray[np.float32] | None)
    assert is_array(inspect.signature(ds.evaluate_many).parameters["records"].annotation) is False
    assert not SHAPE.search("any")
    assert SHAPE.search("(E, N) float32")
    assert raised(careless) == {"CostsError"}
    assert raised(find_solver) == {"SolverError"}
