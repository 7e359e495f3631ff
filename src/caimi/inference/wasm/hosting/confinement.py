"""A process gives up what it does not need, before it is shown anything of a stranger's.

No system call opens a file, a socket or another process any more: what is left is memory, the
descriptors that were handed over, clocks and the end (seccomp, filter mode). What is not taken
away: reading the descriptors it has, and using memory and processor time up to its limits.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import resource
import struct
from typing import Final

MAX_DESCRIPTORS: Final = 256
_NO_NEW_PRIVILEGES: Final = 38
_SET_FILTER, _ALL_THREADS = 1, 1

_LOAD, _JUMP_IF, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000 | errno.EPERM
_MISSING: Final = 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_OF_THIS_PROCESS: Final = 0x00010000
"""The flag of clone that makes a thread and no process."""

# read, write, close, fstat, poll, lseek, mmap, mprotect, munmap, brk, rt_sigaction,
# rt_sigprocmask, rt_sigreturn, pread64, sched_yield, mremap, madvise, getpid, sendto, recvfrom,
# sendmsg, recvmsg, exit, fcntl, getrusage, sigaltstack, gettid, futex, sched_getaffinity,
# restart_syscall, clock_gettime, clock_nanosleep, exit_group, set_robust_list, ppoll, preadv,
# getrandom, membarrier, preadv2, rseq
_X86_64: Final = (
    0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 24, 25, 28, 39, 44, 45, 46, 47, 60, 72, 98,
    131, 186, 202, 204, 219, 228, 230, 231, 273, 271, 295, 318, 324, 327, 334,
)  # fmt: skip
_AARCH64: Final = (
    63, 64, 57, 80, 73, 62, 222, 226, 215, 214, 134, 135, 139, 67, 124, 216, 233, 172, 206, 207,
    211, 212, 93, 25, 165, 132, 178, 98, 123, 128, 113, 115, 94, 99, 69, 278, 283, 286, 293,
)  # fmt: skip
_MACHINES: Final = {
    "x86_64": (0xC000003E, 317, _X86_64),
    "aarch64": (0xC00000B7, 277, _AARCH64),
}
"""The architecture's mark, the number of seccomp, and the calls that are left."""
_THREADS: Final = {"x86_64": (56, 435), "aarch64": (220, 435)}
"""The numbers of clone and clone3; a filter sees the flags of the first only."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine() -> None:
    """Give up all that this module names, in every thread, for good; Linux only.

    Raises:
        OSError: the system refuses.
    """
    mark, _, calls = _MACHINES[platform.machine()]
    _confine(_filter(mark, calls))


def confine_threads(memory_bytes: int) -> None:
    """As `confine`, but threads may still be started; and bound this process' private memory.

    Raises:
        OSError: the system refuses.
    """
    lower_limit(resource.RLIMIT_DATA, memory_bytes)
    machine = platform.machine()
    mark, _, calls = _MACHINES[machine]
    _confine(_filter(mark, calls, _THREADS[machine]))


def lower_limit(limit: int, value: int) -> None:
    """Lower a limit of this process for good; whoever started it may have set a lower one.

    Raises:
        OSError: the system refuses.
    """
    _, hard = resource.getrlimit(limit)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (lowered, lowered))


def _confine(code: bytes) -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
    ):
        lower_limit(limit, value)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _, seccomp, _ = _MACHINES[platform.machine()]
    program = _Program(len(code) // 8, code)
    if libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp")


def _filter(mark: int, calls: tuple[int, ...], threads: tuple[int, int] | None = None) -> bytes:
    """Write the filter in classic BPF: a list of calls that pass; every other gives EPERM.

    `threads` are clone, which passes where it makes a thread, and clone3, which is not there: then
    libraries take the other.
    """
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_IF, 1, 0, mark), (_RETURN, 0, 0, _DENY)]
    steps.append((_LOAD, 0, 0, _NUMBER))
    if threads is not None:
        clone, clone3 = threads
        steps += [(_JUMP_IF, 0, 1, clone3), (_RETURN, 0, 0, _MISSING)]
        steps += [(_JUMP_IF, 0, 4, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
        steps += [(_JUMP_IF_SET, 0, 1, _OF_THIS_PROCESS), (_RETURN, 0, 0, _ALLOW)]
        steps += [(_RETURN, 0, 0, _DENY)]
    steps += [(_JUMP_IF, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
