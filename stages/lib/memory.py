"""What happens to the memory of freed tensors."""

import ctypes
import platform

# malloc.h of glibc
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Have malloc keep freed memory (2 GB of it at the top of the heap) for later tensors. Otherwise glibc returns
    large blocks to the system as they are freed, and each training step has its pages zeroed and mapped again, which
    takes up to half of its time. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(M_TOP_PAD, 64 * 2**20)
