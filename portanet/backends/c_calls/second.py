"""A second thread for half of a call, which waits for work in C.

Waking a sleeping thread takes tens of microseconds, and more if both sides are in Python and need the GIL. This thread
spins without the GIL for a millisecond after each half that it computes. If it has not begun its half when the caller
has finished the first, the caller computes both, so that it never waits for a thread that the system does not run. If
that happens often there is no free core, and spinning takes time from other threads: the thread then sleeps a while.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from portanet.backends.c_calls.call import CCall, HostArray, as_words, c_call, compiled, pointer
from portanet.backends.trial import TRIES, Trial

_STATE, _FUNCTION, _WORDS, _GIVEN, _LEFT, _PRESENT = 0, 8, 9, 10, 11, 16  # words of the mailbox, in three cache lines
_FREE, _POSTED, _TAKEN, _DONE, _OWNED = range(5)
_SECONDS = 1e-3  # time to spin: longer than the gap between two halves in a short step
_SPINS = 2048  # iterations timed to calibrate the number that takes _SECONDS
_AGAIN = 2048  # calls between comparisons; also calls for which the thread sleeps if no core was free
_SOME = 64  # calls after which to check for a free core

_WAIT = """
#if defined(__x86_64__) || defined(__i386__)
__builtin_ia32_pause();
#elif defined(__aarch64__)
__asm__ volatile("yield");
#endif
"""

PAIR = f"""int sched_yield(void);
long long *const box = (long long *)w[0].p, none = {_FREE}, posted = {_POSTED};
int (*const first)(const word *) = (int (*)(const word *))w[1].p;
int (*const second)(const word *) = (int (*)(const word *))w[3].p;
const bool there = __atomic_load_n(box + {_PRESENT}, __ATOMIC_ACQUIRE)
&& __atomic_compare_exchange_n(box, &none, {_OWNED}, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
if (there) {{
++box[{_GIVEN}];
box[{_FUNCTION}] = w[3].n; box[{_WORDS}] = w[4].n;
__atomic_store_n(box, {_POSTED}, __ATOMIC_RELEASE);
}}
const int refused = first((const word *)w[2].p);
if (!there || __atomic_compare_exchange_n(box, &posted, {_OWNED}, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {{
box[{_LEFT}] += there;
second((const word *)w[4].p);
}} else for (long long spins = 1; __atomic_load_n(box, __ATOMIC_ACQUIRE) != {_DONE}; ++spins) {{{_WAIT}
if (spins % 1024 == 0) sched_yield();
}}
if (there) __atomic_store_n(box, {_FREE}, __ATOMIC_RELEASE);
return refused;"""
"""Makes two calls concurrently, and returns the result of the first.

Words: the address of the mailbox; for each call the function and the address of its words. It counts the halves offered
to the thread while it was spinning, and those of them that the caller computed itself.
"""

SERVE = f"""long long *const box = (long long *)w[0].p;
__atomic_store_n(box + {_PRESENT}, 1, __ATOMIC_RELEASE);
for (long long idle = 0; idle < __atomic_load_n(&w[1].n, __ATOMIC_RELAXED); ++idle) {{
long long posted = {_POSTED};
if (__atomic_load_n(box, __ATOMIC_RELAXED) == {_POSTED}
&& __atomic_compare_exchange_n(box, &posted, {_TAKEN}, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {{
((int (*)(const word *))box[{_FUNCTION}])((const word *)box[{_WORDS}]);
__atomic_store_n(box, {_DONE}, __ATOMIC_RELEASE);
idle = 0;
}}{_WAIT}}}
__atomic_store_n(box + {_PRESENT}, 0, __ATOMIC_RELEASE);
return 0;"""
"""The thread's loop. Words: the address of the mailbox, and the idle iterations before it goes to sleep."""


def _box() -> HostArray:
    """A mailbox: words aligned to a cache line."""
    words = np.zeros(32, np.uint64)
    return words[(-words.ctypes.data % 64) // 8 :][:24]


_NOBODY = _box()


class Second:
    """The second thread and its mailbox."""

    def __init__(self) -> None:
        self.box = _box()
        self._words = as_words([self.box.ctypes.data, _SPINS])
        self._spins, self._wakes, self._rested = _SPINS, 0, 0
        self._awake, self._calls = True, SimpleQueue[None]()
        self._thread = threading.Thread(target=self._work, name="portanet-second", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def wake(self) -> None:
        """Wake the thread to spin for work, unless no core was free recently."""
        self._wakes += 1
        if self._wakes % _SOME == 0 and self._wakes > self._rested:
            self._look()
        if not self._awake and self._wakes > self._rested:
            self._awake = True
            self._words[1] = self._spins
            self._calls.put(None)

    def _look(self) -> None:
        """Put the thread to sleep for a while if the callers computed a quarter of the halves themselves."""
        given, left = self.box[_GIVEN], self.box[_LEFT]
        self.box[_GIVEN] = self.box[_LEFT] = 0
        if given and left >= given / 4:
            self._rested = self._wakes + _AGAIN
            self._words[1] = 0

    def stop(self) -> None:
        """Put the thread to sleep for good: the memory that it reads may be freed when the process exits."""
        self._words[1] = self._spins = 0
        deadline = time.monotonic() + 1
        while self._awake and self._thread.is_alive() and time.monotonic() < deadline:  # not alive in a forked process
            time.sleep(1e-4)

    def _work(self) -> None:
        serve, words = compiled(SERVE), self._words
        if serve is None:
            return  # it stays unavailable
        took = []
        for _ in range(TRIES):  # some wait for the GIL
            start = time.perf_counter()
            serve(words.ctypes.data)
            took.append(time.perf_counter() - start)
        words[1] = self._spins = round(_SPINS * _SECONDS / min(took))
        while True:
            self._awake = False
            self._calls.get()
            serve(words.ctypes.data)


@functools.cache
def second() -> Second:
    """The second thread of this process."""
    return Second()


if hasattr(os, "register_at_fork"):  # a child process does not inherit threads
    os.register_at_fork(after_in_child=second.cache_clear)


def pair(first: CCall, other: CCall) -> CCall | None:
    """Two independent calls as one concurrent call."""
    about = [word for call in (first, other) for word in (call.function, call.words.ctypes.data)]
    return c_call(PAIR, [second().box.ctypes.data, *about], first, other)


def is_pair(call: CCall) -> bool:
    """Whether a call was made by `pair`."""
    body = compiled(PAIR)
    return body is not None and call.function == pointer(body)


def alone(call: CCall) -> CCall:
    """The same concurrent call, without a second thread."""
    return CCall(call.function, as_words([_NOBODY.ctypes.data, *call.words[1:].tolist()]), call.held)


class Faster:
    """The faster of two equivalent functions.

    They are compared repeatedly, since other processes may need the cores later, and separately for each pair of
    functions, since the speed depends on the state in which previous calls leave the caches.

    shared  uses the second thread
    own     does not
    """

    __name__ = "run"
    _numbers = itertools.count()

    def __init__(self, shared: Callable[[], object], own: Callable[[], object]) -> None:
        self._ways = {True: shared, False: own}
        self._second, self._trial = second(), Trial()
        self._calls = -2 * TRIES * (next(self._numbers) % 32)  # staggers the first comparisons
        self.is_shared = True

    def __call__(self) -> object:
        """Call one of them; returns its result."""
        self._calls += 1
        turn = self._calls % _AGAIN
        if 0 < turn <= 2 * TRIES:
            return self._compared(is_first=turn == 1)
        if self.is_shared:
            self._second.wake()
        return self._ways[self.is_shared]()

    def _compared(self, *, is_first: bool) -> object:
        if is_first:
            self._trial = Trial()
        self._second.wake()
        results: list[object] = []
        gain = self._trial.run(lambda way: results.append(self._ways[way]()))
        if gain is not None:
            self.is_shared = gain > 0
        return results[0]
