"""Arrivals go to whoever is free, in order, and are not put off when nobody is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Of its own process: importing gevent's hub beside pytest's asyncio would mix two event loops
SCRIPT = """
import gevent
from time import monotonic_ns
from dispatcher import Dispatcher

left, taken = [], []
dispatcher = Dispatcher(left.append)

def user(name, rest_s):
    while True:
        taken.append((name, dispatcher.take()))
        if rest_s:
            gevent.sleep(rest_s)

users = [gevent.spawn(user, name, rest_s) for name, rest_s in (("a", 0), ("b", 0), ("slow", 60))]
gevent.sleep(0)
due = [place * 1_000_000 for place in range(60)]
dispatcher.run(due, monotonic_ns())
gevent.sleep(0.01)
assert [at for _, at in taken] == due, taken
assert not left
assert [name for name, _ in taken].count("slow") == 1
gevent.killall(users[:2])
dispatcher.run([5, 6], monotonic_ns())
assert left == [5, 6], left
users.append(gevent.spawn(user, "c", 60))
gevent.sleep(0)
dispatcher.run([7, 8], monotonic_ns())
gevent.sleep(0)
assert taken[-1] == ("c", 7) and left == [5, 6, 8], (taken[-1], left)
before = monotonic_ns()
dispatcher.run([30_000_000], before)
assert monotonic_ns() - before >= 30_000_000, "no arrival comes before its time"
print("done")
"""


def test_arrivals_go_to_whoever_is_free_and_are_left_out_when_nobody_is():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT / "loadtest", capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout == "done\n", done.stderr
