"""Rows of the table that do not come out right yet, and why: each of them must fail."""

from __future__ import annotations

TWICE = "jitted backward frees what eager never saved: a second one raises"
STRIDES = "a saved program does not look at the strides of its arguments"
NO_VALUE = "the file is written, then refused: the size s0 has no value yet"

PLAIN = {
    "resized_outside": "Tensor.resize_ is missing",
    "a_global_that_appears": "that a global was missing is not watched",
    "a_shadowed_builtin": "that a global shadows no builtin is not watched",
    "sizes_in_a_text": "repr(x.shape) says s0 where a size is symbolic",
    "sizes_in_the_text_of_a_tuple": "str(tuple(x.shape)) says s0",
}
KEPT = (
    *("rate_in_a_closure", "a_slot_assigned", "a_slot_swapped"),
    *("a_dict_entry_assigned", "a_list_of_results_kept"),
)
KNOWN = {
    "jitted": PLAIN,
    "grad": {
        **PLAIN,
        **dict.fromkeys(KEPT, TWICE),
        "a_square_when_the_sizes_agree": "ShapeError: [s0, 2] is invalid for []",
    },
    "saved": {
        "a_branch_on_the_gradient_needed": "it does not look at requires_grad",
        "contiguous_sometimes_copies": STRIDES,
        "reshape_sometimes_copies": STRIDES,
        "another_layout": STRIDES,
        "the_size_as_a_number": "a Size comes back as a tuple",
        "a_triangle_by_size": NO_VALUE,
        "a_square_when_the_sizes_agree": NO_VALUE,
    },
}
