"""What a kernel needs to follow a pointer of the library's, and to call one of its functions.

Addresses are numbers, given as arguments: machine code that is kept for the next process has none
of this one's in it.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I32, _I64, _VOID = ir.IntType(32), ir.IntType(64), ir.VoidType()
_ADDRESS = types.int64


@intrinsic
def load_int32(typing_context: Any, address: Any) -> Any:
    """The 32-bit integer at ``address``."""
    del typing_context, address
    return types.int32(_ADDRESS), lambda _, builder, __, args: builder.load(
        builder.inttoptr(args[0], _I32.as_pointer())
    )


@intrinsic
def load_int64(typing_context: Any, address: Any) -> Any:
    """The 64-bit integer, or pointer, at ``address``."""
    del typing_context, address
    return types.int64(_ADDRESS), lambda _, builder, __, args: builder.load(
        builder.inttoptr(args[0], _I64.as_pointer())
    )


@intrinsic
def load_uint8(typing_context: Any, address: Any) -> Any:
    """The byte at ``address``."""
    del typing_context, address
    return types.uint8(_ADDRESS), lambda _, builder, __, args: builder.load(
        builder.inttoptr(args[0], ir.IntType(8).as_pointer())
    )


@intrinsic
def copy_bytes(typing_context: Any, to: Any, begin: Any, size: Any) -> Any:
    """``size`` bytes from the address ``begin`` to the address ``to``."""
    del typing_context, to, begin, size

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        to_ptr, from_ptr = (builder.inttoptr(each, byte) for each in args[:2])
        cgutils.raw_memcpy(builder, to_ptr, from_ptr, args[2], 1)
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, types.int64), generate


@intrinsic
def call_void(typing_context: Any, function: Any, a: Any) -> Any:
    """``void function(a)``."""
    del typing_context, function, a

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, _VOID, args)
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS), generate


@intrinsic
def call_int32(typing_context: Any, function: Any, a: Any, b: Any) -> Any:
    """``int32_t function(a, b)``."""
    del typing_context, function, a, b
    return types.int32(_ADDRESS, _ADDRESS, _ADDRESS), lambda _, builder, __, args: _call(
        builder, _I32, args
    )


@intrinsic
def call_int64(typing_context: Any, function: Any, a: Any, b: Any) -> Any:
    """``int64_t function(a, b)``."""
    del typing_context, function, a, b
    return types.int64(_ADDRESS, _ADDRESS, _ADDRESS), lambda _, builder, __, args: _call(
        builder, _I64, args
    )


@intrinsic
def call_int32_5(typing_context: Any, function: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """``int32_t function(a, b, c, d, e)``."""
    del typing_context, function, a, b, c, d, e
    signature = types.int32(*[_ADDRESS] * 6)
    return signature, lambda _, builder, __, args: _call(builder, _I32, args)


@intrinsic
def call_int64_3(typing_context: Any, function: Any, a: Any, b: Any, c: Any) -> Any:
    """``int64_t function(a, b, c)``."""
    del typing_context, function, a, b, c
    signature = types.int64(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS)
    return signature, lambda _, builder, __, args: _call(builder, _I64, args)


def _call(builder: Any, result: Any, args: Any) -> Any:
    function, *values = args
    form = ir.FunctionType(result, [_I64] * len(values))
    return builder.call(builder.inttoptr(function, form.as_pointer()), values)
