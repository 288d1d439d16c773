"""The pickle inside a torch file, followed step by step without running any of it.

A pickle is a program: its opcodes can name any function and call it. Here the opcodes are walked one by one over plain
values; a name stays a name (`Symbol`), a call is not made (`Inert`), and the few calls that rebuild a tensor become a
record of where its numbers lie (`StoredTensor`). Opcodes that torch does not write are refused.
"""

import math
import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import torch

from app.errors import CheckpointError

_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    # A byte that is neither 0 nor 1 is no bool; as numbers all bytes are good.
    "BoolStorage": torch.uint8,
}
_MAX_DIMENSIONS = 8
_MAX_COUNT = 2**48


@dataclass(frozen=True)
class Symbol:
    """A name the pickle refers to. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Inert:
    """Stands for the result of a call that was not made."""

    made_by: str


@dataclass(frozen=True)
class Storage:
    """A run of `count` numbers of one type, kept elsewhere in the file under `key`."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place in a storage, within its bounds; offset and strides count elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Refused(ValueError):
    """A sentence on what this pickle does that is not followed."""


class PickleWalker:
    """Follows pickles of one file; `storages` are all that they name."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def follow(self, stream: BinaryIO) -> object:
        """The value of the one pickle that begins here; plain values, `Symbol`, `Inert` and `StoredTensor` alone.

        The stream is in memory, and so bounded: what this makes of it is a small multiple of that.

        Raises:
            CheckpointError: no pickle, a damaged one, or one that does what torch's do not.
        """
        self._stack, self._marks, self._memo = [], [], {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in a damaged text
                for opcode, argument, _ in pickletools.genops(stream):
                    if opcode.name == "STOP":
                        return self._stack.pop()
                    self._step(opcode.name, argument)
        except _Refused as error:
            raise CheckpointError(f"its pickle {error}, which is refused") from None
        except (ValueError, IndexError, KeyError):
            pass
        raise CheckpointError("its pickle is damaged")

    def _step(self, name: str, argument: object) -> None:
        if name in _NUMBERS | _TEXTS | _BYTES:
            self._stack.append(argument)
        elif name in _MAKERS:
            self._stack.append(_MAKERS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _IGNORED:
            raise _Refused(f"uses the opcode {name}")

    def _pop_to_mark(self) -> list[object]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def _remember(self, argument: object) -> None:
        self._memo[len(self._memo) if argument is None else _whole(argument)] = self._stack[-1]

    def _recall(self, argument: object) -> None:
        self._stack.append(self._memo[_whole(argument)])

    def _global(self, argument: object) -> None:
        module, _, name = str(argument).partition(" ")
        self._stack.append(Symbol(module, name))

    def _stack_global(self, _: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(Symbol(str(module), str(name)))

    def _tuple(self, count: int | None) -> None:
        items = self._pop_to_mark() if count is None else [self._stack.pop() for _ in range(count)][::-1]
        self._stack.append(tuple(items))

    def _append(self, items: list[object]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Inert):
            raise _Refused("appends to what is no list")

    def _set(self, items: list[object]) -> None:
        target = self._stack[-1]
        if isinstance(target, Inert):
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise _Refused("sets items of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only keys that cost nothing to hash: a nest of tuples can take forever.
            if not isinstance(key, str | int | float | bool | None):
                raise _Refused("has a dictionary key that is neither text nor number")
            target[key] = value

    def _call(self, _: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(_called(function, arguments))

    def _new(self, _: object) -> None:
        self._stack.pop()
        self._stack.append(Inert(_name_of(self._stack.pop())))

    def _drop(self, _: object) -> None:
        self._stack.pop()

    def _persistent(self, _: object) -> None:
        described = self._stack.pop()
        if not isinstance(described, tuple) or len(described) < 5 or described[0] != "storage":
            raise _Refused("refers to something outside itself that is no storage of numbers")
        storage = _storage(*described[1:6])
        if self.storages.setdefault(storage.key, storage) != storage:
            raise _Refused("says two different things of one storage")
        self._stack.append(storage)


_NUMBERS = frozenset(("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"))
_TEXTS = frozenset(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"))
_BYTES = frozenset(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"))
_IGNORED = frozenset(("PROTO", "FRAME"))
_MAKERS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": lambda: Inert("set"),
}
_ACTIONS: dict[str, Callable[[PickleWalker, object], None]] = {
    "MARK": PickleWalker._mark,
    "BINPUT": PickleWalker._remember,
    "LONG_BINPUT": PickleWalker._remember,
    "MEMOIZE": PickleWalker._remember,
    "BINGET": PickleWalker._recall,
    "LONG_BINGET": PickleWalker._recall,
    "GLOBAL": PickleWalker._global,
    "STACK_GLOBAL": PickleWalker._stack_global,
    "TUPLE": lambda walker, _: walker._tuple(None),
    "TUPLE1": lambda walker, _: walker._tuple(1),
    "TUPLE2": lambda walker, _: walker._tuple(2),
    "TUPLE3": lambda walker, _: walker._tuple(3),
    "APPEND": lambda walker, _: walker._append([walker._stack.pop()]),
    "APPENDS": lambda walker, _: walker._append(walker._pop_to_mark()),
    "SETITEM": lambda walker, _: walker._set([walker._stack.pop(), walker._stack.pop()][::-1]),
    "SETITEMS": lambda walker, _: walker._set(walker._pop_to_mark()),
    "ADDITEMS": lambda walker, _: walker._append(walker._pop_to_mark()),
    "REDUCE": PickleWalker._call,
    "NEWOBJ": PickleWalker._new,
    "BUILD": PickleWalker._drop,
    "BINPERSID": PickleWalker._persistent,
}


def _called(function: object, arguments: object) -> object:
    """What a call would give, for the calls that torch makes to rebuild tensors; `Inert` for any other."""
    name = _name_of(function)
    if not isinstance(arguments, tuple):
        raise _Refused("calls with what are no arguments")
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name in {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"}:
        return _stored_tensor(*arguments)
    if name == "torch._utils._rebuild_parameter" and arguments:
        return arguments[0]
    return Inert(name)


def _name_of(function: object) -> str:
    return str(function)[:100] if isinstance(function, Symbol) else "something unnamed"


def _storage(
    kind: object = None, key: object = None, _place: object = None, count: object = None, view: object = None
) -> Storage:
    if not isinstance(kind, Symbol) or kind.module not in {"torch", "torch.cuda"} or kind.name not in _TYPES:
        raise _Refused(f"has numbers of the type {_name_of(kind)!a}")
    if not isinstance(key, str) or view is not None:
        raise _Refused("names a storage in a way that torch no longer does")
    return Storage(key, _TYPES[kind.name], _whole(count))


def _stored_tensor(
    storage: object = None, offset: object = None, size: object = None, stride: object = None, *_: object
) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise _Refused("rebuilds a tensor out of something else")
    if len(size) != len(stride) or len(size) > _MAX_DIMENSIONS:
        raise _Refused(f"has a tensor of {len(size)} dimensions with {len(stride)} strides")
    tensor = StoredTensor(storage, _whole(offset), tuple(map(_whole, size)), tuple(map(_whole, stride)))
    last = tensor.offset + sum((length - 1) * step for length, step in zip(tensor.size, tensor.stride, strict=True))
    # Stride 0 makes one number into any amount of them, so the amount is bounded too.
    if 0 not in tensor.size and (last >= storage.count or math.prod(tensor.size) > storage.count):
        raise _Refused("has a tensor that reaches out of its storage")
    if math.prod(max(1, length) for length in tensor.size) > _MAX_COUNT:
        raise _Refused("has an empty tensor of impossible lengths")
    return tensor


def _whole(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise _Refused("has something else where a size must be")
    return value
