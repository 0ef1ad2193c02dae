"""Memory: glibc's allocator configured (mallopt) to return the memory of large responses to the system.

Left to itself it raises its thresholds with the first large block that is freed, and from then on keeps such blocks in
a heap that can only be given back from its end. Large blocks are mapped each by itself instead, and so are unmapped
when they are freed; what is left in the heap by smaller ones is given back when a busy spell is over.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGE = 1024 * 1024  # mapping costs a page fault for each 4 KiB, which smaller blocks should not pay


def configure() -> None:
    """Have large blocks be mapped. Does nothing where the C library is another."""
    library = _glibc()
    if library is not None:
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, LARGE)


def trim() -> None:
    """Return free heap memory to the system, wherever it is; takes some milliseconds."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
