"""The Triton kernels compile for a GPU, machine code included, where none is."""

import importlib.util
import os

import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed: dhns[triton]"),
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="what is interpreted cannot be compiled"),
]


@pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION")
@pytest.mark.parametrize("kernel", ["indexed_pairs", "all_pairs", "gradients"])
def test_kernels_compile_for_gpus_that_are_not_here(kernel):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dhns.kernels import triton_source as source

    function, whole = getattr(source, kernel), "constexpr"
    known = {"MEASURE": source.MODULUS.value, "OF": source.ROWS.value, "PARTNERS": 32, "CANDIDATES": 16, "WIDTH": 32}
    known |= {"QUERIES_AT_ONCE": 8, "ROWS_AT_ONCE": 16}
    kinds = dict.fromkeys(("out", "gradient", "found", "own", "other", "query", "table"), "*fp32")
    kinds |= dict.fromkeys(("index", "start"), "*i64") | dict.fromkeys(known, whole)
    signature = {name: kinds.get(name, "i32") for name in function.arg_names}
    constants = {(function.arg_names.index(name),): known[name] for name in signature if signature[name] == whole}
    compiled = triton.compile(ASTSource(function, signature, constants), target=GPUTarget("cuda", 90, 32))
    assert compiled.asm["cubin"]
